#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What each verb of sendense-image does when all goes well: a full and an incremental backup of two disks,
# from an empty folder to records that scan reads, under the users that the hub gives them.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo
full=backup-web-1700000000
next=backup-web-1700000100-2

repository_make "$repo"
require "health of an empty folder" image health "$(spec_health "$repo")"
is "$(field .repository_uuid)" "$(uuid_of "$repo")" "makes it a repository"
is "$(stat -c %a "$repo/sendense-repository.json")" 640 "with a marker of mode 640"
uuid=$(uuid_of "$repo")
ok "free and size are told" jq -e '.free_bytes > 0 and .size_bytes >= .free_bytes' "$TEST_TMP/out"
image health "$(spec_health "$repo")"
is "$(uuid_of "$repo")" "$uuid" "the second look changes nothing"
image health "$(spec_health "$repo" | jq --arg u "$uuid" '. + {repository_uuid: $u}')"
is "$rc" 0 "the uuid is the right one"

# prepare
require "prepare" image prepare "$(spec_prepare "$repo" $full)"
is "$(tree "$repo")" "drwxr-s--- $HUB_UID:$EXPORT_GID $VM
drwxr-s--- $HUB_UID:$EXPORT_GID $VM/2000
-rw-rw---- $HUB_UID:$EXPORT_GID $VM/2000/$full.qcow2.partial
drwxr-s--- $HUB_UID:$EXPORT_GID $VM/2001
-rw-rw---- $HUB_UID:$EXPORT_GID $VM/2001/$full.qcow2.partial
drwxr-s--- $HUB_UID:$EXPORT_GID $VM/backups
-rw-r----- $HUB_UID:$EXPORT_GID sendense-repository.json" "folders and files with owners and modes"
partial=$(partial_of "$repo" $full 2000)
inode=$(stat -c %i "$partial")
echo leftover >"$partial"
echo leftover >"$(folder_of "$repo" 2000)/$full.json"
mkdir "$TEST_TMP/hold" && ln "$partial" "$TEST_TMP/hold/old"
image prepare "$(spec_prepare "$repo" $full)"
is "$rc $(stat -c %s "$partial")" "0 0" "prepare again: the file is empty"
unlike "$(stat -c %i "$partial")" "^$inode\$" "and another one"
ok "the manifest of an earlier attempt is gone" test ! -e "$(folder_of "$repo" 2000)/$full.json"

# create
image create "$(spec_disk "$repo" $full 2000)"
like "$rc $out" '^0 \{"direct":(true|false),"result":"ok"\}$' "create"
is "$(qemu-img info --output=json "$partial" | jq -c '[."virtual-size", ."cluster-size", ."format-specific".data."extended-l2", ."backing-filename"]')" \
    "[$((64 * MIB)),$MIB,true,null]" "an image of our shape"
is "$(stat -c '%a %u' "$partial")" "660 $HUB_UID" "owner and mode stay"
image create "$(spec_disk "$repo" $full 2001)"
is "$rc" 0 "create the other one"

# finish
write_disk "$repo" $full 2000 'write -P 5 0 1M' 'write -P 6 9M 300k' 'write -z 20M 9M'
require "finish" finish_disk "$repo" $full 2000
is "$(field '.digest | "\(.algorithm) \(.block_bytes) \(.blocks | keys | join(" "))"')" "sha256-tree $((4 * MIB)) 0 2 5 6 7" \
    "digests of the blocks that the layer holds, and of no others"
is "$(field '[.virtual_bytes, .leaks_repaired, .size_bytes] | join(" ")')" "$((64 * MIB)) 0 $(stat -c %s "$partial")" "sizes"
is "$(field .stored_bytes)" "$(($(stat -c %b "$partial") * 512))" "and what it takes up"
for block in 0 2 5 6 7; do
    is "$(field ".digest.blocks[\"$block\"]")" "$(block_digest "$partial" 2000 $block)" "the digest of block $block"
done
write_disk "$repo" $full 2001 'write -P 7 5M 1M'
require "finish the other one" finish_disk "$repo" $full 2001
is "$(field '.digest.blocks | keys | join(" ")')" 1 "the short block at the end"
is "$(field '.digest.blocks["1"]')" "$(block_digest "$(partial_of "$repo" $full 2001)" 2001 1)" "and its digest"
is "$(ls -A "$TEST_TMP/sockets")" "" "no socket is left"

# commit
require "commit" image commit "$(spec_commit "$repo" $full)"
record=$repo/$VM/backups/$full.json
is "$(field .record_sha256)" "$(sha256sum <"$record" | cut -d' ' -f1)" "the digest of the record"
is "$(tree "$repo/$VM")" "drwxr-s--- $HUB_UID:$EXPORT_GID 2000
-r--r----- $HUB_UID:$EXPORT_GID 2000/$full.json
-r--r----- $HUB_UID:$EXPORT_GID 2000/$full.qcow2
drwxr-s--- $HUB_UID:$EXPORT_GID 2001
-r--r----- $HUB_UID:$EXPORT_GID 2001/$full.json
-r--r----- $HUB_UID:$EXPORT_GID 2001/$full.qcow2
drwxr-s--- $HUB_UID:$EXPORT_GID backups
-r--r----- $HUB_UID:$EXPORT_GID backups/$full.json" "sealed files and a record"
for key in 2000 2001; do
    file=$(jq -r ".disks[] | select(.disk_key == $key).file" "$record")
    is "$file" "$VM/$key/$full.qcow2" "disk $key: its file"
    is "$(jq -r ".disks[] | select(.disk_key == $key) | \"\(.size_bytes) \(.manifest_sha256)\"" "$record")" \
        "$(stat -c %s "$repo/$file") $(sha256sum <"${repo:?}/${file%.qcow2}.json" | cut -d' ' -f1)" "disk $key: size and digest of the manifest"
    is "$(jq -c .digest "${repo:?}/${file%.qcow2}.json")" "$(jq -Sc .digest "$TEST_TMP/$full-$key.out")" "disk $key: digests in the manifest"
done
before=$(tree "$repo")
first=$(<"$TEST_TMP/out")
image commit "$(spec_commit "$repo" $full)"
is "$rc $out" "0 $first" "commit again: the same answer"
image undo "$(spec_undo "$repo" $full)"
is "$(field .outcome)" committed "undo of what is committed"
is "$(tree "$repo")" "$before" "touches nothing"
image prepare "$(spec_prepare "$repo" $full)"
is "$(field .error_name)" com.sendense.Error.Exists "a finished backup is not prepared again"

# An incremental one.
require "an incremental backup" backup "$repo" $next $full 'write -P 9 4M 64k'
is "$(field '.result')" ok "is committed"
is "$(qemu-img info --output=json "$(sealed_of "$repo" $next 2000)" | jq -r '."backing-filename"')" $full.qcow2 "its link is relative"
is "$(jq -r '.digest.blocks | keys | join(" ")' "$TEST_TMP/$next-2000.out")" 1 "its layer holds one block"
is "$(jq -r '.digest.blocks["1"]' "$TEST_TMP/$next-2000.out")" "$(block_digest "$(sealed_of "$repo" $next 2000)" 2000 1)" \
    "the digest sees through to the layer below"

# scan
image scan "$(spec_health "$repo")"
is "$rc $(wc -l <<<"$out")" "0 3" "scan: a line for each backup and the result"
is "$(field '[.backups, .problems, .n_strays] | join(" ")')" "2 0 0" "nothing is wrong"
is "$(head -n 1 <<<"$out" | jq -Sc '.record | del(.disks[].stored_bytes)')" "$(jq -Sc . "$record")" "the record as it is"
is "$(head -n 1 <<<"$out" | jq -r '.record.disks[] | "\(.file) \(.stored_bytes)"')" \
    "$(jq -r '.disks[].file' "$record" | while read -r file; do echo "$file $(($(stat -c %b "$repo/$file") * 512))"; done)" "with what each image takes up"

# undo
image prepare "$(spec_prepare "$repo" backup-web-1)"
image create "$(spec_disk "$repo" backup-web-1 2000)"
echo half >"$(folder_of "$repo" 2000)/backup-web-1.json"
image scan "$(spec_health "$repo")"
is "$(field '.strays | join(" ")')" \
    "$VM/2000/backup-web-1.json $VM/2000/backup-web-1.qcow2.partial $VM/2001/backup-web-1.qcow2.partial" "scan tells what belongs to no backup"
before=$(tree "$repo" | grep -v 'backup-web-1\.')
image undo "$(spec_undo "$repo" backup-web-1)"
is "$(field .outcome)" removed "undo"
is "$(tree "$repo")" "$before" "leaves the others"
is "$(find "$repo" -name 'backup-web-1.*')" "" "and nothing of its own"
image undo "$(spec_undo "$repo" backup-web-1)"
is "$rc $(field .outcome)" "0 removed" "undo again"

# In a repository with nothing else the folders go too.
repository_make "$TEST_TMP/other"
image health "$(spec_health "$TEST_TMP/other")"
image prepare "$(spec_prepare "$TEST_TMP/other" $full)"
image undo "$(spec_undo "$TEST_TMP/other" $full)"
is "$(ls -A "$TEST_TMP/other")" sendense-repository.json "undo removes empty folders"

# A file system's own folder does not make it another's.
repository_make "$TEST_TMP/disk"
mkdir "$TEST_TMP/disk/lost+found"
ok "lost+found is nobody's" image health "$(spec_health "$TEST_TMP/disk")"
image scan "$(spec_health "$TEST_TMP/disk")"
is "$(field .n_strays)" 0 "and no stray"

# Command line.
like "$("$image_program" --version)" '^sendense-image [0-9]' "--version"
for verb in prepare create finish commit undo health scan; do
    like "$("$image_program" --help)" "^  $verb " "--help knows $verb"
done
"$image_program" nonsense 2>/dev/null
is $? 64 "an unknown verb"
"$image_program" health scan 2>/dev/null </dev/null
is $? 64 "two verbs"
done_testing
