#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Jobs that the hub must find in its database by itself: one that was made while the connection was lost, and back before the loop
# looked; and those that are open beside one whose rows cannot be read.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk
# shellcheck disable=SC2086
vm other $held_disk
backup other --type=full
sql() { hub mariadb --skip-column-names --batch sendense -e "$1"; }

# The loop looks away: its thread stands, the worker's does not. Meanwhile MariaDB ends the connection, the worker makes another,
# and a request is written whose answer nobody gets.
lab copy-in hub "$SENDENSE_SRC/tests/lib/hold-main-thread" /opt/hold-main-thread
lab copy-in hub "$SENDENSE_BUILD/tests/sql/store-run" /opt/store-run
losses() { hub busctl --json=short call "$HUB_NAME" "$HUB_PATH" "$HUB_NAME.Manager" GetFigures 'a{sv}' 0 | jq '.data[0].DatabaseLosses.data'; }
before=$(losses)
connections() { sql "SELECT id FROM information_schema.processlist WHERE user = 'sendense' ORDER BY id" | paste -sd' '; }
connection=$(connections)
like "$connection" '^[0-9]+$' "the hub has one connection"
require "the loop of the hub looks away" hub systemd-run -q -p Type=notify --unit=look-away /opt/hold-main-thread "$(unit sendense-hub MainPID)"
sql "KILL $connection"
another() { [[ "$(connections)" =~ ^[0-9]+$ ]] && [ "$(connections)" != "$connection" ]; }
ok "its connection is lost, and there again" eventually "$patience_sec" another
key=${fault_keys[other]% }
answer=$(in_hub 'setpriv --reuid=sendense --regid=sendense --clear-groups /opt/store-run /etc/sendense/hub.conf <<<"job_create $1" 2>&1' \
    "$(jq -cn --arg key "$key" '{Vm: "other", Repository: "local", BackupType: "full", Principal: "uid:0", EventId: ("0" * 31 + "a"),
    NodesReachable: [], NowUSec: (now * 1000000 | floor), Sources: {($key): "nbd+unix:///?socket=/run/src/other-\($key).sock"}}')")
JOB=$(jq -r '.Id // empty' <<<"$answer")
like "$JOB" '^[0-9]+$' "a job is made whose answer is lost" || diag "$answer"
require "the loop looks again" hub systemctl stop look-away
is "$(wait_job)" completed "the hub finds the job, and does it" || diag "$(job_error)"
keep other
is "$(losses)" $((before + 1)) "the loss is counted"
unharmed "a loss that nobody saw"

# A value in the rows of one job is longer than the hub reads.
change web
start_held web
long=$JOB
change other
start_held other
sql "UPDATE backup_jobs SET vm_state = CONCAT('{\"x\":\"', REPEAT('x', 1100000), '\"}') WHERE id = $long"
old=$(unit sendense-hub MainPID)
hub /bin/kill -KILL "$old"
ok "the hub is killed; the next has its database" eventually "$patience_sec" another_hub "$old"
rate other ""
is "$(wait_job)" completed "the job beside it is taken up, and completes" || diag "$(job_error)"
keep other
hub journalctl --quiet --sync
like "$(lab journal hub --quiet -o cat -u sendense-hub)" "Job $long cannot be read from the database \(E2BIG\): .*its VM stays busy; the others go on" \
    "the journal names the one that cannot be read"
change other
backup other # new ones are made
sql "UPDATE backup_jobs SET vm_state = NULL WHERE id = $long"
rate web ""
require "its row is mended" hub systemctl restart sendense-hub
like "$(wait_job "$long")" '^(completed|failed)$' "and it comes to its end"
JOB=$long
diag "$(job_state): $(job_error)"
keep web
unharmed "all of it"
done_testing
