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
