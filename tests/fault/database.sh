#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# MariaDB goes away in the middle of a job: stopped, frozen, with the hub killed meanwhile. The copy goes on without it,
# the job completes when it is back, and what is asked for while it is away is refused clearly or not forgotten.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

# Shorter than by default, so that a frozen server is noticed soon.
fault_up $'[Database]\nConnectTimeoutSec=3\nQueryTimeoutSec=5'
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk $held_disk $held_disk
vm other 4
backup web --type=full

away() { ok "$1: the hub notices" wait_prop "$patience_sec" DatabaseState "s \"unreachable\""; }
back() { ok "$1: the hub has it again" wait_prop "$patience_sec" DatabaseState 's "ready"'; }
copier_ended() { [ "$(unit "sendense-import-$JOB.service" SubState)" = exited ]; }
completes() { # WHAT
    is "$(wait_job)" completed "$1: the job completes" || diag "$(job_error)"
    keep web
    unharmed "$1"
    change web
}

# Stopped in mid-copy; the copy ends while it is away, and only then it comes back.
change web
start_held web
hub systemctl stop mariadb
away "stopped"
running=$JOB
start other
is "$JOB" "" "no backup starts meanwhile"
like "$ANSWER" 'The database is not there: MariaDB at .*is mariadb.service running\?' "and it is said why, and what to do"
JOB=$running
rate web ""
ok "stopped: the copy ends without it" eventually "$patience_sec" copier_ended
hub systemctl start mariadb
back "stopped"
completes "a stopped MariaDB"

# The same, and the hub is killed while it is away.
start_held web
hub systemctl stop mariadb
away "killed meanwhile"
old=$(unit sendense-hub MainPID)
hub /bin/kill -KILL "$old"
gone() { [ "$(unit sendense-hub MainPID)" != "$old" ] && [ "$(unit sendense-hub ActiveState)" = active ]; }
ok "another hub runs" eventually "$patience_sec" gone
copy=$(unit "sendense-import-$JOB.service" MainPID)
ok "the copier runs on" hub /bin/kill -0 "$copy"
rate web ""
ok "and ends" eventually "$patience_sec" copier_ended
hub systemctl start mariadb
back "killed meanwhile"
completes "a stopped MariaDB and a killed hub"

# For 20 s in the middle of a copy that is longer, and once more with the hub killed meanwhile: the copy does not notice.
for what in "20 s" "20 s and a killed hub"; do
    start_held web
    rate web 1000000
    before=$(processes "$JOB")
    begun=${EPOCHREALTIME/[.,]/}
    hub systemctl stop mariadb
    away "$what"
    if [ "$what" != "20 s" ]; then
        old=$(unit sendense-hub MainPID)
        hub /bin/kill -KILL "$old"
        ok "$what: another hub runs" eventually "$patience_sec" gone
    fi
    while [ $((${EPOCHREALTIME/[.,]/} - begun)) -lt 20000000 ]; do sleep 0.2; done
    is "$(processes "$JOB")" "$before" "$what: the copy goes on, by the same processes"
    hub systemctl start mariadb
    back "$what"
    ok "$what: the job copies still" wait_state copying
    is "$(processes "$JOB")" "$before" "$what: by the same processes"
    rate web ""
    completes "$what without MariaDB"
done

# Stopped while the job finishes.
hold image finish
start web
ok "the step finish waits" eventually "$patience_sec" held image finish
hub systemctl stop mariadb
away "while finishing"
release
hub systemctl start mariadb
back "while finishing"
completes "a MariaDB stopped while the job finishes"

# Frozen: it takes connections and answers nothing.
start_held web
hub systemctl kill -s STOP mariadb
away "frozen"
# The bus is answered all the same.
figure "frozen: the hub answers in" "$(wait_prop "$patience_sec" DatabaseState 's "unreachable"')" 1000
rate web ""
ok "frozen: the copy ends without it" eventually "$patience_sec" copier_ended
hub systemctl kill -s CONT mariadb
back "frozen"
completes "a frozen MariaDB"

# A cancellation while it is away: refused clearly, or done once it is back.
start_held web
hub systemctl stop mariadb
away "cancelled meanwhile"
answer=$(hub sendensectl job cancel "$JOB" 2>&1)
rc=$?
diag "the answer to the cancellation, status $rc: $answer"
hub systemctl start mariadb
back "cancelled meanwhile"
if [ "$rc" -eq 0 ]; then
    is "$(wait_job)" cancelled "what was promised is done: the job is cancelled"
else
    like "$answer" 'database|MariaDB' "the cancellation is refused, and it is said why"
    ok "and can be asked for again" hub sendensectl job cancel "$JOB"
    is "$(wait_job)" cancelled "and is done"
fi
rate web ""
unharmed "a cancellation without MariaDB"

# One that comes while the hub does not know yet that it is away: "yes" is said only of what is written. The hub takes its time to
# notice, and who asks comes at once.
settings $'[Database]\nConnectTimeoutSec=8\nQueryTimeoutSec=10'
start_held web
# shellcheck disable=SC2016 # expanded in the machine
answer=$(in_hub 'systemctl kill -s STOP mariadb
    busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager DatabaseState >/run/noticed
    exec sendensectl job cancel "$1" 2>&1' "$JOB")
is "$?" 1 "a cancellation that cannot be written is not promised"
is "$(hub cat /run/noticed)" 's "ready"' "the hub had not noticed yet"
like "$answer" 'The database was lost before the cancellation was written; it is done when the database is back' \
    "and it is said what becomes of it"
hub systemctl kill -s CONT mariadb
back "cancelled at its loss"
is "$(wait_job)" cancelled "the hub lives on, and does it"
rate web ""
unharmed "a cancellation at the loss of MariaDB"
start_held web
ok "one that is answered" hub sendensectl job cancel "$JOB"
is "$(hub mariadb --skip-column-names --batch sendense -e "SELECT ending FROM backup_jobs WHERE id = $JOB")" cancelled "is written"
is "$(wait_job)" cancelled "and done"
rate web ""
change web
backup web
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "an incremental follows"
unharmed "all of it"
done_testing
