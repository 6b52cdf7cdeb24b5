#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A hub that dies or hangs is back within 3 s, again and again; one with a wrong config is not tried twice.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready

# back_after SIGNAL: sends it to the hub and asks the bus until another process answers; prints milliseconds.
# Asking must not be what starts it: GetNameOwner starts nothing, and only then is the hub itself called.
back_after() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub '
        old=$(systemctl show --value -p MainPID sendense-hub)
        begin=${EPOCHREALTIME/[.,]/}
        kill -s "$1" "$old"
        owner() {
            pid=$(busctl call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID s "$2" 2>/dev/null) &&
                [ "$pid" != "u $1" ]
        }
        until owner "$old" "$2"; do
            [ $((${EPOCHREALTIME/[.,]/} - begin)) -lt $(($5 * 1000000)) ] || exit 1
            sleep 0.02
        done
        busctl get-property "$2" "$3" "$4" State >/dev/null || exit 1
        echo $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))' \
        "$1" "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" "$patience_sec"
}

for n in 1 2 3; do
    figure "after kill -9 number $n busctl answers" "$(back_after KILL)" 3000
    ok "and ready" wait_prop "$patience_sec" DatabaseState 's "ready"'
done
is "$(unit sendense-hub NRestarts)" 3 "each was one restart"
is "$(hub systemctl --failed --no-legend | wc -l)" 0 "no unit has failed"

# Without a database that answers, it is back as soon.
hub systemctl kill -s STOP mariadb
figure "after kill -9 with a frozen MariaDB busctl answers" "$(back_after KILL)" 3000
hub systemctl kill -s CONT mariadb
ok "and ready once MariaDB is" wait_prop "$patience_sec" DatabaseState 's "ready"'

# It hangs: the watchdog of systemd ends it.
like "$(unit sendense-hub WatchdogUSec)" '^[0-9]+s$' "the unit has a watchdog"
hub mkdir -p /run/systemd/system/sendense-hub.service.d
in_hub 'printf "[Service]\nWatchdogSec=4s\n" >/run/systemd/system/sendense-hub.service.d/test.conf'
hub systemctl daemon-reload
hub systemctl restart sendense-hub
ok "ready with a watchdog of four seconds" wait_prop "$patience_sec" DatabaseState 's "ready"'
pid=$(unit sendense-hub MainPID)
ok "it feeds its watchdog" in_hub 'sleep 9; test "$(systemctl show --value -p MainPID sendense-hub)" = "$1"' "$pid"
figure "a frozen hub is replaced" "$(back_after STOP)" 5000
hub journalctl --quiet --sync
like "$(lab journal hub -u sendense-hub -o cat)" 'Watchdog timeout' "by the watchdog"

# Stopped at moments of its first look at the repository: a unit that systemd is only just starting still finds its files.
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'for ms in 000 020 040 060 080 100 120 140 160 180 200 220 240 260 280 300; do
    systemctl start sendense-hub && sleep "0.$ms" && systemctl stop sendense-hub
    systemctl list-units --failed --plain --no-legend "sendense-*"
done')" "" "stopped right after its start it leaves no unit that has failed"
hub systemctl start sendense-hub

# A wrong config.
in_hub 'mkdir -p /etc/sendense/hub.conf.d; printf "[Exports]\nPorts=10200-10100\n" >/etc/sendense/hub.conf.d/50-test.conf'
not_ok "a hub with a wrong config does not start" hub systemctl restart sendense-hub
is "$(unit sendense-hub ExecMainStatus)" 78 "its status is 78"
is "$(unit sendense-hub ActiveState) $(unit sendense-hub Result)" "failed exit-code" "the unit has failed"
n=$(unit sendense-hub NRestarts)
# The message bus would wait 25 s for a name that never comes; the hub tells its callers before it ends.
ask() { hub busctl --timeout=60 call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" "$@" 2>&1; }
begin=${EPOCHREALTIME/[.,]/}
like "$(ask GetStatus 'a{sv}' 0)" "its settings are wrong, 'sendensectl config check' names the line" \
    "a call that starts it is told what is wrong"
figure "after the call the caller knows" $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) 3000
like "$(hub setpriv --reuid=nobody --regid=nogroup --clear-groups sendensectl status 2>&1)" \
    'the hub cannot be started: its settings are wrong' "so is sendensectl, for anybody"
failed() { [ "$(unit sendense-hub ActiveState)" = failed ]; }
ok "then it has failed again" eventually "$patience_sec" failed
is "$(unit sendense-hub ExecMainStatus)" 78 "with the same status"
is "$(unit sendense-hub NRestarts)" "$n" "and systemd does not try again by itself"
hub journalctl --quiet --sync
lines=$(lab journal hub -u sendense-hub -o cat "MESSAGE_ID=$(message_id config-invalid)" | sort -u)
is "$(wc -l <<<"$lines")" 1 "the journal has one line about it"
like "$lines" '^/etc/sendense/hub.conf.d/50-test.conf:2: \[Exports\] Ports=10200-10100.*must be' \
    "that names file, line, section, key, value and what would be right"
hub rm /etc/sendense/hub.conf.d/50-test.conf
ok "with the line gone it starts" hub systemctl start sendense-hub
is "$(hub systemctl is-system-running)" running "the machine is running"

done_testing
