# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154 # variables of the files that it sources
#
# For tests of the hub's units on a booted machine: source it after tap.sh, call units_up, then say commands to
# unit-probe, which runs there as the hub's user, and expect its lines. No hub and no database runs. What
# sendense-image and a copier do is played by units-worker, so that a test can make them slow, deaf or nosy.
# Called by units-*.sh.

# shellcheck source=tests/lab/hub-lab.bash
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

units_repo=/var/lib/sendense/repository/test
units_files=/run/sendense/units
units_log=$TEST_TMP/probe.log
units_mark=0

units_up() {
    [ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"
    command -v qemu-nbd >/dev/null || skip_all "qemu-nbd is missing (package qemu-utils)"
    export HUB_MACHINE_ENABLE=no
    lab_up --names hub --install "$SENDENSE_BUILD" --hook "$SENDENSE_SRC/tests/lab/hub-machine"
    lab copy-in hub "$SENDENSE_SRC/tests/lab/units-worker" /usr/lib/sendense/sendense-image
    lab copy-in hub "$SENDENSE_BUILD/tests/lab/unit-probe" /usr/lib/sendense/unit-probe
    hub install -d -o sendense -g sendense-export -m 2750 "$units_repo"
    : >"$units_log"
    probe_start
}

# probe_start: a new unit-probe, as a hub that was started again.
probe_start() {
    rm -f "$TEST_TMP/probe.in"
    mkfifo "$TEST_TMP/probe.in"
    on hub setpriv --reuid sendense --regid sendense --init-groups /usr/lib/sendense/unit-probe \
        <"$TEST_TMP/probe.in" >>"$units_log" 2>&1 9>&- &
    units_probe_pid=$!
    exec 9>"$TEST_TMP/probe.in"
}

# probe_end: closes its input and waits for its end.
probe_end() {
    exec 9>&-
    wait "$units_probe_pid"
}

# images KEY...: a partial image of 64 MiB and an error file each, as the hub makes them.
images() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for key in "${@:3}"; do
            qemu-img create -q -f qcow2 "$1/$key.partial" 64M
            chown sendense:sendense-export "$1/$key.partial"
            chmod 660 "$1/$key.partial"
            install -o sendense -g sendense -m 640 /dev/null "$2/$key.err"
        done' "$units_repo" "$units_files" "$@"
}

# io_files NAME SPEC: the input, with this content, and the output of a work unit.
io_files() {
    hub install -o sendense -g sendense -m 640 /dev/stdin "$units_files/$1.in" <<<"$2"
    hub install -o sendense -g sendense -m 640 /dev/null "$units_files/$1.out"
}

# say COMMAND: what is expected afterwards must come after this.
say() {
    units_now
    printf '%s\n' "$1" >&9
}
units_now() { units_mark=$(wc -l <"$units_log"); }

# say_export VERB JOB KEY PORT: "export", or "serve" up to the handshake.
say_export() { say "$1 $2 $3 $4 export-$2-$3 $units_repo/$3.partial $units_files/$3.err"; }

said() { tail -n "+$((units_mark + 1))" "$units_log" | grep -E -e "$1"; }

# expect REGEX NAME: a line since the last mark; the first one is in REPLY.
expect() {
    eventually "$patience_sec" said "$1"
    tap_result $? "$2" || diag "no line like: $1" "in:" "$(tail -n "+$((units_mark + 1))" "$units_log")"
    REPLY=$(said "$1" | head -n 1)
}

# field NAME: of the line in REPLY, as in "pid=12".
field() { grep -oP " $1=\K[^ ]*" <<<"$REPLY"; }

# nothing_left NAME: of all that belongs to a job.
nothing_left() {
    ok "$1" "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --within "$patience_sec" \
        --only units,slices,targets,failed-units,processes,listeners,sockets,locks \
        --ports 10100-10200 --repository "$units_repo"
}

# stop_all JOB KEY...: exports and what they were in.
stop_all() {
    local key
    for key in "${@:2}"; do
        say "stop sendense-export-$1-$key.socket"
        expect "^done stop sendense-export-$1-$key.socket: ok" "export $1-$key is stopped"
    done
    say "stop sendense-jobs-$1.slice"
    expect "^done stop sendense-jobs-$1.slice: ok" "the slice of job $1 is stopped"
}
