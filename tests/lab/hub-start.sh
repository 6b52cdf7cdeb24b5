#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A fresh machine with the hub installed: what the boot starts, what the bus starts, that nothing is started
# twice, and that stopping is quick and clean.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready

# By the boot.
is "$(hub systemctl is-system-running)" running "the machine is running"
is "$(hub systemctl --failed --no-legend | wc -l)" 0 "no unit has failed"
is "$(hub systemctl is-enabled sendense-hub)" enabled "the hub is enabled by the preset"
is "$(unit sendense-hub StatusText)" "running; database ready" "the status line says what it is"
is "$(prop State)" 's "running"' "the state on the bus is the same"
like "$(hub busctl tree --list "$HUB_NAME")" "^$HUB_PATH\$" "busctl tree shows its object"
is "$(hub ps -o user= -C sendense-hub)" sendense "it runs as its own user"
like "$(hub getent passwd sendense)" ':/usr/sbin/nologin$' "nobody can log in as that user"
is "$(hub stat -c '%U %a' /etc/sendense /var/lib/sendense /run/sendense | xargs)" \
    "root 755 sendense 751 sendense 755" "its folders belong to whom they should"
is "$(hub cat /sys/fs/cgroup/systemd/system.slice/sendense-hub.service/cgroup.procs \
    /sys/fs/cgroup/system.slice/sendense-hub.service/cgroup.procs 2>/dev/null | sort -u | wc -l)" 1 "it has no children"
is "$(hub ss -Hltup | grep -c sendense)" 0 "it listens on no port"

# By the bus.
ok "stop" hub systemctl stop sendense-hub
is "$(unit sendense-hub ActiveState)" inactive "a stopped hub is inactive, not failed"
is "$(hub busctl list --acquired --no-legend | grep -c "^$HUB_NAME ")" 0 "its name is gone from the bus"
like "$(prop Version)" '^s "[0-9]' "a call on the bus starts it"
is "$(unit sendense-hub ActiveState)" active "as the unit"

# Both at once: six starts, one process.
ok "stop again" hub systemctl stop sendense-hub
# shellcheck disable=SC2016 # expanded in the machine
starts=$(in_hub '
    for i in 1 2 3; do
        systemctl start sendense-hub &
        busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager Version &
    done
    wait
    pgrep -cx sendense-hub')
is "$(tail -n 1 <<<"$starts")" 1 "systemctl and the bus at once start one process"
is "$(grep -c '^s "' <<<"$starts")" 3 "and every call is answered"
is "$(unit sendense-hub NRestarts)" 0 "and none of it was a restart"

# Masked: the bus says so, and nothing else happens.
ok "mask" hub systemctl --quiet mask --now --runtime sendense-hub
like "$(prop Version 2>&1)" 'dbus-com.sendense.Hub1.service' "a masked hub is not started by the bus, which names the unit"
is "$(unit sendense-hub ActiveState)" inactive "it stays off"
ok "unmask" hub systemctl --quiet unmask --runtime sendense-hub

# Disabled: it stays off, whoever asks.
ok "disable" hub systemctl --quiet disable --now sendense-hub
like "$(prop Version 2>&1)" 'dbus-com.sendense.Hub1.service not found' "a disabled hub is not started by the bus, which says why"
like "$(hub sendensectl log-level info 2>&1)" 'systemctl enable --now sendense-hub' "sendensectl says what to type"
is "$(unit sendense-hub ActiveState)" inactive "it is still off"
ok "enable" hub systemctl --quiet enable --now sendense-hub

# shellcheck disable=SC2016 # expanded in the machine
msec=$(in_hub '
    systemctl start sendense-hub
    begin=${EPOCHREALTIME/[.,]/}
    systemctl restart sendense-hub && systemctl stop sendense-hub
    echo $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))')
figure "restart and stop together" "$msec" 2000
is "$(unit sendense-hub Result) $(unit sendense-hub ActiveState)" "success inactive" "and end well"
is "$(lab journal hub -q -u sendense-hub -p warning -o cat "MESSAGE_ID=$(message_id hub-stopping)" | wc -l)" 0 \
    "stopping is no warning"
is "$(hub systemctl is-system-running)" running "the machine is still running"

done_testing
