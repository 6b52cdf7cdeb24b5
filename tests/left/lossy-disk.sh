#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lossy disk: what was flushed survives a power cut, what was not is gone or torn as the seed says, ext4 comes back
# by its journal, and nothing is left mounted, attached or running, whatever state it is destroyed in.

. "$(dirname "$0")/../lib/tap.sh"

LOSSY=$SENDENSE_SRC/tests/lib/lossy-disk
export LOSSY_PLUGIN=$SENDENSE_BUILD/tests/lib/lossy.so

[ "$EUID" -eq 0 ] || skip_all "mounting takes root"
for device in /dev/fuse /dev/loop-control; do
    [ -c "$device" ] || skip_all "there is no $device here"
done
[ -e "$LOSSY_PLUGIN" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"

disk=$TEST_TMP/disk
mnt=$disk/mnt
at_end 'for dir in "$TEST_TMP"/disk*; do [ ! -e "$dir" ] || "$LOSSY" destroy "$dir"; done'

# left_of DIR ID: processes, mounts and loop devices of a disk.
left_of() {
    pgrep -f -- "$1/nbd.sock"
    grep -F " $1" /proc/self/mountinfo
    grep -F "disk-$2" /sys/block/loop*/loop/backing_file 2>/dev/null
}
cut() { "$LOSSY" power-cut "$disk" "$@" && "$LOSSY" remount "$disk"; }
unflushed() { "$LOSSY" status "$disk" | sed 's/.*, \([0-9]*\) blocks not flushed/\1/'; }
checked() { "$LOSSY" umount "$disk" && e2fsck -fn "$disk/disk" && "$LOSSY" mount "$disk"; }

require "create" "$LOSSY" create "$disk" 64M
require "mount" "$LOSSY" mount "$disk"
id=$(cat "$disk/id")
is "$("$LOSSY" status "$disk")" "mounted on $mnt, 0 blocks not flushed" "status"

# What a program may rely on.
echo old >"$mnt/name" && echo kept >"$mnt/synced" && sync "$mnt/name" "$mnt/synced" "$mnt"
echo new >"$mnt/name.tmp" && sync "$mnt/name.tmp" && mv "$mnt/name.tmp" "$mnt/name"
echo lost >"$mnt/unsynced"
is "$(cat "$mnt/name")" new "before the cut the new name is there"
ok "power cut" cut
is "$(cat "$mnt/synced" 2>&1)" kept "what was synced is there"
ok "what was not synced is gone" test ! -e "$mnt/unsynced"
is "$(cat "$mnt/name")" old "a rename without sync of the folder is undone"
mv "$mnt/name.tmp" "$mnt/name" && sync "$mnt"
ok "power cut" cut
is "$(cat "$mnt/name")" new "with it, the rename stays"
ok "ext4 finds nothing wrong after the replay" checked
echo more >"$mnt/clean"
ok "a clean umount and mount" checked
is "$(cat "$mnt/clean")" more "lose nothing"

# The flush, and nothing else, makes durable: the same without barriers loses what fsync(2) promised.
echo kept >"$mnt/barrier" && sync "$mnt/barrier"
is "$(unflushed)" 0 "fsync arrives at the disk as a flush"
"$LOSSY" umount "$disk"
ok "mount without barriers" "$LOSSY" mount "$disk" --mount-options nobarrier
echo promised >"$mnt/nobarrier" && sync "$mnt/nobarrier"
like "$(unflushed)" '^[1-9]' "fsync without a flush leaves blocks in the disk's cache"
ok "power cut" cut
is "$(cat "$mnt/barrier")" kept "what was flushed before is there"
ok "what was only written is gone, in spite of fsync" test ! -e "$mnt/nobarrier"

# Any part of the cache may have reached the disk, in any order; the seed decides. O_DIRECT writes past the page cache
# and flushes nothing.
scribble() { # CHAR: 64 blocks of it
    head -c 262144 /dev/zero | tr '\0' "$1" | dd of="$mnt/raw" bs=4k oflag=direct conv=notrunc iflag=fullblock status=none
}
versions() { # one character for each block, ! for a torn one
    od -An -v -c -w4096 "$mnt/raw" | awk '{ c = $1; for (i = 2; i <= NF; i++) if ($i != c) c = "!"; printf "%s", c }'
}
cut_raw() { # KEEP SEED: sets got
    scribble a && sync "$mnt/raw" && scribble b && scribble c && cut --keep "$1" --seed "$2"
    got=$(versions)
}
cut_raw 0 1
is "$got" "$(printf 'a%.0s' {1..64})" "keep 0: nothing that was not flushed"
cut_raw 100 1
is "$got" "$(printf 'c%.0s' {1..64})" "keep 100: all of it"
cut_raw 50 1
first=$got
is "$(fold -w1 <<<"$first" | sort -u | tr -d '\n')" abc "keep 50: some blocks old, some new, some in between"
cut_raw 50 1
is "$got" "$first" "the same seed loses the same"
cut_raw 50 2
[ "$got" != "$first" ]
tap_result $? "another seed loses something else"

# ext4 must survive that, and so must everything that was synced.
for seed in {1..10}; do
    promised=()
    rm -rf "$mnt/work" && mkdir "$mnt/work" && sync "$mnt"
    for n in {1..12}; do
        echo "$seed $n" >"$mnt/work/$n.partial"
        [ $((n % 3)) -ne 0 ] || sync "$mnt/work/$n.partial"
        mv "$mnt/work/$n.partial" "$mnt/work/$n"
        if [ $((n % 4)) -eq 0 ]; then
            sync "$mnt/work/$n" "$mnt/work"
            promised+=("$n")
        fi
    done
    scribble d
    echo unsynced >"$mnt/work/last"
    "$LOSSY" power-cut "$disk" --keep 50 --seed "$seed"
    "$LOSSY" remount "$disk"
    broken=
    for n in "${promised[@]}"; do
        [ "$(cat "$mnt/work/$n" 2>&1)" = "$seed $n" ] || broken+=" $n"
    done
    [ ! -e "$mnt/work/last" ] || broken+=" last"
    is "$broken" "" "seed $seed: all that was synced, nothing of what was not"
    ok "seed $seed: ext4 is whole" checked
done

# Over NBD itself: FUA makes one write durable and no other. Twice, so that a write over a durable one may be lost too.
nbd_cut() { # COMMAND...: runs them against a disk of zeroes in one life of nbdkit, then cuts
    local args=() command
    for command in "$@"; do args+=(-c "$command"); done
    rm -f "$TEST_TMP"/fua.*
    truncate -s 1M "$TEST_TMP/fua.disk"
    nbdkit --unix "$TEST_TMP/fua.sock" --pidfile "$TEST_TMP/fua.pid" "$LOSSY_PLUGIN" file="$TEST_TMP/fua.disk" log="$TEST_TMP/fua.log" &&
        qemu-io -f raw -t none "${args[@]}" "nbd+unix:///?socket=$TEST_TMP/fua.sock" >"$TEST_TMP/fua.out" 2>&1
    kill -KILL "$(cat "$TEST_TMP/fua.pid")"
    nbdkit --unix "$TEST_TMP/fua.sock2" "$LOSSY_PLUGIN" file="$TEST_TMP/fua.disk" log="$TEST_TMP/fua.log" --run true
    content=$(od -An -v -tx1 -w4096 "$TEST_TMP/fua.disk" | awk '{ printf "%s", substr($1, 2) }' | head -c 6)
}
# qemu-io flushes when it ends; killed in the middle it cannot.
nbd_cut "write -P 1 0 4k" "write -f -P 2 4k 4k" "write -P 3 8k 4k" "write -P 4 4k 4k" "write -f -P 5 12k 1k" "sigraise 9"
is "$content" 020500 "FUA: that write is kept, also below a later one that is lost"
nbd_cut "write -P 1 0 4k" "flush" "write -P 2 0 4k" "write -P 9 8k 4k" "write -P 3 100 10" "read -P 3 100 10" \
    "read -P 2 0 100" "read -P 2 110 3986" "sigraise 9"
is "$content" 100000 "flush: the write before it is kept, the ones after are not"
unlike "$(cat "$TEST_TMP/fua.out")" "failed" "and before the cut everything reads as it was written"

# Whoever has a file open does not save it, and does not keep the disk.
exec {held}>"$mnt/held"
echo text >&"$held"
ok "power cut under an open file" "$LOSSY" power-cut "$disk"
ok "remount, with the old one still held" "$LOSSY" remount "$disk"
ok "the file is gone" test ! -e "$mnt/held"
exec {held}>&-
exec {held}>"$mnt/held"
out=$("$LOSSY" destroy "$disk" 2>&1)
is "$? $(grep -c 'stays until the last file' <<<"$out")" "1 1" "destroy under an open file says that its loop device is left"
exec {held}>&-
gone() { [ -z "$(left_of "$disk" "$id")" ]; }
ok "and it goes with the file" eventually 30 gone
is "$(ls -d "$disk" 2>/dev/null)" "" "destroyed"

# A script that is killed at any moment leaves nothing that destroy does not find.
for delay in 0.005 0.02 0.03 0.04 0.05 0.06 0.08; do
    disk=$TEST_TMP/disk-$delay
    setsid bash -c "'$LOSSY' create '$disk' 32M && '$LOSSY' mount '$disk' && '$LOSSY' power-cut '$disk' && '$LOSSY' mount '$disk'" >/dev/null 2>&1 &
    pid=$!
    sleep "$delay"
    # The script and its helpers die, the daemons of the disk have sessions of their own.
    kill -KILL -- "-$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    id=$(cat "$disk/id" 2>/dev/null || echo none)
    ok "killed after $delay s: destroy" "$LOSSY" destroy "$disk"
    ok "nothing is left" eventually 30 gone
done
ok "destroy of what is not there" "$LOSSY" destroy "$TEST_TMP/disk-none"

# Refusals.
mkdir "$TEST_TMP/precious" && echo data >"$TEST_TMP/precious/file"
not_ok "destroy removes no other folder" "$LOSSY" destroy "$TEST_TMP/precious"
ok "its file is there" test -e "$TEST_TMP/precious/file"
not_ok "create takes no other folder" "$LOSSY" create "$TEST_TMP/precious" 32M
not_ok "an unknown verb" "$LOSSY" unplug "$TEST_TMP/precious"
not_ok "keep 101" "$LOSSY" power-cut "$TEST_TMP/precious" --keep 101
not_ok "a disk of no size" "$LOSSY" create "$TEST_TMP/disk-odd" many
done_testing
