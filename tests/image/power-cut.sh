#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The power is cut at each durable step of commit, on a disk that loses what was not flushed: either the
# record is there, and then all images read back as they were written, or undo leaves nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

LOSSY=$SENDENSE_SRC/tests/lib/lossy-disk
export LOSSY_PLUGIN=$SENDENSE_BUILD/tests/lib/lossy.so
for device in /dev/fuse /dev/loop-control; do
    [ -c "$device" ] || skip_all "there is no $device here"
done
[ -e "$LOSSY_PLUGIN" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"

disk=$TEST_TMP/disk
repo=$disk/mnt/repo
full=backup-web-1700000000
next=backup-web-1700000100
at_end '"$LOSSY" destroy "$disk"'
export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/faults
install -d -m 777 "$SENDENSE_FAULT_POINT_DIR"

# What is flushed is so by our program alone.
write_cache=unsafe
cut_power() { "$LOSSY" power-cut "$disk" "$@" && "$LOSSY" remount "$disk"; }
# The whole disk as it was, in place of it.
back() {
    "$LOSSY" power-cut "$disk"
    cp --sparse=always "$TEST_TMP/written" "$disk/disk"
    "$LOSSY" mount "$disk"
}
# Of the files as they are: a layer whose bytes are the same, above one whose bytes are the same, reads the same.
contents() { # BACKUP-ID
    sha256sum "$(sealed_of "$repo" "$1" 2000)" "$(sealed_of "$repo" "$1" 2001)" 2>&1
}

require "create" "$LOSSY" create "$disk" 48M
require "mount" "$LOSSY" mount "$disk"
chmod 755 "$disk" "$disk/mnt"
repository_make "$repo"
image health "$(spec_health "$repo")"
sync "$disk/mnt"
backup "$repo" $full '' 'write -P 1 0 1M' || diag "$out"
cut_power
image scan "$(spec_health "$repo")"
is "$rc $(field '[.backups, .problems, .n_strays] | join(" ")')" "0 1 0 0" "what was committed is whole after a power cut"
before=$(contents $full)

# finish has promised that the image is on the disk, prepare that the files are.
backup_written "$repo" $next $full 'write -P 2 500k 300k' || diag "$out"
base=$(tree "$repo" | grep -v $next)
cut_power
for key in 2000 2001; do
    image finish "$(spec_disk "$repo" $next $key $full)"
    is "$(jq -Sc .digest "$TEST_TMP/out")" "$(jq -Sc .digest "$TEST_TMP/$next-$key.out")" "disk $key: what was finished is there"
done
"$LOSSY" umount "$disk"
cp --sparse=always "$disk/disk" "$TEST_TMP/written"
"$LOSSY" mount "$disk"

install -m 666 /dev/null "$SENDENSE_FAULT_POINT_DIR/hits"
image_now=$image_faulty image commit "$(spec_commit "$repo" $next $full)"
is "$rc" 0 "commit"
hits=$(cut -d' ' -f1,2 "$SENDENSE_FAULT_POINT_DIR/hits" | tr ' ' :)
rm "$SENDENSE_FAULT_POINT_DIR/hits"
want=$(contents $next)
after=$(tree "$repo")
cut_power
is "$(tree "$repo")" "$after" "a power cut after commit takes nothing"

commit=$(spec_commit "$repo" $next $full) undo=$(spec_undo "$repo" $next) scan=$(spec_health "$repo")
bad='' n=0 n_there=0
for hit in $hits; do
    n=$((n + 1))
    back
    { SENDENSE_FAULT_POINT=$hit:kill image_now=$image_faulty image commit "$commit"; } 2>/dev/null
    [ "$rc" -eq 137 ] || bad+=$'\n'"not killed at $hit: $out"
    # Nothing of the cache, half of it, or all of it, by turns.
    cut_power --keep $((n % 3 * 50)) --seed $n
    if [ -e "$repo/$VM/backups/$next.json" ]; then
        n_there=$((n_there + 1))
        [ "$(contents $next)" = "$want" ] || bad+=$'\n'"$hit: a record, and other content"
        image scan "$scan"
        [ "$(tail -n 1 <<<"$out")" = '{"backups":2,"n_strays":0,"problems":0,"result":"ok","strays":[]}' ] || bad+=$'\n'"$hit: $out"
    elif [ $((n % 2)) -eq 0 ]; then
        image commit "$commit" || bad+=$'\n'"commit after $hit: $out"
        cut_power
        [ "$(contents $next)" = "$want" ] || bad+=$'\n'"commit after $hit: other content"
    else
        image undo "$undo" || bad+=$'\n'"undo after $hit: $out"
        cut_power
        [ "$(tree "$repo")" = "$base" ] || bad+=$'\n'"undo after $hit: $(diff <(echo "$base") <(tree "$repo"))"
    fi
    [ "$(contents $full)" = "$before" ] || bad+=$'\n'"$hit: the backup below is harmed"
done
is "$bad" "" "the power cut at each of $n places: a whole backup or none"
diag "the record was there $n_there times"
ok "both ends were seen" test $n_there -ge 1 -a $n_there -lt "$n"
done_testing
