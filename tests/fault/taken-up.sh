#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Jobs that the hub must find in its database by itself: those that are open beside one whose rows cannot be read.

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
