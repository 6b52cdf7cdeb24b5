#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The device that is looked at, found empty and written is one: a path that leads to another one meanwhile changes nothing. And a
# device that cannot be read counts as one that holds something.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

repository_make "$repo"
image health "$(spec_health "$repo")"
id=backup-web-1
require "a backup" layer $id '' 'write -P 1 0 9M' 'write -P 2 20M 1M'

device() { # NAME: sets dev
    [ -e "$TEST_TMP/$1" ] || truncate -s 66M "$TEST_TMP/$1"
    dev=$(losetup --show -f "$TEST_TMP/$1") && at_end "losetup -d $dev"
}
device asked || skip_all "no loop devices"
asked=$dev
mkfs.ext4 -q -F "$TEST_TMP/other" 66M >/dev/null 2>&1
device other || skip_all "no second loop device"
other=$dev
head -c 66M /dev/urandom >"$asked"
before=$(sum "$other")

# The first time that it opens the path it is stopped, until the path leads to the other device.
cat >"$TEST_TMP/traced" <<X
#!/bin/sh
exec strace -o "$TEST_TMP/trace" -P "$TEST_TMP/link" -e trace=openat -e inject=openat:signal=SIGSTOP:when=1 "$image_program" "\$@"
X
chmod 755 "$TEST_TMP/traced"
for force in '' yes; do
    rm -f "$TEST_TMP/trace"
    ln -sfn "$asked" "$TEST_TMP/link"
    image_now=$TEST_TMP/traced restore "$(spec_restore $id 2000 "$(target_device "$TEST_TMP/link")")" &
    stopped=$!
    ok "it has opened the device" eventually 60 grep -qs 'stopped by SIGSTOP' "$TEST_TMP/trace"
    ln -sfn "$other" "$TEST_TMP/link"
    kill -CONT "$(pgrep -f "^$image_program restore\$")"
    wait "$stopped"
    is "$(field .result)" ok "the path leads elsewhere meanwhile${force:+, by force}" || diag "$(<"$TEST_TMP/out")"
    is "$(head -c "${capacity[2000]}" "$asked" | sha256sum)" "$(sha256sum <"$kept/$id-2000")" "what was opened has the disk"
    is "$(sum "$other")" "$before" "the other device is as it was"
    head -c 66M /dev/urandom >"$asked"
done
force=

# A hole of any size is written in pieces, since a kernel that writes zeroes can neither be asked how far it is nor ended: each takes a while here.
capacity[2000]=$((1 << 30))
require "a backup that is mostly a hole" layer backup-web-2 '' 'write -P 1 0 1M'
truncate -s 1G "$TEST_TMP/large"
device large
(umask 0 && exec socat -u UNIX-RECV:"$TEST_TMP/socket" STDOUT >"$TEST_TMP/told") &
at_end "kill $!"
require "somebody listens" eventually 10 test -S "$TEST_TMP/socket"
cat >"$TEST_TMP/slow" <<X
#!/bin/sh
exec strace -f -o /dev/null -e trace=ioctl -e inject=ioctl:delay_exit=300000:when=2+ "$image_program" "\$@"
X
chmod 755 "$TEST_TMP/slow"
image_now=$TEST_TMP/slow restore "$(spec_restore backup-web-2 2000 "$(target_device "$dev")" | jq -c --arg path "$TEST_TMP/socket" '. + {progress: $path}')"
is "$rc" 0 "a disk with a large hole is restored" || diag "$out"
ok "and is what it was" cmp -n $((1 << 30)) "$dev" "$kept/backup-web-2-2000"
words() { jq -s '[.[] | select(.disk_key == 2000) | .bytes_done] | unique | .[]' "$TEST_TMP/told"; }
diag "told: $(words | paste -sd' ')"
ok "it has told how far the hole is" test "$(words | awk -v most=$((1 << 30)) '$1 > 1048576 && $1 < most' | wc -l)" -ge 2
is "$(words | tail -n 1) $(jq -s '[.[] | select(.disk_key == 2000).bytes_total] | unique | .[]' "$TEST_TMP/told")" "$((1 << 30)) $((1 << 30))" "and all of the disk in the end"
capacity[2000]=$((64 * MIB))

# The file behind it is cut: what lies there cannot be read.
while read -r where length; do
    device "$where"
    truncate -s "$length" "$TEST_TMP/$where"
    blockdev --flushbufs "$dev"
    refuses "a device whose $where cannot be read" TargetFailed "Cannot read the $where of $dev: Input/output error.*force" "$(spec_restore $id 2000 "$(target_device "$dev")")"
    is "$(stat -c %s "$TEST_TMP/$where")" "$length" "a device whose $where cannot be read: nothing is written"
done <<X
start 0
end $((65 * MIB))
X
force=yes
restore "$(spec_restore $id 2000 "$(target_device "$dev")")"
is "$rc $(head -c "${capacity[2000]}" "$dev" | sha256sum)" "0 $(sha256sum <"$kept/$id-2000")" "by force it is written" || diag "$out"
force=
done_testing
