#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A job cancelled in every state. Each step is held by a drop-in for this very unit, which waits before its program
# begins, or by a source that gives nothing; so the job is where the test believes it to be.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

# held JOB UNITS: a drop-in for the units of that job whose names begin so, which keeps them from starting.
held() {
    hub install -D -m 644 /dev/stdin "/run/systemd/system/$1.service.d/90-hold.conf" <<'HOLD'
[Service]
ExecStartPre=/bin/sleep infinity
TimeoutStartSec=infinity
HOLD
    hub systemctl daemon-reload
}
let_go() {
    in_hub 'rm -r /run/systemd/system/sendense-*.service.d'
    hub systemctl daemon-reload
}

# is_starting UNIT
is_starting() { [ "$(unit "$1" ActiveState)" = activating ]; }

# cancelled WHAT STATE: cancels JOB, which is there; nothing of it stays.
cancelled() {
    is "$(job_state)" "$2" "$1: the job is $2"
    ok "$1: it is cancelled" hub sendensectl job cancel "$JOB"
    is "$(wait_job)" cancelled "$1: and ends so"
    like "$(job_error)" '^Cancelled: Cancelled by uid:0' "$1: its error says by whom"
    is "$(job '[.Disks[].State] | unique | join(" ")')" cancelled "$1: so are its disks"
    like "$(job '[.Events[] | select(.Reason | test("Cancelled by")) | "\(.Principal) \(.From)"] | join(",")')" \
        "^uid:0[^,]* $2\$" "$1: its history has who did it, and when"
    not_ok "$1: a second time it is refused" hub sendensectl job cancel "$JOB"
}

fault_up
vm small 8 4
backup small
last=$JOB

# step WHAT STATE UNIT: a backup whose unit of that name is held.
step() {
    change small
    JOB=$((last + 1))
    held "${3//JOB/$JOB}"
    start small || fail "a backup starts" "$ANSWER"
    is "$JOB" $((last + 1)) "$1: the next job"
    last=$JOB
    ok "$1: it comes as far as its unit" eventually "$patience_sec" is_starting "${3//JOB/$JOB}.service"
    cancelled "$1" "$2"
    let_go
    unharmed "$1"
}
step "the repository is prepared" preparing sendense-image-JOB-prepare
step "an image is made" preparing sendense-image-JOB-create-2001
step "an export starts" exporting sendense-export-JOB-2000
step "the copier starts" copying sendense-import-JOB
step "an image is checked" finishing sendense-image-JOB-finish-2000
step "the backup is committed" finishing sendense-image-JOB-commit

# Cancelled when its commit record exists already: it completes, and nothing speaks of an end that it has not.
change small
JOB=$((last + 1))
hub install -D -m 644 /dev/stdin "/run/systemd/system/sendense-image-$JOB-commit.service.d/90-hold.conf" <<'HOLD'
[Service]
ExecStartPost=/bin/sleep infinity
TimeoutStartSec=infinity
HOLD
hub systemctl daemon-reload
start small || fail "a backup starts" "$ANSWER"
last=$JOB
has_committed() { [ "$(unit "sendense-image-$JOB-commit.service" SubState)" = start-post ]; }
ok "the record exists" eventually "$patience_sec" has_committed
hub sendensectl job cancel "$JOB" >"$TEST_TMP/cancel" 2>&1
diag "$(<"$TEST_TMP/cancel")"
finish_backup small
is "$(hub busctl get-property "$HUB_NAME" "$HUB_PATH/job/$JOB" "$HUB_NAME.Job" Ending)" 's ""' "the record exists: and is not to be cancelled any more"
unlike "$(hub sendensectl job show "$JOB")" 'to be cancelled' "the record exists: nor is that said"
let_go
unharmed "the record exists"

# In the middle of the copy.
change small
rate small 500000
start small --type=full
last=$JOB
ok "a copy is under way" wait_state copying
cancelled "the copy runs" copying
rate small 0
unharmed "the copy runs"

# Its sources are frozen: nobody answers the copier.
freeze_sources small
start small
last=$JOB
ok "a copy waits for its sources" wait_state copying
cancelled "the sources are frozen" copying
thaw_sources small
unharmed "the sources are frozen"

# Ended by somebody else, in the database: the hub hears of it when it writes, and tells whoever waits for the end.
change small
rate small 500000
start small --type=full
last=$JOB
ok "a copy is under way" wait_state copying
require "somebody listens" hub systemd-run --quiet --unit=ears -p StandardOutput=truncate:/run/ears \
    dbus-monitor --system "type=signal,sender=com.sendense.Hub1,member=JobRemoved"
ok "to the bus" eventually "$patience_sec" hub test -s /run/ears
hub mariadb sendense -e "UPDATE backup_disks SET state = 'failed' WHERE job_id = $JOB;
    UPDATE backup_jobs SET state = 'failed', error_name = 'com.sendense.Error.Failed', error_text = 'by hand', finished_usec = 1 WHERE id = $JOB"
not_ok "its cancellation is refused" hub sendensectl job cancel "$JOB"
told() { in_hub 'tr -s " \n" " " </run/ears | grep -qE "uint64 $1 object path \"[^\"]*/job/$1\" string \"failed\""' "$JOB"; }
ok "JobRemoved tells that it failed" eventually "$patience_sec" told || diag "$(hub cat /run/ears)"
is "$(prop Jobs)" "u 0" "and no job is open"
hub systemctl stop ears.service
rate small 0
ok "what it has left is undone" hub sendensectl cleanup
unharmed "an end that somebody else wrote"

# At each change of state that it announces, as fast as a program can.
change small
mapfile -t sources < <(uris small)
for state in preparing exporting copying finishing; do
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'exec 3< <(timeout "$2" dbus-monitor --system "type=signal,sender=com.sendense.Hub1,member=PropertiesChanged" 2>&1)
        read -r -u 3
        sendensectl backup start small "${@:3}" >/run/started || exit 1
        id=$(sed -nE "s/^job ([0-9]+)\..*/\1/p" /run/started)
        while read -r -u 3 line; do
            case $line in
            *"string \"$1\""*) break ;;
            esac
        done
        sendensectl job cancel "$id"; echo "$id" >/run/cancelled; exit 0' "$state" "$patience_sec" "${sources[@]}" >/dev/null 2>&1
    JOB=$(hub cat /run/cancelled)
    like "$(wait_job)" '^(cancelled|completed)$' "cancelled at the news that it is $state, it ends"
    diag "cancelled at the news of $state it is $(job_state)"
    if [ "$(job_state)" = completed ]; then
        finish_backup small
    fi
    unharmed "at the news of $state"
done

change small
backup small
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "after all of this the chain goes on"
unharmed "all of this"

done_testing
