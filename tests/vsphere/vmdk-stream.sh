#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The VMDKs that lib/vmdk-stream writes, read by qemu-img: equal to their sources to the last sector, whatever the size; holes are neither
# read nor written; pieces of any size make the same file; what is cut off is noticed.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
write=$SENDENSE_BUILD/tests/vsphere/vmdk-write
[ -x "$write" ] || skip_all "no build in $SENDENSE_BUILD"
command -v qemu-img >/dev/null || skip_all 'qemu-utils is not installed: nothing reads a VMDK'
cd "$TEST_TMP" || exit 1

read=0
# vmdk NAME [ADAPTER] [PIECE]: NAME.raw to NAME.vmdk; in the variable read, how many bytes of the source it took.
vmdk() {
    "$write" "$1.raw" "${2:-lsilogic}" ${3:+"$3"} >"$1.vmdk" 2>said || return 1
    read=$(cut -d' ' -f1 said)
}
same() { [ "$(qemu-img compare -f raw -F vmdk "$1.raw" "$1.vmdk" 2>&1)" = 'Images are identical.' ]; }
word() { head -c 11264 "$1" | tail -c +513 | tr '\0' '\n' | sed -n "s/^$2 *= *//p" | tr -d '"'; }
bytes() { # FILE COUNT OFFSET
    head -c "$2" /dev/urandom | dd of="$1" bs=64K oflag=seek_bytes seek="$3" conv=notrunc status=none
}

# One of each kind: sizes that end inside a grain, inside a sector table, at a border; data at both ends, one byte, nothing.
truncate -s 24M holes.raw
bytes holes.raw 3000000 5000000
truncate -s 65536 one.raw
bytes one.raw 65536 0
truncate -s 512 sector.raw
bytes sector.raw 512 0
truncate -s 5267456 odd.raw
bytes odd.raw 1 0
bytes odd.raw 512 5266944
truncate -s $((64 << 20)) borders.raw # two tables; data around where they meet
bytes borders.raw 300000 $(((32 << 20) - 150000))
bytes borders.raw 512 $(((64 << 20) - 512))
truncate -s 100M empty.raw
truncate -s $((33 << 20)) full.raw
bytes full.raw $((33 << 20)) 0
yes text | head -c 9000000 >words.raw
truncate -s 9000448 words.raw
for name in holes one sector odd borders empty full words; do
    ok "$name: written" vmdk "$name"
    ok "$name: equal" same "$name"
    like "$(qemu-img check -f vmdk "$name.vmdk" 2>&1)" 'No errors' "$name: qemu-img check finds nothing"
done
ok 'text is deflated' test "$(stat -c %s words.vmdk)" -lt 1000000
is "$(($(stat -c %s empty.vmdk) / 512))" 133 'an empty disk is header, descriptor, directory, footer and end, and nothing else'

# More than 2 GiB, nearly all of it a hole.
truncate -s 100G large.raw
bytes large.raw 100000 $((3 << 30))
bytes large.raw 4096 $(((100 << 30) - 4096))
ok '100 GiB with two pieces of data' vmdk large
ok 'equal' same large
ok 'its holes are not read' test "$read" -lt 400000
ok 'and are not in the file' test "$(stat -c %s large.vmdk)" -lt 300000

# The same bytes, however they are fetched.
for piece in 1 511 513 7000000; do
    sum=$(sha256sum <one.vmdk)
    ok "in pieces of $piece" vmdk one lsilogic "$piece"
    is "$(sha256sum <one.vmdk)" "$sum" 'it is the same file'
done

# The descriptor.
is "$(word holes.vmdk createType)" streamOptimized 'the descriptor names its kind'
for adapter in lsilogic buslogic ide; do
    vmdk holes $adapter
    is "$(word holes.vmdk ddb.adapterType)" $adapter "and the adapter $adapter"
    ok 'with the same disk' same holes
done
is "$(word holes.vmdk ddb.geometry.heads)/$(word holes.vmdk ddb.geometry.sectors)/$(word holes.vmdk ddb.geometry.cylinders)" 16/63/48 'IDE has its geometry'
is "$(word large.vmdk ddb.geometry.heads)/$(word large.vmdk ddb.geometry.sectors)/$(word large.vmdk ddb.geometry.cylinders)" 255/63/13054 'and a large SCSI disk its own'
is "$(word odd.vmdk ddb.geometry.heads)/$(word odd.vmdk ddb.geometry.sectors)/$(word odd.vmdk ddb.geometry.cylinders)" 64/32/5 'a small one another'

# What cannot be.
truncate -s 513 half.raw
not_ok 'half a sector is refused' vmdk half
is "$(cut -d' ' -f2 said)" 22 'as an argument'
: >none.raw
not_ok 'so is no disk at all' vmdk none
truncate -s $(((64 << 40) + 512)) huge.raw 2>/dev/null && {
    not_ok 'and one above 64 TiB' vmdk huge
    is "$(cut -d' ' -f2 said)" 27 'which is too large'
}
head -c -512 full.vmdk >cut.vmdk
cp full.raw cut.raw
not_ok 'one that is cut off is not taken for whole' same cut
done_testing
