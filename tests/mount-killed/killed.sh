#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A hub that is killed while a backup is being mounted or a mount ended, at moments from the first to the last: it goes on where
# it was, nobody is shown anything else than the backup, and in the end nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm twins 16 8
backup twins --type=full
backup=$(job .BackupId)

call() { # METHOD SIGNATURE ARGUMENT...: a call that may lose its answer
    busctl=(busctl --timeout=10 call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" "$@")
}
# killed_after MSEC: has the hub killed so long after the call, in the machine.
killed_after() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub '"${@:2}" >/dev/null 2>&1 & sleep "$1"; systemctl kill -s KILL sendense-hub.service; wait' "$(printf '0.%03d' "$1")" "${busctl[@]}"
    hub_ready
}
mounts() { hub sendensectl --json mount list | jq -c '[.[] | select(.Served)]'; }
n_open() { hub sendensectl --json job list | jq '[.[] | select(.State | IN("completed", "failed", "cancelled") | not)] | length'; }
all_served() { [ "$(mounts | jq length)" = "$(n_open)" ]; }
none_open() { [ "$(n_open)" = 0 ]; }

made=0
for after in 10 50 90 140 200 320; do
    call MountBackup 'sa{sv}' "$backup" 0
    killed_after "$after"
    ok "killed $after ms after the call, what was begun is mounted" eventually "$patience_sec" all_served
    while read -r uri; do
        made=$((made + 1))
        ok "and is the backup" hub qemu-img compare -q -f raw -F raw "/srv/kept/$backup-2000.raw" "$uri"
    done < <(mounts | jq -r '.[].Disks[] | select(.Key == 2000).Uri')
    for job in $(mounts | jq -r '.[].Job'); do
        call UnmountBackup 'ta{sv}' "$job" 0
        killed_after $((after / 4))
    done
    # One that was not written down before the death is still there.
    for job in $(mounts | jq -r '.[].Job'); do
        ok "it is ended" hub sendensectl backup umount "$job"
    done
    ok "and in the end nothing is mounted" eventually "$patience_sec" none_open
done
ok "some of them were mounted" test "$made" -gt 0
diag "$made of 6 were"
is "$(hub sendensectl --json job list | jq -r '[.[] | select(.Type == "mount").State] | unique | join(" ")')" completed "every job of a mount is completed"
fault_baseline
unharmed "all this"

done_testing
