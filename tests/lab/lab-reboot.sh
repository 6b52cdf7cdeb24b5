#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A machine that is rebooted, from outside or from inside, or that loses its power, comes back by itself with its files
# and a new boot_id. One that is switched off stays off until it is asked to come back.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

boot_id() { on "$1" cat /proc/sys/kernel/random/boot_id; }
boots() { lab status | sed -n "s/^$1 .*boots=\([0-9]*\).*/\1/p"; }
state() { lab status | awk -v name="$1" '$1 == name { print $3 }'; }

lab_up --names "hub node"
# Enabled units of the machine start at every boot: that is what a reboot test is about.
on hub sh -c 'cat >/etc/systemd/system/count.service <<X
[Service]
Type=oneshot
ExecStart=/bin/sh -c "echo started >>/root/starts"
[Install]
WantedBy=multi-user.target
X
systemctl enable -q count.service'
on hub sh -c 'echo kept >/root/file; echo gone >/run/file; sync'
first=$(boot_id hub)
other=$(boot_id node)

# A command that still runs must not keep the machine from ending.
on hub sleep 1000 2>/dev/null &
ok "reboot returns" lab reboot hub
second=$(boot_id hub)
ok "reboot gives a new boot_id" test "$first" != "$second"
is "$(on hub cat /root/file)" kept "files outlive the reboot"
not_ok "/run does not" on hub test -e /run/file
is "$(on hub cat /root/starts)" started "an enabled unit was started by the boot"

on hub sh -c 'echo also kept >/root/file'
ok "crash returns" lab crash hub
third=$(boot_id hub)
ok "crash gives a new boot_id" test "$second" != "$third"
is "$(on hub cat /root/file)" "also kept" "files outlive the crash"
is "$(on hub systemctl is-system-running)" running "hub is healthy after the crash"
is "$(boots hub)" 3 "three boots are counted"

on hub systemctl reboot
ok "systemctl reboot inside brings it back too" lab wait hub 4
fourth=$(boot_id hub)
is "$(boot_id node)" "$other" "node noticed nothing"
for id in "$first" "$second" "$third" "$fourth"; do
    ok "journalctl knows boot ${id%%-*}" grep -q "${id//-/}" <(lab journal hub --list-boots)
done
like "$(on hub journalctl --list-boots --no-pager)" "^ *0 ${fourth//-/}" "inside, the newest boot is the running one"

on node systemctl poweroff
node_is_off() { [ "$(state node)" = off ]; }
ok "a machine that was switched off stays off" eventually 20 node_is_off
like "$(on node true 2>&1)" "node is off.*|remedy" "a command for it is refused with a reason"
ok "reboot starts it again" lab reboot node
is "$(state node)" up "it is up again"
done_testing
