#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# PID 1 executes itself anew, as an update of systemd has it do, in each step of a job and again and again through whole ones:
# it is off the bus for moments, in which calls stay without an answer and ends without a signal. Jobs go on all the same, and
# a copy does not notice.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk 16
backup web --type=full

# Once, in each step.
for step in "image prepare" "image create" "export" "image finish" "image commit"; do
    change web
    # shellcheck disable=SC2086 # two words
    hold $step
    start web || fail "a backup starts" "$ANSWER"
    # shellcheck disable=SC2086
    ok "$step: it waits" eventually "$patience_sec" held $step
    ok "$step: PID 1 executes itself anew" hub systemctl daemon-reexec
    release
    is "$(wait_job)" completed "$step: the job completes" || diag "$(job_error)"
    keep web
    unharmed "$step"
done
change web
start_held web
copier=$(unit "sendense-import-$JOB.service" MainPID)
ok "in the copy: PID 1 executes itself anew" hub systemctl daemon-reexec
is "$(unit "sendense-import-$JOB.service" MainPID)" "$copier" "in the copy: the copier is the same process"
is "$(job_state)" copying "in the copy: it goes on"
rate web ""
is "$(wait_job)" completed "in the copy: the job completes" || diag "$(job_error)"
keep web
unharmed "the copy"

# What it said while it was away is lost: here the bus keeps its JobRemoved from the hub, which must look by itself when PID 1 is
# back.
bus_rule=/etc/dbus-1/system.d/90-deaf.conf
reload_bus() { hub busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig; }
change web
hold image finish
start web || fail "a backup starts" "$ANSWER"
ok "a signal is lost: the check waits" eventually "$patience_sec" held image finish
hub install -m 644 /dev/stdin "$bus_rule" <<'RULE'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="sendense">
    <deny receive_interface="org.freedesktop.systemd1.Manager" receive_member="JobRemoved"/>
  </policy>
</busconfig>
RULE
require "the bus keeps it from the hub" reload_bus
hub rm /run/hold
# It was lost when both have ended.
ended() { [ "$(unit "sendense-image-$JOB-finish-2000.service" SubState) $(unit "sendense-image-$JOB-finish-2001.service" SubState)" = "exited exited" ]; }
ok "a signal is lost: the check ends" eventually "$patience_sec" ended
hub rm "$bus_rule"
require "the bus lets it through again" reload_bus
is "$(job_state)" finishing "a signal is lost: the hub waits"
ok "a signal is lost: PID 1 executes itself anew" hub systemctl daemon-reexec
is "$(wait_job)" completed "a signal is lost: the job completes" || diag "$(job_error)"
release
hub systemctl daemon-reload
keep web
unharmed "a lost signal"

# Again and again.
for round in 1 2 3 4 5; do
    change web
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'while [ ! -e /run/enough ]; do
            systemctl daemon-reexec
            echo >>/run/reexecs
            # A PID 1 that nobody ever gets an answer from is another matter.
            systemctl show -p Version; systemctl list-units "sendense-*"
        done' >/dev/null 2>&1 &
    start web || fail "a backup starts" "$ANSWER"
    is "$(wait_job)" completed "round $round: beside a PID 1 that is ever anew the job completes" || diag "$(job_error)"
    hub touch /run/enough
    wait $!
    ok "round $round: PID 1 has come to rest" eventually "$patience_sec" hub systemctl list-units 'sendense-*'
    diag "round $round: $(hub sh -c 'wc -l </run/reexecs; rm /run/reexecs /run/enough') times"
    keep web
done
unharmed "all of it"
done_testing
