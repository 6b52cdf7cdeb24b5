#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The power is cut at each durable step of delete, on a disk that loses what was not flushed: every backup that has a record
# reads as before, and delete, run again, ends it.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"

LOSSY=$SENDENSE_SRC/tests/lib/lossy-disk
export LOSSY_PLUGIN=$SENDENSE_BUILD/tests/lib/lossy.so
for device in /dev/fuse /dev/loop-control; do
    [ -c "$device" ] || skip_all "there is no $device here"
done
[ -e "$LOSSY_PLUGIN" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"
. "$(dirname "$0")/../merge/merge.bash"

disk=$TEST_TMP/disk
repo=$disk/mnt/repo
at_end '"$LOSSY" destroy "$disk"'
cut_power() { "$LOSSY" power-cut "$disk" "$@" && "$LOSSY" remount "$disk"; }
# The whole disk as it was, in place of it.
put_back() {
    "$LOSSY" power-cut "$disk"
    cp --sparse=always "$fast/written" "$disk/disk"
    "$LOSSY" mount "$disk"
}

require "create" "$LOSSY" create "$disk" 96M
require "mount" "$LOSSY" mount "$disk"
chmod 755 "$disk" "$disk/mnt"
chain_mixed
before=$(contents)
"$LOSSY" umount "$disk"
cp --sparse=always "$disk/disk" "$fast/written"
"$LOSSY" mount "$disk"
is "$(contents)" "$before" "what was committed is there"

hits_of delete "$(spec_delete $b)"
is "$rc" 0 "deleted"
want=$(without $b <<<"$before")
cut_power
is "$(contents)" "$want" "a power cut after a deletion takes nothing"
ok "and scan finds nothing wrong" in_order

delete=$(spec_delete $b)
bad='' n=0 n_there=0
for hit in $hits; do
    n=$((n + 1))
    put_back
    kill_at "$hit" delete "$delete"
    # Nothing of the cache, half of it, or all of it, by turns.
    cut_power --keep $((n % 3 * 50)) --seed $n
    [ "$(contents | without $b)" = "$want" ] || bad+=$'\n'"$hit: a backup reads otherwise"
    if [ -e "$repo/$VM/backups/$b.json" ]; then
        n_there=$((n_there + 1))
        [ "$(contents)" = "$before" ] || bad+=$'\n'"$hit: the backup has its record and reads otherwise"
    fi
    image delete "$delete" || bad+=$'\n'"delete after $hit: $out"
    cut_power
    [ "$(contents)" = "$want" ] || bad+=$'\n'"delete after $hit: a backup reads otherwise"
    in_order || bad+=$'\n'"$hit: scan at the end"
done
is "$bad" "" "the power cut at each of $n places: what has a record reads as before"
diag "the deleted one had its record $n_there times"
ok "both sides of the point of no return were seen" test $n_there -ge 1 -a $n_there -lt "$n"
done_testing
