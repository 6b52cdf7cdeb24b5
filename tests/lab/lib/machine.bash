# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The life of one machine: boot, ready, end, boot again. One supervisor process per machine, inside the lab's
# namespaces, fed by a FIFO of events: "ready" (a unit in the machine), "ended STATUS" (nspawn), "start", "reboot",
# "crash" and "stop" (verbs). It alone writes the machine's state file. It never touches another machine.

LAB_BOOT_SEC=${LAB_BOOT_SEC:-60}

machine_say() { # STATE LEADER HEALTH
    echo "$1 $boots ${2:--} ${3:-}" >"$dir/state.new" && mv "$dir/state.new" "$dir/state"
    state=$1
}

# machine_nspawn: becomes nspawn. nspawn gives every boot its own boot_id.
machine_nspawn() {
    local device bind args=()
    for device in /dev/fuse /dev/loop-control /dev/loop[0-9]* /dev/net/tun; do
        [ ! -e "$device" ] || args+=("--bind=$device")
    done
    for bind in "${LAB_BINDS[@]}"; do
        args+=("--bind=$bind")
    done
    [ "$LAB_NETWORK" = host ] || args+=("--network-namespace-path=/run/netns/$name")
    cgroup_enter "$name" || exit 1
    # PrivateNetwork= needs CAP_NET_ADMIN, which nspawn takes away along with the private network it did not make.
    exec systemd-nspawn --quiet --settings=no --directory="$dir/root" --machine="$name" --hostname="$name" \
        --register=no --keep-unit --link-journal=no --console=pipe \
        --resolv-conf=off --timezone=off --kill-signal=SIGRTMIN+3 --notify-ready=yes \
        --capability=CAP_NET_ADMIN,CAP_IPC_LOCK --bind="$dir/events:/run/lab-events" \
        --bind="$LAB_RUN/host/machine/$name/journal:/var/log/journal" "${args[@]}" \
        /usr/sbin/lab-init systemd.unit=lab.target systemd.show_status=0
}

machine_boot() {
    boots=$((boots + 1))
    machine_say booting
    cgroup_clear "$name"
    (
        exec {events}>&-
        (machine_nspawn) &
        wait $!
        echo "ended $?" >"$dir/events"
    ) </dev/null >>"$LAB_RUN/host/machine/$name/console.log" 2>&1 &
    keeper=$!
}

# machine_find_nspawn: sets nspawn. The kernel's list of children ends without a newline, which read calls a failure.
machine_find_nspawn() {
    nspawn=
    { read -r nspawn _ <"/proc/$keeper/task/$keeper/children"; } 2>/dev/null
    [ -n "$nspawn" ]
}

# machine_find_leader: sets leader to the machine's PID 1: the child of nspawn that is 1 in its own namespace.
machine_find_leader() {
    local nspawn child status line=$'\nNSpid:[^\n]*\t1\n'
    leader=
    machine_find_nspawn || return 1
    for child in $(<"/proc/$nspawn/task/$nspawn/children"); do
        # In one read: the kernel makes the file anew for each.
        status=$(<"/proc/$child/status") || continue
        if [[ $status =~ $line ]]; then
            leader=$child
            return 0
        fi
    done 2>/dev/null
    return 1
}

# machine_run SECONDS CMD...: inside the machine; see enter_machine for the why of the shell.
machine_run() {
    # shellcheck disable=SC2016 # the inner shell expands it
    timeout "$1" nsenter -t "$leader" --all --no-fork -- /bin/sh -c '"$@"; exit $?' sh "${@:2}"
}

machine_ready() {
    local health
    # The kernel calls its lists of children inexact while processes come and go. Not found for good means that it died
    # on the way; "ended" comes next.
    wait_until 5 machine_find_leader || {
        say "$name was ready, but its PID 1 is not to be found below nspawn"
        machine_explain
        return 0
    }
    health=$(machine_run 20 systemctl is-system-running --wait 2>&1)
    machine_say up "$leader" "${health//[[:space:]]/-}"
    echo "$name up $health" >"$LAB_RUN/events"
}

machine_fail() { # REASON
    machine_say failed
    echo "$name failed $1" >"$LAB_RUN/events"
}

# machine_ended STATUS: 0 = somebody inside switched it off, and so it stays. Everything else that was up is booted again.
machine_ended() {
    wait "$keeper" 2>/dev/null
    leader=
    if [ -n "$stopping" ]; then
        machine_say off
    elif [ "$state" = failed ]; then
        return 0
    elif [ "$state" = booting ] && [ -z "$wanted" ]; then
        machine_fail "its systemd ended with status $1 before it was ready"
    elif [ "$1" -eq 0 ] && [ -z "$wanted" ]; then
        machine_say off
    else
        wanted=
        machine_boot
    fi
}

# machine_ask ACTION: reboot and stop are polite, crash is the power cut.
machine_ask() {
    case $1 in
    stop) stopping=1 ;;
    *) wanted=1 ;;
    esac
    if [ "$state" = off ] || [ "$state" = failed ]; then
        if [ "$1" != stop ]; then
            wanted=
            machine_boot
        fi
        return
    fi
    [ -n "$leader" ] || machine_find_leader || {
        machine_kill
        return
    }
    case $1 in
    stop) kill -SIGRTMIN+3 "$leader" ;;
    reboot) kill -SIGRTMIN+5 "$leader" ;;
    crash) kill -KILL "$leader" ;;
    esac
}

# machine_kill: nspawn's end takes the machine with it, at any point of the boot.
machine_kill() {
    local nspawn
    ! machine_find_nspawn || kill -KILL "$nspawn"
}

# machine_process WHAT PID: what the kernel knows of a process that does not go on.
machine_process() {
    local comm state wchan
    { read -r comm <"/proc/$2/comm" && state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$2/status"); } 2>/dev/null || {
        say "$name: $1, process $2, has ended"
        return
    }
    wchan=$(cat "/proc/$2/wchan" 2>/dev/null)
    say "$name: $1 is $comm, process $2, state $state, waits in ${wchan:-?}"
    sed 's/^/         /' "/proc/$2/stack" >&2 2>/dev/null
}

# machine_says CMD...: what a command in the machine says, or that it does not answer.
machine_says() {
    local out status
    out=$(machine_run 5 "$@" 2>&1)
    status=$?
    say "$name: $*$([ "$status" = 0 ] || echo ", status $status"):"
    printf '%s\n' "${out:-nothing}" | sed 's/^/         /' >&2
}

# machine_explain: everything that may tell why it does not get ready. Nobody will be able to ask it later.
machine_explain() {
    local nspawn pid
    say "$name: $(cut -d' ' -f1-3 /proc/loadavg) is the load, $(sed -n 's/^MemAvailable: *//p' /proc/meminfo) of memory are free"
    if ! machine_find_nspawn; then
        machine_process "what should have become nspawn" "$keeper"
        return
    fi
    machine_process nspawn "$nspawn"
    if machine_find_leader; then
        machine_process "its PID 1" "$leader"
        machine_says systemctl --failed --no-legend --no-pager
        machine_says systemctl list-jobs --no-pager
        machine_says journalctl -b -n 30 --no-pager -o short-monotonic
    else
        for pid in $(<"/proc/$nspawn/task/$nspawn/children"); do
            machine_process "a child of nspawn" "$pid"
        done
    fi
    # Others in the lab that wait for the kernel; one of them may hold what this one waits for.
    while read -r pid; do
        machine_process "in the lab" "$pid"
    done < <(awk '$3 == "D" { print $1 }' /proc/[0-9]*/stat 2>/dev/null)
}

machine_boot_is_late() {
    machine_explain
    machine_fail "it was not ready within $LAB_BOOT_SEC s"
    machine_kill
}

# machine_supervise NAME: returns when the machine is stopped for good.
machine_supervise() {
    local name=$1 dir=$LAB_RUN/machine/$1 boots=0 state='' leader='' keeper='' stopping='' wanted='' events event status
    exec {events}<>"$dir/events"
    machine_boot
    while :; do
        if [ "$state" = booting ]; then
            read -r -t "$LAB_BOOT_SEC" -u "$events" event status || {
                machine_boot_is_late
                continue
            }
        else
            read -r -u "$events" event status
        fi
        case $event in
        ready) machine_ready ;;
        ended) machine_ended "$status" ;;
        *) machine_ask "$event" ;;
        esac
        [ -z "$stopping" ] || [ "$state" != off ] && [ "$state" != failed ] || return 0
    done
}
