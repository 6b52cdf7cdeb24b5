# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154 # patience_sec is of hub-lab.bash
#
# For tests that take something away in the middle of a job: source it after fault.bash. A copy is held in its middle by
# its sources, and what a completed job was made of is kept for backups_intact.

# keep VM [ID]: the job's backup was made of what the sources have now; nothing when the job did not complete.
keep() {
    [ "$(job_state "${2:-$JOB}")" = completed ] || return 0
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for file in /srv/src/"$1"-*.raw; do
            cp --sparse=always "$file" "/srv/kept/$2-${file##*-}"
        done' "$1" "$(job .BackupId "${2:-$JOB}")"
}

# copies: the newest of this test's jobs has copied something, and the hub has heard of it.
copies() { job_copies hub "$JOB" "$patience_sec"; }

# What a disk of a VM for start_held is: nbdcopy tells how far it is whenever it takes another 128 MiB, so one that is smaller is
# in the middle of nothing that can be seen until it is copied.
# shellcheck disable=SC2034 # for the tests
held_disk=400:16

# start_held VM [OPTION...]: starts a backup that is in the middle of its copy and stays there for more than a minute or until
# `rate VM ""`.
start_held() {
    rate "$1" 1500000
    start "$@" || fail "a backup of $1 starts" "$ANSWER"
    ok "its state is copying" wait_state copying
    ok "it has copied something" copies
}

# wait_job [ID]: as in fault.bash, but through every absence of the hub.
wait_job() { job_over hub "${1:-$JOB}" "$patience_sec"; }

# processes JOB: those of the copy and of the exports, by unit.
processes() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for unit in $(systemctl list-units --plain --no-legend "sendense-import-$1.service" "sendense-export-$1-*.service" | cut -d" " -f1); do
            echo "$unit $(systemctl show --value -p MainPID,InvocationID,NRestarts "$unit" | paste -sd" ")"
        done' "$1"
}

# another_hub PID: the hub is another process than that, and has its database.
another_hub() { [ "$(unit sendense-hub MainPID)" != "$1" ] && [ "$(prop DatabaseState 2>/dev/null)" = 's "ready"' ]; }

# hold KIND [STEP]: each unit of that kind (image, export) and step (finish, commit, …) waits before it begins, until
# `release`.
hold() {
    hub install -D -m 644 /dev/stdin "/run/systemd/system/sendense-$1-.service.d/90-hold.conf" <<X
[Service]
ExecStartPre=sh -c 'case %n in *-${2:-}*) while test -e /run/hold; do sleep 0.05; done ;; esac'
X
    hub touch /run/hold
    hub systemctl daemon-reload
}
release() { hub rm -rf /run/hold /run/systemd/system/sendense-{image,export}-.service.d; }

# held KIND [STEP]: some unit of that kind and step waits now, or does so soon.
held() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for i in {1..50}; do
            ! systemctl list-units --plain --no-legend "$1" | grep -q start-pre || exit 0
            sleep 0.05
        done
        exit 1' "sendense-$1-*${2:-}*.service"
}
