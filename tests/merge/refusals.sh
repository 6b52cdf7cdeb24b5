#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What delete refuses, and that it has changed nothing then: the last sound backup, layers in use, damaged ones, no room,
# another process at work; and delete-undo, which ends what was begun.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

chain_mixed
keep base
want=$(truth) bad=''

# refused NAME ERROR TEXT BACKUP-ID: as `fails`, and nothing has changed.
refused() {
    fails "$1" "$2" "$3" delete "$(spec_delete "$4")"
    image delete-undo "$(spec_delete "$4")"
    is "$rc $(field .outcome)" "0 kept" "$1: delete-undo keeps it"
    is "$(truth)" "$now" "$1: nothing has changed"
}

# Damage: only what is sound is merged.
damage() { # FILE OFFSET
    chmod u+w "$1"
    printf 'damage' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
    chmod u-w "$1"
}
# data_of BACKUP-ID KEY GUEST-OFFSET: where it lies in the file of that layer.
data_of() {
    qemu-img map --output=json -f qcow2 "$(sealed_of "$repo" "$1" "$2")" |
        jq -r --argjson at "$3" 'map(select(.start <= $at and .start + .length > $at))[0] | .offset + $at - .start'
}
image_damage=$(sealed_of "$repo" $c 2000)
damage "$image_damage" "$(data_of $c 2000 $((18 * MIB + 77077)))"
now=$(truth)
refused "a flipped byte in the layer above one that it goes into" ImageDamaged "backup-web-1700000200.qcow2 does not read as the digests" $b
refused "a flipped byte in the layer itself" ImageDamaged "does not read as the digests.*from the newest one down" $c
want_contents=$(contents | without $d)
image delete "$(spec_delete $d)"
is "$rc" 0 "the newest above it can be deleted" || diag "$out"
is "$(contents)" "$want_contents" "and the others are as they were"
back base
truncate -s -65536 "$(sealed_of "$repo" $b 2000)"
now=$(truth)
refused "a truncated layer" ImageDamaged "the image's file has [0-9]+ bytes, the record" $b
back base
rm "$(sealed_of "$repo" $b 2001)"
now=$(truth)
refused "a missing layer" ImageDamaged "the layer below, $b.qcow2" $c
back base
chmod u+w "$(folder_of "$repo" 2001)/$b.json"
sed -i 's/"created_usec": 1/"created_usec": 2/' "$(folder_of "$repo" 2001)/$b.json"
chmod u-w "$(folder_of "$repo" 2001)/$b.json"
now=$(truth)
refused "a manifest that was changed" ImageDamaged "not the one that was committed" $b
back base
echo '{' >"$repo/$VM/backups/backup-web-1.json"
now=$(truth)
fails "a record that cannot be read" Failed "backup-web-1.json is damaged.*nobody knows what it builds on" delete "$(spec_delete $d)"
is "$(truth)" "$now" "and nothing has changed"

# A backup stands on all of its layers: where the full one is damaged, no other of its chain is left to restore.
back base
f=backup-web-1700000400
backup "$repo" $f '' 'write -P 41 2M 1M'
truncate -s -65536 "$(sealed_of "$repo" $a 2001)"
now=$(truth)
refused "the only backup that stands on nothing damaged" LastBackup "^$f is the last sound backup of its VM.*force" $f
image delete "$(spec_delete $d)"
is "$rc $(field .outcome)" "0 deleted" "one of the damaged chain goes" || diag "$out"
image delete "$(spec_delete $f force)"
is "$rc $(field .outcome)" "0 deleted" "by force the last sound one goes" || diag "$out"
now=$(truth)
refused "the damaged ones without another" LastBackup "^$c is not sound, but neither is any other" $c
back base
backup "$repo" $f '' 'write -P 41 2M 1M'
image delete "$(spec_delete $f)"
is "$rc $(field .outcome)" "0 deleted" "beside a sound chain it goes" || diag "$out"

# In use.
back base
now=$(truth)
hold() { # FILE: has it open as qemu does
    qemu-nbd -r -t -k "$TEST_TMP/hold.socket" --pid-file "$TEST_TMP/hold.pid" -f qcow2 "$1" &
    at_end "kill $! 2>/dev/null || :"
    eventually 30 test -s "$TEST_TMP/hold.pid"
}
hold "$(sealed_of "$repo" $d 2000)"
refused "a chain that is served" ImageBusy "fuser -v" $b
kill "$(<"$TEST_TMP/hold.pid")"
wait
rm -f "$TEST_TMP/hold.pid"
exec {lock}<"$repo/$VM"
flock "$lock"
fails "another process at work on the VM" VmBusy "another process changes the backups" delete "$(spec_delete $b)"
exec {lock}<&-
is "$(truth)" "$now" "and nothing has changed"

# A backup that is being made builds on it.
image prepare "$(spec_prepare "$repo" backup-web-1700000900)"
image create "$(spec_disk "$repo" backup-web-1700000900 2001 $d)"
now=$(truth)
refused "a backup is being made above it" VmBusy "backup-web-1700000900.qcow2.partial builds on it" $d
image undo "$(spec_undo "$repo" backup-web-1700000900)"
is "$(truth)" "$want" "which can be undone"

# No room: told before anything is made. The tmpfs is made as small as what lies in it.
used=$(df --output=used -B1 "$fast" | tail -n 1)
mount -o "remount,size=$((used + 200 * 1024))" "$fast"
now=$(truth)
refused "no room" RepositoryFull "MiB free and to merge the layers of $b needs up to" $b
mount -o remount,size=256M "$fast"

# undo and prepare do not take a backup for one without a record whose deletion has begun.
kill_at delete.mark.after:1 delete "$(spec_delete $b)"
is "$bad" "" "killed when its record has the other name"
want=$(contents)
for id in $b $c; do
    image undo "$(spec_undo "$repo" "$id")"
    is "$rc $(field .outcome)" "0 committed" "undo of ${id##*-} touches nothing"
done
fails "prepare" Exists "is a finished backup" prepare "$(spec_prepare "$repo" $b)"
is "$(contents)" "$want" "the others read as before"
image scan "$(spec_health "$repo")"
is "$rc $(field '[.backups, .problems, .n_strays] | join(" ")')" "0 3 1 0" "scan: three backups, and one thing to say" || diag "$out"
like "$out" "$VM/backups/$b.deleting\",\"problems\":\[\"the deletion of $b was begun" "and says it"
image delete "$(spec_delete $d)"
is "$rc $(field .outcome)" "0 deleted" "another deletion in that VM" || diag "$out"
is "$(backups | paste -sd' ')" "$a $c" "ends the one that was begun, and does its own"
is "$(contents)" "$(without $d <<<"$want")" "what remains reads as before"
ok "and all is in order" in_order

fails "a force that is none" InvalidArgument "force" delete "$(spec_delete $a | jq -c '. + {force: 1}')"
done_testing
