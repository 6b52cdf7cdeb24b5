#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A repository that is not as it should be: missing, another one, read-only, full, with wrong rights or with
# links in it. Each has its own error, says what to do, and nothing is written.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo
full=backup-web-1700000000
other_uuid=00000000-1111-2222-3333-444444444444

with_uuid() { spec_health "$1" | jq -c --arg u "${2:-$other_uuid}" '. + {repository_uuid: $u}'; }

# Not there, or not the one.
fails "a missing folder" RepositoryMissing "$repo is not there; .*install -d -o sendense -g sendense-export -m 2750 $repo" health "$(spec_health "$repo")"
echo >"$TEST_TMP/file"
fails "a file" RepositoryMissing "file is no folder" health "$(spec_health "$TEST_TMP/file")"
repository_make "$repo"
fails "an empty mount point" RepositoryMissing "mount the disk" health "$(with_uuid "$repo")"
fails "scan of an empty folder" RepositoryMissing "mount the disk" scan "$(spec_health "$repo")"
is "$(ls -A "$repo")" "" "no marker was made"
touch "$repo/somebody"
fails "a folder with something in it" RepositoryMissing "not empty .*give an empty folder" health "$(spec_health "$repo")"
rm "$repo/somebody"
image health "$(spec_health "$repo")"
fails "another repository" RepositoryMissing "another repository is mounted at $repo: .*mount the right disk" health "$(with_uuid "$repo")"
for verb in prepare undo commit; do
    spec=$(spec_undo "$repo" $full)
    case $verb in
    prepare) spec=$(spec_prepare "$repo" $full) ;;
    commit) spec=$(spec_commit "$repo" $full) ;;
    esac
    fails "$verb in another repository" RepositoryMissing "mount the right disk" $verb "$(jq -c --arg u $other_uuid '.repository_uuid = $u' <<<"$spec")"
    fails "$verb with the repository gone" RepositoryMissing "is not there" $verb "$(jq -c --arg r "$repo-gone" '.repository = $r' <<<"$spec")"
done
is "$(ls -A "$repo")" sendense-repository.json "nothing was made"
cp -a "$repo/sendense-repository.json" "$TEST_TMP/marker"
echo '{"format":1}' >"$repo/sendense-repository.json"
fails "a damaged marker" RepositoryMissing "sendense-repository.json is damaged: the marker: repository_uuid is missing" health "$(spec_health "$repo")"
echo '{"format":2}' >"$repo/sendense-repository.json"
fails "a marker of a newer version" RepositoryMissing "install a newer one" health "$(spec_health "$repo")"
rm "$repo/sendense-repository.json"
ln -s "$TEST_TMP/marker" "$repo/sendense-repository.json"
fails "a link for a marker" Failed "no links" health "$(spec_health "$repo")"
rm "$repo/sendense-repository.json"
cp -a "$TEST_TMP/marker" "$repo/sendense-repository.json"

# Rights.
chmod 2770 "$repo"
fails "a wrong mode" RepositoryPermissions "has mode 2770, must have 2750; chmod 2750 $repo" health "$(spec_health "$repo")"
chmod 2750 "$repo"
chown 7009 "$repo"
fails "a wrong owner, readable" RepositoryPermissions "belongs to uid 7009 .*install -d -o sendense" health "$(spec_health "$repo")"
chown 7009:7009 "$repo"
fails "a wrong owner" RepositoryPermissions "cannot be opened.*install -d -o sendense" health "$(spec_health "$repo")"
chown $HUB_UID:"$EXPORT_GID" "$repo"
chmod 2750 "$repo"
mkdir -m 700 "$TEST_TMP/closed"
repository_make "$TEST_TMP/closed/repo"
fails "a closed folder above" RepositoryPermissions "folders above it must let" health "$(spec_health "$TEST_TMP/closed/repo")"
if getent group sendense-export >/dev/null; then
    chgrp $HUB_UID "$repo"
    fails "a wrong group" RepositoryPermissions "chgrp sendense-export" health "$(spec_health "$repo")"
    chgrp "$EXPORT_GID" "$repo" && chmod 2750 "$repo"
else
    skip "a wrong group" "this machine has no group sendense-export"
fi
image health "$(spec_health "$repo")"
is "$rc" 0 "with all as it should be it is healthy"

# Read-only and full: file systems of their own.
small=$TEST_TMP/small
mkdir "$small"
require "a small file system" mount -t tmpfs -o size=8M,mode=2750,uid=$HUB_UID,gid="$EXPORT_GID" tmpfs "$small"
at_end 'umount "$small"'
image health "$(spec_health "$small")"
is "$rc" 0 "it becomes a repository"
fails "no room for what is reserved" RepositoryFull "has 7 MiB free, and \[Repositories\] MinFree= wants 1024; free space" prepare \
    "$(spec_prepare "$small" $full | jq -c '.reserve_bytes = 1073741824')"
fails "no room for what it is expected to take" RepositoryFull "has 5 MiB free beside .*MinFree=, .* expected to take 0, and this one is expected to take 6; free space" prepare \
    "$(spec_prepare "$small" $full | jq -c '.reserve_bytes = 2097152 | .needed_bytes = 6291456')"
fails "no room beside what others are promised" Busy "has 7 MiB free .*MinFree=, .* expected to take 6, and this one is expected to take 3; free space" prepare \
    "$(spec_prepare "$small" $full | jq -c '.reserve_bytes = 0 | .needed_bytes = 2097153 | .promised_bytes = 6291456')"
fails "promises without bounds" RepositoryFull "expected to take" prepare \
    "$(spec_prepare "$small" $full | jq -c '.reserve_bytes = 0 | .needed_bytes = 9223372036854775000 | .promised_bytes = 9223372036854775000')"
is "$(ls -A "$small")" sendense-repository.json "nothing was made"
image prepare "$(spec_prepare "$small" $full)"
image create "$(spec_disk "$small" $full 2000)"
image create "$(spec_disk "$small" $full 2001)"
write_disk "$small" $full 2000 'write -P 1 0 64k'
finish_disk "$small" $full 2000
finish_disk "$small" $full 2001
cp -a "$small" "$TEST_TMP/finished"
mount -o remount,ro "$small"
for verb in health prepare undo commit; do
    case $verb in
    health) spec=$(spec_health "$small") ;;
    prepare) spec=$(spec_prepare "$small" $full) ;;
    undo) spec=$(spec_undo "$small" $full) ;;
    commit) spec=$(spec_commit "$small" $full) ;;
    esac
    fails "$verb, read-only" RepositoryReadOnly "remount,rw" $verb "$spec"
done
fails "create, read-only" RepositoryReadOnly "remount,rw" create "$(spec_disk "$small" $full 2000)"
image scan "$(spec_health "$small")"
is "$rc $(field .n_strays)" "0 2" "scan reads all the same"
mount -o remount,rw "$small"
head -c 16M /dev/zero >"$small/$VM/fill" 2>/dev/null
fails "commit, full" RepositoryFull "Cannot write $full.json .*free space" commit "$(spec_commit "$small" $full)"
is "$(find "$small" -name '*.json*' -printf '%f ')" "sendense-repository.json " "no part of a manifest is left"
fails "prepare, full" RepositoryFull "free space" prepare "$(spec_prepare "$small" backup-web-2 | jq -c '.reserve_bytes = 1')"
truncate -s 0 "$(partial_of "$small" $full 2000)"
head -c 16M /dev/zero >>"$small/$VM/fill" 2>/dev/null
fails "create, full" RepositoryFull "No space left on device; free space" create "$(spec_disk "$small" $full 2000)"
rm "$small/$VM/fill"
image undo "$(spec_undo "$small" $full)"
is "$(ls -A "$small")" sendense-repository.json "undo makes room"
mount -o remount,nr_inodes=5 "$small"
fails "prepare, no inodes" RepositoryFull "free space" prepare "$(spec_prepare "$small" $full)"
mount -o remount,nr_inodes=1000 "$small"
image prepare "$(spec_prepare "$small" $full)"
is "$rc" 0 "prepare after that"

# Links in the tree lead nowhere.
mkdir "$TEST_TMP/outside"
chown $HUB_UID "$TEST_TMP/outside"
ln -s "$TEST_TMP/outside" "$repo/$VM"
fails "a link for the VM's folder" Failed "Cannot open the folder $VM" prepare "$(spec_prepare "$repo" $full)"
fails "undo through a link" Failed "Cannot open the folder $VM" undo "$(spec_undo "$repo" $full)"
rm "$repo/$VM"
mkdir -m 2750 "$repo/$VM"
chown $HUB_UID:"$EXPORT_GID" "$repo/$VM"
ln -s "$TEST_TMP/outside" "$repo/$VM/2000"
touch "$TEST_TMP/outside/$full.qcow2.partial"
fails "a link for a disk's folder" Failed "Cannot open the folder 2000" undo "$(spec_undo "$repo" $full)"
is "$(ls -A "$TEST_TMP/outside")" "$full.qcow2.partial" "nothing was touched outside"
rm "$repo/$VM/2000"
image prepare "$(spec_prepare "$repo" $full)"
ln -sf "$TEST_TMP/outside/$full.qcow2.partial" "$(partial_of "$repo" $full 2000)"
fails "create through a link" Failed "no links" create "$(spec_disk "$repo" $full 2000)"
image undo "$(spec_undo "$repo" $full)"
is "$rc $(ls -A "$TEST_TMP/outside")" "0 $full.qcow2.partial" "undo removes the link, not what it leads to"

# Specs.
bad_spec() { # NAME TEXT VERB SPEC
    fails "$1" InvalidArgument "$2" "$3" "$4"
}
bad_spec "no JSON" "not one JSON object" health nonsense
bad_spec "an array" "not one JSON object" health '[]'
bad_spec "nothing" "not one JSON object" health ''
bad_spec "too deep" "not one JSON object" health '{"a":[[[[[[[[[[]]]]]]]]]]}'
bad_spec "an unknown member" '"more" is unknown' health "$(spec_health "$repo" | jq -c '. + {more: 1}')"
bad_spec "a missing member" 'repository is missing' health '{}'
for path in relative /a/../b /a//b /a/ / /a/.; do
    bad_spec "the path $path" 'repository ("|has)' health "$(spec_health "$path")"
done
bad_spec "an id with a path" 'backup_id .*must be the id' prepare "$(spec_prepare "$repo" ../../x)"
bad_spec "a uuid with a path" 'instance_uuid .*must be a UUID' undo "$(spec_undo "$repo" $full | jq -c '.instance_uuid = "../../../../../../../../../../../etc"')"
bad_spec "a key that is none" 'element 1 of disk_keys' undo "$(spec_undo "$repo" $full | jq -c '.disk_keys = [2000, "../x"]')"
bad_spec "no keys" 'disk_keys has 0' undo "$(spec_undo "$repo" $full | jq -c '.disk_keys = []')"
bad_spec "a file that is no partial one" 'must be the full path of a <backup id>.qcow2.partial' create '{"path":"/etc/passwd","capacity_bytes":512}'
bad_spec "a backing with a path" 'backing .*must be <backup id>.qcow2' create "$(spec_disk "$repo" $full 2000 ../x)"
bad_spec "a backing of another protocol" 'backing .*must be' create "$(spec_disk "$repo" $full 2000 nbd:localhost:1)"
done_testing
