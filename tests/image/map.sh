#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The reader of an image's tables sees what qemu sees: random chains of many shapes, compared byte by byte. What it does not
# know, what is damaged and what is being written to it leaves to qemu; and bytes that are wrong at random never break it.

. "$(dirname "$0")/../lib/tap.sh"

map_cat=$SENDENSE_BUILD/tests/image/map-cat
cd "$TEST_TMP" || exit 1
RANDOM=20261122
MIB=1048576

same() { # FILE CAPACITY: as raw
    qemu-img convert -f qcow2 -O raw "$1" want && "$map_cat" "$1" "$2" >have && cmp want have
}
left() { # FILE CAPACITY NAME
    "$map_cat" "$1" "$2" >have
    is $? 3 "left to qemu: $3"
}
# random_writes SECTORS: commands of qemu-io in args, of all kinds that change an image.
random_writes() {
    local i at length
    args=()
    for ((i = 0; i < 30; i++)); do
        at=$((RANDOM * 32768 + RANDOM)) at=$((at % $1))
        length=$((1 + RANDOM % (RANDOM % 3 ? 64 : 4096)))
        ((at + length <= $1)) || length=$(($1 - at))
        case $((RANDOM % 6)) in
        0) args+=(-c "write -z $((at * 512)) $((length * 512))") ;;
        1) args+=(-c "write -z -u $((at * 512)) $((length * 512))") ;;
        2) args+=(-c "discard $((at * 512)) $((length * 512))") ;;
        *) args+=(-c "write -P $((1 + RANDOM % 255)) $((at * 512)) $((length * 512))") ;;
        esac
    done
}
chain() { # SHAPE: three layers, the lowest the shortest
    local i sectors
    for i in 1 2 3; do
        sectors=$((2048 * (20 + 5 * i) + i))
        qemu-img create -q -f qcow2 -o "$1" ${below:+-b "$below" -F qcow2} "layer-$i.qcow2" $((sectors * 512)) || return
        random_writes "$sectors"
        qemu-io -d unmap -f qcow2 "${args[@]}" "layer-$i.qcow2" >/dev/null || return
        below=layer-$i.qcow2
    done
}
for shape in cluster_size=1M,extended_l2=on cluster_size=64k cluster_size=16k,extended_l2=on cluster_size=512 cluster_size=2M cluster_size=1M,preallocation=metadata; do
    below=''
    rm -f layer-*
    case $shape in
    *preallocation*)
        qemu-img create -q -f qcow2 -o "$shape" layer-1.qcow2 32M
        qemu-io -f qcow2 -c 'write -P 7 5M 3k' layer-1.qcow2 >/dev/null
        ok "$shape" same layer-1.qcow2 $((32 * MIB))
        ;;
    *)
        require "a chain" chain "$shape"
        for i in 1 2 3; do
            ok "$shape, $i layers" same "layer-$i.qcow2" $((512 * (2048 * (20 + 5 * i) + i)))
        done
        ;;
    esac
done

# Of our shape from here on.
below=''
rm -f layer-*
require "a chain" chain cluster_size=1M,extended_l2=on
size=$((512 * (2048 * 35 + 3)))
ok "again" same layer-3.qcow2 $size
left layer-3.qcow2 $((size + 512)) "another size"
left layer-9.qcow2 $size "a file that is not there"
cp layer-3.qcow2 kept
back() { cp kept layer-3.qcow2; }
qemu-img snapshot -c one layer-3.qcow2
left layer-3.qcow2 $size "a snapshot within"
back
qemu-img create -q -f qcow2 -o cluster_size=1M,extended_l2=on -b layer-3.qcow2 -F qcow2 layer-4.qcow2
qemu-io -f qcow2 -c 'write -c -P 9 0 1M' layer-4.qcow2 >/dev/null
left layer-4.qcow2 $size "a compressed cluster"
qemu-img rebase -u -f qcow2 -F qcow2 -b "$TEST_TMP/layer-2.qcow2" layer-3.qcow2
left layer-3.qcow2 $size "a link with a path"
back
qemu-img rebase -u -f qcow2 -F raw -b layer-2.qcow2 layer-3.qcow2
left layer-3.qcow2 $size "a layer below that is taken for raw"
back
mv layer-1.qcow2 away
left layer-3.qcow2 $size "a layer that is missing"
ln -s away layer-1.qcow2
left layer-3.qcow2 $size "one by a symbolic link"
mv away layer-1.qcow2
truncate -s -1M layer-1.qcow2
"$map_cat" layer-3.qcow2 $size >have
like $? '^[03]$' "one that was cut off"
require "a chain anew" eval 'below= && rm -f layer-* && chain cluster_size=1M,extended_l2=on'
cp layer-3.qcow2 kept

# Locks, as qemu has them.
qemu-nbd -t -f qcow2 -k "$TEST_TMP/s" --pid-file "$TEST_TMP/pid" --fork layer-3.qcow2
at_end 'kill "$(<"$TEST_TMP/pid")" 2>/dev/null || :'
left layer-3.qcow2 $size "one that is being written to"
ok "a layer below that is only read" same layer-2.qcow2 $((512 * (2048 * 30 + 2)))
kill "$(<"$TEST_TMP/pid")"
ok "its writer ends" eventually 30 sh -c "! kill -0 $(<"$TEST_TMP/pid")"
ok "and then it is read" same layer-3.qcow2 $size

# Wrong bytes, most of them where the tables are: it reads something or leaves it, and ends.
bad=0 read_some=0 end=$(stat -c %s kept)
tables=$(qemu-img map --output=json -f qcow2 kept | jq '[.[] | .offset? // empty] | min')
for ((i = 0; i < 60; i++)); do
    back
    for ((j = 0; j < 1 + RANDOM % 4; j++)); do
        at=$(((RANDOM * 32768 + RANDOM) % (RANDOM % 4 ? 112 : RANDOM % 4 ? ${tables:-$end} : end)))
        printf '%b' "\\x$(printf %02x $((RANDOM % 256)))" | dd of=layer-3.qcow2 bs=1 seek=$at conv=notrunc status=none
    done
    "$map_cat" layer-3.qcow2 $size >have 2>err
    rc=$?
    [ $rc -ne 0 ] || read_some=$((read_some + 1))
    case $rc in 0 | 1 | 3) ;; *) bad=$((bad + 1)) && diag "status $rc: $(head -n 5 err)" ;; esac
done
is $bad 0 "60 images with wrong bytes"
diag "$read_some of them were read"
done_testing
