#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images and tools that are not as they should be: damaged, leaking, in use, without the layer below, of
# another size; qemu-utils missing, too old or killed; and commits whose parts do not fit together.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo
full=backup-web-1700000000
next=backup-web-1700000100
repository_make "$repo"
image health "$(spec_health "$repo")"
backup "$repo" $full '' 'write -P 1 0 1M' || diag "$out"
backup_written "$repo" $next $full 'write -P 2 1M 1M' || diag "$out"
cp -a "$repo" "$TEST_TMP/written"
back() { rm -rf "$repo" && cp -a "$TEST_TMP/written" "$repo"; }
partial=$(partial_of "$repo" $next 2000)
sealed=$(sealed_of "$repo" $full 2000)
create=$(spec_disk "$repo" $next 2000 $full)
commit=$(spec_commit "$repo" $next $full)
undo=$(spec_undo "$repo" $next)

# The layer below.
chmod 660 "$sealed"
mv "$sealed" "$sealed.away"
fails "create without the layer below" ImageDamaged "$full.qcow2': No such file.*" create "$create"
fails "finish without the layer below" ImageDamaged "a layer below is missing.*full backup" finish "$create"
head -c 1M /dev/zero >"$sealed"
chmod 644 "$sealed"
fails "a layer below that is no QCOW2" ImageDamaged "not in qcow2 format" create "$create"
rm "$sealed"
qemu-img create -q -f qcow2 "$sealed" 65M && chmod 644 "$sealed"
fails "a layer below that is longer" ImageDamaged "has $((65 * MIB)) bytes and the disk only $((64 * MIB)); a disk that shrank needs a full" create "$create"
qemu-img create -q -f qcow2 "$sealed" 63M && chmod 644 "$sealed"
fails "a layer below that is another file" ImageDamaged "has [0-9]* bytes and had [0-9]* when it was sealed; begin a new chain" create "$create"
jq -c ".size_bytes = $(stat -c %s "$sealed")" "${sealed%.qcow2}.json" >"$TEST_TMP/changed"
cat "$TEST_TMP/changed" >"${sealed%.qcow2}.json"
image create "$create"
is "$rc" 0 "one that is shorter is none: the disk grew"
rm "${sealed%.qcow2}.json"
fails "a layer below without a manifest" ImageDamaged "$full.json of the layer below cannot be read" create "$create"
back
fails "create without the file" ImageDamaged "is not there; start the backup again" create "$(spec_disk "$repo" backup-web-9 2000)"
fails "create without the folder" RepositoryMissing "is not there; mount" create "$(jq -c --arg p "$TEST_TMP/none/$full.qcow2.partial" '.path = $p' <<<"$create")"

# What the image says of itself.
fails "another capacity" ImageDamaged "has $((64 * MIB)) bytes for the guest, must have $((128 * MIB))" finish "$(jq -c ".capacity_bytes = $((128 * MIB))" <<<"$create")"
fails "a link that should not be" ImageDamaged "the layer below is $full.qcow2, must be not there" finish "$(spec_disk "$repo" $next 2000)"
fails "another link" ImageDamaged "the layer below is $full.qcow2, must be backup-web-7.qcow2" finish "$(spec_disk "$repo" $next 2000 backup-web-7)"
: >"$partial"
fails "an empty file" ImageDamaged "not in qcow2 format" finish "$create"
back

# number OFFSET: eight bytes in big-endian order.
number() { echo $((0x$(od -An -v -tx1 -j "$1" -N 8 "$partial" | tr -d ' '))); }
poke() { printf '%b' "$2" | dd of="$partial" bs=1 seek="$1" conv=notrunc status=none; }
l2=$(($(number "$(number 40)") & 0x00fffffffffffe00))
blocks=$(($(number "$(number 48)") & 0x00fffffffffffe00))
# The second entry: of the cluster of 1 MiB that holds what was written at 1 MiB.
data=$(($(number $((l2 + 16))) & 0x00fffffffffffe00))
cluster=$((data / MIB))
poke $((l2 + 16)) '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
image finish "$create"
is "$rc $(field .leaks_repaired)" "0 1" "a leaked cluster is repaired"
is "$(qemu-img check -q "$partial" && echo sound)" sound "and then there is none"
back
poke $((blocks + cluster * 2)) '\0\0'
fails "a cluster with a wrong count" ImageDamaged "qemu-img check finds damage; start the backup again" finish "$create"
is "$(cmp "$partial" "$TEST_TMP/written/${partial#"$repo"/}" | wc -l)" 1 "nothing was repaired"
back
poke 79 '\x12'
fails "marked as corrupt" ImageDamaged "corrupt" finish "$create"
back
truncate -s -64k "$sealed"
fails "a layer below that was cut off" ImageDamaged "when it was sealed" create "$create"
back

# In use.
qemu-nbd -f qcow2 -t -k "$TMPDIR/s" --pid-file "$TEST_TMP/pid" "$partial" --fork
at_end 'kill "$(<"$TEST_TMP/pid")" 2>/dev/null || :'
for verb in create finish commit undo; do
    case $verb in
    commit) spec=$commit ;;
    undo) spec=$undo ;;
    *) spec=$create ;;
    esac
    fails "$verb of an image in use" ImageBusy "fuser" $verb "$spec"
done
fails "prepare over an image in use" ImageBusy "fuser -v $partial" prepare "$(spec_prepare "$repo" $next)"
is "$(tree "$repo")" "$(tree "$TEST_TMP/written")" "nothing was touched"
kill "$(<"$TEST_TMP/pid")"
ok "its user ends" eventually 30 sh -c "! kill -0 $(<"$TEST_TMP/pid")"
image finish "$create"
is "$rc" 0 "and then it can be finished"

# Tools.
mkdir "$TEST_TMP/empty" "$TEST_TMP/fake"
chmod 755 "$TEST_TMP/empty" "$TEST_TMP/fake"
# with_path PATH ERROR TEXT NAME
with_path() {
    out=$(setpriv --reuid=$EXPORT_UID --regid="$EXPORT_GID" --clear-groups env PATH="$1" "$image_program" finish <<<"$create" 2>/dev/null)
    rc=$?
    printf '%s\n' "$out" >"$TEST_TMP/out"
    is "$rc $(field .error_name)" "1 com.sendense.Error.$2" "$4: $2"
    like "$(field .error_text)" "$3" "$4: the text"
}
fake() { # PROGRAM, the script from stdin
    rm -f "$TEST_TMP"/fake/qemu-*
    cp -s "$(command -v qemu-img)" "$(command -v qemu-nbd)" "$TEST_TMP/fake/"
    rm "$TEST_TMP/fake/$1"
    { echo '#!/bin/sh' && cat; } >"$TEST_TMP/fake/$1"
    chmod 755 "$TEST_TMP/fake/$1"
}
with_path "$TEST_TMP/empty" ToolMissing "qemu-img cannot be started: No such file.*install Debian's package qemu-utils" "no qemu-img"
fake qemu-img <<<'echo "qemu-img version 7.1.9 (Debian)"'
with_path "$TEST_TMP/fake" ToolMissing '"qemu-img version 7.1.9 .Debian." is too old, 7.2 is needed' "an old one"
for version in 10.0.2 7.2.0 8.0; do
    fake qemu-img <<<"[ \"\$1\" = --version ] && { echo 'qemu-img version $version (x)'; exit; }; exec $(command -v qemu-img) \"\$@\""
    out=$(as_export env PATH="$TEST_TMP/fake:$PATH" "$image_program" finish <<<"$create" 2>/dev/null)
    is $? 0 "version $version is enough"
done
fake qemu-img <<<'echo nonsense'
with_path "$TEST_TMP/fake" ToolMissing 'nonsense' "one without a version"
fake qemu-img <<<"[ \"\$1\" != check ] || kill -9 \$\$; exec $(command -v qemu-img) \"\$@\""
with_path "$TEST_TMP/fake" Failed 'qemu-img check was ended by signal 9' "one that is killed"
only_for_qemu "$partial"
image finish "$create"
is "$rc" 0 "an image that is left to qemu-nbd"
fake qemu-nbd <<<'kill -9 $$'
with_path "$TEST_TMP/fake" Failed 'qemu-nbd was ended by signal 9' "a qemu-nbd that is killed"
rm "$TEST_TMP/fake/qemu-nbd"
with_path "$TEST_TMP/fake" ToolMissing 'qemu-nbd cannot be started.*qemu-utils' "no qemu-nbd"
fake qemu-nbd <<<'echo "qemu-nbd: some trouble" >&2; exit 1'
with_path "$TEST_TMP/fake" ImageDamaged 'some trouble' "one that complains"
is "$(find "$TMPDIR" -mindepth 1 ! -name s)" "" "no socket is left"
back

# Commits whose parts do not fit.
refused() { # NAME TEXT FILTER
    fails "$1" InvalidArgument "$2" commit "$(jq -c "$3" <<<"$commit")"
}
refused "a disk too few" "disks are not those of the record" 'del(.disks[1])'
refused "a disk twice" "disks are not those of the record" '.disks[1] = .disks[0]'
refused "another key" "disks are not those of the record" '.disks[1].disk_key = 2005'
refused "another parent" "differ in parent_backup_id" '.disks[0].manifest.parent_backup_id = "backup-web-5"'
refused "another change id" "differ in change_id" '.disks[0].manifest.change_id = "x"'
refused "another backup" "differ in backup_id" '.disks[0].manifest.backup_id = "backup-web-5"'
refused "a record of another backup" "record is that of another|file must be" '.record.backup_id = "backup-web-5"'
refused "a record with something more" '"more" is unknown' '.record.more = 1'
refused "a record without a name" 'vm_name is missing' 'del(.record.vm_name)'
refused "a capacity that has other blocks" 'block_bytes|differ in capacity' '.record.disks[0].capacity_bytes = 68719476736 | .disks[0].manifest.capacity_bytes = 68719476736'
cp "$TEST_TMP/$next-2000.out" "$TEST_TMP/kept"
echo '{"result":"failed","error_name":"x","error_text":"y"}' >"$TEST_TMP/$next-2000.out"
fails "a finish that failed" InvalidArgument "is no result of a finish that went well" commit "$commit"
echo '{"result":"ok"' >"$TEST_TMP/$next-2000.out"
fails "half a result" Failed "Cannot read the result of finish" commit "$commit"
echo '{"result":"ok"}' >"$TEST_TMP/$next-2000.out"
fails "a result without digests" InvalidArgument "no size or no digest" commit "$commit"
jq -c '.digest.blocks["0"] = "x"' "$TEST_TMP/kept" >"$TEST_TMP/$next-2000.out"
fails "a digest that is none" InvalidArgument "64 hex digits" commit "$commit"
cp "$TEST_TMP/kept" "$TEST_TMP/$next-2000.out"
is "$(tree "$repo")" "$(tree "$TEST_TMP/written")" "none of them has changed anything"
truncate -s +1M "$partial"
fails "a file that grew since" ImageDamaged "when it was checked; start the backup again" commit "$commit"
rm "$partial"
fails "a file that is gone" ImageDamaged "is not there" commit "$commit"
back
echo '{}' >"$repo/$VM/backups/$next.json"
fails "a damaged record" Failed "$next.json is damaged: .*copy of the repository" commit "$commit"
back
image commit "$commit"
is "$rc" 0 "as it should be, it is committed"

# What scan finds.
cp -a "$repo" "$TEST_TMP/whole"
scan=$(spec_health "$repo")
finds() { # NAME TEXT
    image scan "$scan"
    like "$(jq -r 'select(.problems | type == "array").problems[]' "$TEST_TMP/out")" "$2" "scan: $1"
    is "$rc" 0 "scan: $1: is no failure of its own"
    rm -rf "$repo" && cp -a "$TEST_TMP/whole" "$repo"
}
sealed=$(sealed_of "$repo" $next 2000)
rm "$sealed"
finds "a missing image" '^disk 2000: the image cannot be opened: No such'
rm "$(sealed_of "$repo" $full 2000)"
finds "a missing layer below" "^disk 2000: the layer below, $full.qcow2, is missing"
chmod 644 "$sealed"
finds "an image that can be written to" '^disk 2000: the image can be written to, mode 0644'
truncate -s +5 "$sealed"
finds "another length" '^disk 2000: the image.s file has'
head -c 1M /dev/zero >"$sealed"
finds "no image" '^disk 2000: the image is no QCOW2'
qemu-img create -q -f qcow2 "$sealed" 7M
finds "another capacity" "^disk 2000: the image has $((7 * MIB)) bytes for the guest"
qemu-img create -q -f qcow2 "$sealed" 64M
finds "another link" "^disk 2000: the image builds on \"\" and should on \"$full.qcow2\""
echo >>"${sealed%.qcow2}.json"
finds "another manifest" '^disk 2000: the manifest is not the one that was committed'
rm "${sealed%.qcow2}.json"
finds "a missing manifest" '^disk 2000: the manifest cannot be read'
echo '{' >"$repo/$VM/backups/$next.json"
finds "a damaged record" '^the record is not one JSON object'
mv "$repo/$VM/backups/$next.json" "$repo/$VM/backups/backup-web-3.json"
finds "a renamed record" "^the record is that of $next"
rm -r "$(folder_of "$repo" 2001)"
finds "a missing folder" '^disk 2001: its folder cannot be opened'
touch "$repo/x" "$repo/$VM/y" "$repo/$VM/2000/z" "$repo/$VM/backups/$next.json.partial" "$repo/$VM/2000/"$'\xff'
image scan "$scan"
is "$(field '.n_strays, .problems')" $'5\n0' "scan: strays are counted"
is "$(field '.strays | sort | join(" ")')" \
    "$VM/(a name that is no UTF-8) $VM/2000/z $VM/backups/$next.json.partial $VM/y x" "scan: and named"
done_testing
