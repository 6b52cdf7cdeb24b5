#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every restore point of both disks comes back as it was kept, to each kind of target: raw, QCOW2 and VMDK files, a block
# device, an NBD export. Files stay sparse, nothing is overwritten unasked, and nothing is left beside them.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

chain_make

for id in "${b[@]}"; do
    for key in 2000 2001; do
        file=$out_dir/$id-$key.raw
        restore "$(spec_restore "$id" $key "$(target_file "$file")")"
        is "$rc $(sum "$file")" "0 $(sum "$kept/$id-$key")" "$id, disk $key, raw"
    done
done
is "$(field '"\(.layers) \(.n_damaged) \(.capacity_bytes) \(.damaged | length)"')" "5 0 ${capacity[2001]} 0" "the result tells of it"
is "$(stat -c %s "$out_dir/${b[4]}-2000.raw")" "${capacity[2000]}" "the file has the size of the disk"
restore "$(spec_restore "${b[4]}" 2000 "$(target_file "$TEST_TMP/on-disk.raw")")"
is "$rc $(sum "$TEST_TMP/on-disk.raw")" "0 $(sum "$kept/${b[4]}-2000")" "on a disk, past its cache"
ok "there zeroes take no space" test "$(du -k "$TEST_TMP/on-disk.raw" | cut -f1)" -lt $((20 * 1024))
file=$out_dir/${b[4]}-2000.raw
ok "zeroes take no space" test "$(du -k "$file" | cut -f1)" -lt $((20 * 1024))
is "$(stat -c '%a %u' "$file")" "640 0" "it is its owner's alone"

for format in qcow2 vmdk; do
    for id in "${b[0]}" "${b[2]}" "${b[4]}"; do
        file=$out_dir/$id.$format
        restore "$(spec_restore "$id" 2000 "$(target_file "$file" $format)")"
        is "$rc" 0 "$id, $format"
        qemu-img convert -f $format -O raw "$file" "$TEST_TMP/raw"
        is "$(sum "$TEST_TMP/raw")" "$(sum "$kept/$id-2000")" "$id, $format: the same content"
        ok "$id, $format: sound" qemu-img check -q -f $format "$file"
    done
    ok "$format: zeroes take no space" test "$(du -k "$file" | cut -f1)" -lt $((20 * 1024))
done
is "$(grep -ac 'RW .* SPARSE "backup-web-5.vmdk"' "$file")" 1 "a VMDK names itself in its descriptor"

# What is there stays there.
file=$out_dir/${b[0]}-2000.raw
before=$(sum "$file")
refuses "a file that is there" Exists 'is there already; .*force' "$(spec_restore "${b[4]}" 2000 "$(target_file "$file")")"
is "$(sum "$file")" "$before" "it is as it was"
force=yes
restore "$(spec_restore "${b[4]}" 2000 "$(target_file "$file")")"
is "$rc $(sum "$file")" "0 $(sum "$kept/${b[4]}-2000")" "force replaces it"
mkdir "$out_dir/folder"
ln -s /dev/null "$out_dir/link"
refuses "a folder, by force" Exists 'no plain file' "$(spec_restore "${b[0]}" 2000 "$(target_file "$out_dir/folder")")"
refuses "a link, by force" Exists 'no plain file' "$(spec_restore "${b[0]}" 2000 "$(target_file "$out_dir/link")")"
force=
refuses "a folder that is missing" TargetFailed 'make the folder first' "$(spec_restore "${b[0]}" 2000 "$(target_file "$out_dir/no/disk.raw")")"
for name in 'b c:d"e.raw' '-x' 'nbd:unix' 'json:{}'; do
    for format in raw qcow2 vmdk; do
        restore "$(spec_restore "${b[2]}" 2001 "$(target_file "$out_dir/$name.$format" $format)")"
        is "$rc" 0 "a file called $name.$format" || diag "$out"
    done
done
name=$(printf 'n%.0s' {1..200})
restore "$(spec_restore "${b[2]}" 2001 "$(target_file "$out_dir/$name")")"
is "$rc" 0 "a name of 200 bytes"
refuses "a name of 201 bytes" InvalidArgument '1 to 200 bytes' "$(spec_restore "${b[2]}" 2001 "$(target_file "$out_dir/${name}n")")"

# NBD: what it held is overwritten, zeroes too.
for size in 70 72; do
    sock=$TEST_TMP/sockets/nbd-$size
    dd if=/dev/urandom of="$TEST_TMP/nbd-$size" bs=1M count=$size status=none
    tail -c +$((70 * MIB + 1)) "$TEST_TMP/nbd-$size" >"$TEST_TMP/rest"
    qemu-nbd -t -x disk -f raw -e 10 -k "$sock" --fork --pid-file="$TEST_TMP/nbd.pid" "$TEST_TMP/nbd-$size"
    restore "$(spec_restore "${b[4]}" 2000 "$(target_nbd "nbd+unix:///disk?socket=$sock")")"
    is "$rc" 0 "to an export of $size MiB" || diag "$out"
    refuses "another disk name" TargetFailed 'Cannot connect' "$(spec_restore "${b[4]}" 2000 "$(target_nbd "nbd+unix:///other?socket=$sock")")"
    kill "$(<"$TEST_TMP/nbd.pid")"
    is "$(head -c $((70 * MIB)) "$TEST_TMP/nbd-$size" | sha256sum)" "$(sha256sum <"$kept/${b[4]}-2000")" "it holds the disk"
    is "$(tail -c +$((70 * MIB + 1)) "$TEST_TMP/nbd-$size" | sha256sum)" "$(sha256sum <"$TEST_TMP/rest")" "and behind it what it held"
done
# One that allows a single connection, knows no zeroes, and is larger.
sock=$TEST_TMP/sockets/kit
nbdkit -f -U "$sock" -e disk --filter=nozero --filter=multi-conn memory 80M multi-conn-mode=disable >"$TEST_TMP/kit.log" 2>&1 &
kit=$!
at_end "kill $kit"
wait_socket "$sock"
restore "$(spec_restore "${b[4]}" 2000 "$(target_nbd "nbd+unix:///disk?socket=$sock")")"
is "$rc" 0 "to a server of one connection that knows no zeroes" || diag "$out"
nbdcopy "nbd+unix:///disk?socket=$sock" "$TEST_TMP/raw"
is "$(head -c $((70 * MIB)) "$TEST_TMP/raw" | sha256sum)" "$(sha256sum <"$kept/${b[4]}-2000")" "it holds the disk"
refuses "a server that is not there" TargetFailed 'Cannot connect' "$(spec_restore "${b[4]}" 2000 "$(target_nbd "nbd+unix:///disk?socket=$sock.no")")"

# A block device: of its own size or larger, not in use, and by force alone when something is on it.
device() { # SIZE-MIB: sets dev
    truncate -s "$1"M "$TEST_TMP/device-$1"
    dev=$(losetup --show -f "$TEST_TMP/device-$1") && at_end "losetup -d $dev"
}
if ! device 72; then
    for what in device zeroes behind signature mounted force small; do skip "restore to a block device: $what" "no loop devices"; done
else
    dd if=/dev/urandom of="$dev" bs=1M count=72 status=none
    tail -c $((2 * MIB)) "$TEST_TMP/device-72" >"$TEST_TMP/rest"
    restore "$(spec_restore "${b[4]}" 2000 "$(target_device "$dev")")"
    is "$rc" 0 "to a block device" || diag "$out"
    is "$(head -c $((70 * MIB)) "$dev" | sha256sum)" "$(sha256sum <"$kept/${b[4]}-2000")" "it holds the disk, zeroes too"
    is "$(tail -c $((2 * MIB)) "$dev" | sha256sum)" "$(sha256sum <"$TEST_TMP/rest")" "and behind it what it held"
    mkfs.ext4 -q -F "$dev"
    refuses "a device with a file system" Exists "blkid finds ext4" "$(spec_restore "${b[0]}" 2000 "$(target_device "$dev")")"
    mkdir "$TEST_TMP/mounted" && mount "$dev" "$TEST_TMP/mounted"
    force=yes
    refuses "a mounted device, by force" Busy 'mounted or in use' "$(spec_restore "${b[0]}" 2000 "$(target_device "$dev")")"
    umount "$TEST_TMP/mounted"
    restore "$(spec_restore "${b[0]}" 2000 "$(target_device "$dev")")"
    is "$rc $(head -c $((37 * MIB + 512)) "$dev" | sha256sum)" "0 $(sha256sum <"$kept/${b[0]}-2000")" "force overwrites a file system"
    device 36
    refuses "a device that is too small" TargetTooSmall "has $((36 * MIB)) bytes and the disk $((37 * MIB + 512))" "$(spec_restore "${b[0]}" 2000 "$(target_device "$dev")")"
    force=
fi
refuses "a device that is none" InvalidArgument 'no block device' "$(spec_restore "${b[0]}" 2000 "$(target_device "$out_dir/$name")")"

# What is asked for must make sense.
file=$out_dir/new
refuses "another disk" NotFound 'has no disk 2002' "$(spec_restore "${b[0]}" 2002 "$(target_file "$file")")"
refuses "another backup" NotFound 'no such backup' "$(spec_restore backup-web-9 2000 "$(target_file "$file")")"
refuses "a path with .." InvalidArgument 'absolute path' "$(spec_restore "${b[0]}" 2000 "$(target_file "$out_dir/../x")")"
refuses "a format of a device" InvalidArgument 'file alone has a format' "$(spec_restore "${b[0]}" 2000 '{"kind": "device", "path": "/dev/x", "format": "qcow2"}')"
refuses "a uri of a file" InvalidArgument 'have a path, nbd has a uri' "$(spec_restore "${b[0]}" 2000 '{"kind": "file", "uri": "nbd://x/"}')"
refuses "another member" InvalidArgument 'colour' "$(spec_restore "${b[0]}" 2000 "$(target_file "$file")" '{"colour": 1}')"
is "$(partials "$out_dir") $(test -e "$file" && echo there)" "0 " "nothing is left of any of it"
is "$(find "$TEST_TMP/sockets" -name 'sendense-image-*' | wc -l)" 0 "nor of the servers"
done_testing
