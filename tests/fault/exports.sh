#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What happens to an export or a copier in the middle of a copy: killed, stopped, deaf, its image deleted, its source
# dead. Each ends the job with the name of what died, within moments, and nothing of it stays.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

# copying: a backup of small that has begun to copy and does not end by itself; sets JOB.
copying() {
    change small
    rate small 1000000
    start small "$@" || fail "a backup starts" "$ANSWER"
    ok "a copy is under way" wait_state copying
    # shellcheck disable=SC2016 # expanded in the machine
    ok "and has copied something" in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $2))
        until [ "$(sendensectl job show "$1" --json | jq ".BytesDone // 0")" -gt 0 ]; do
            [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1
            sleep 0.1
        done' "$JOB" "$patience_sec"
}

# after WHAT REGEX: the job ends so, and the next one completes.
after() {
    failed "$1" "$2"
    rate small 0
    unharmed "$1"
    change small
    backup small
    is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "after $1 the next one is an incremental"
}

# milliseconds from the fault to the job's end, as the journal has it. FAULT is the clock before it.
noticed() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'journalctl --sync; journalctl -q -o json MESSAGE_ID="$1" SENDENSE_JOB="$2" |
        jq -r "(.__REALTIME_TIMESTAMP | tonumber) - $3 | . / 1000 | floor"' \
        "$(message_id job-failed)" "$JOB" "$1"
}

# Nobody asks the exports how they are: a death is told by systemd's signal, or by nobody.
fault_up '[Exports]
ProbeSec=1h
AnswerTimeoutSec=10s'
# Big enough that nbdcopy tells how far it is before it is done: it does so every 128 MiB.
vm small 400:12 400:8
backup small
export_of() { echo "sendense-export-$JOB-$1.service"; }

copying
fault=${EPOCHREALTIME/[.,]/}
hub systemctl kill -s KILL "$(export_of 2000)"
after "a killed qemu-nbd" "^ExportFailed: Disk 2000: $(export_of 2000) (died|ended) .*"
like "$(job '.Disks[] | select(.Key == 2000) | .State' "$((JOB - 1))")" failed "the disk has failed"
JOB=$((JOB - 1))
figure "a dead export is noticed" "$(noticed "$fault")" 1000

settings '[Exports]
ProbeSec=1s
AnswerTimeoutSec=2s'
copying
hub systemctl kill -s STOP "$(export_of 2001)"
after "a stopped qemu-nbd" "^ExportFailed: Disk 2001: $(export_of 2001) answers nothing on port 101[0-9]{2}"

copying
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'rm "$1"' "$fault_repo/$(uuid_of small)/2000/$(job .BackupId).qcow2.partial"
rate small 0
after "an image that was deleted" '^ImageDamaged: Disk 2000: .*\.qcow2\.partial is not there; start the backup again'

copying
hub systemctl kill -s KILL "sendense-import-$JOB.service"
after "a killed copier" "^CopyFailed: .*sendense-import-$JOB.service"

copying
in_hub 'kill -KILL "$(pgrep -o -x nbdcopy)"'
after "a killed nbdcopy" '^CopyFailed: .*disk 200[01]: copy was ended by signal 9'

copying
in_hub 'systemctl kill -s KILL source@small-2000.service'
after "a source that died" '^CopyFailed: .*disk 2000: '

# One that ends with a word: that word is in the job's error.
hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-export-.service.d/90-ends.conf <<'ENDS'
[Service]
ExecStart=
ExecStart=sh -c 'echo "qemu-nbd: the table is torn" >&2; exit 1'
ENDS
hub systemctl daemon-reload
change small
start small || fail "a backup starts" "$ANSWER"
failed "an export that ends with a word" "^ExportFailed: Disk 200[01]: (the export does not start: )?sendense-export-$JOB-200[01]\\.service.*: qemu-nbd: the table is torn"
hub rm /run/systemd/system/sendense-export-.service.d/90-ends.conf
hub systemctl daemon-reload
unharmed "an export that ends with a word"

# qemu-nbd takes TERM in hand itself, so none of its own refuses to die; here it is asked by a signal that it ignores.
hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-export-.service.d/90-deaf.conf <<'DEAF'
[Service]
KillSignal=SIGURG
DEAF
hub systemctl daemon-reload
copying
deaf=$(unit "$(export_of 2000)" MainPID)
ok "a backup with exports that are deaf to being asked is cancelled" hub sendensectl job cancel "$JOB"
is "$(wait_job)" cancelled "and is"
not_ok "the deaf process is no more" hub test -d "/proc/$deaf"
hub journalctl --quiet --sync
like "$(lab journal hub -o cat -u "$(export_of 2000)")" "Killing process $deaf .*SIGKILL" "systemd has killed it"
hub rm /run/systemd/system/sendense-export-.service.d/90-deaf.conf
hub systemctl daemon-reload
rate small 0
unharmed "a deaf qemu-nbd"
change small
backup small
unharmed "all of this"

done_testing
