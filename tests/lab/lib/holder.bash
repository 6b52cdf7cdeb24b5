# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The one process that a lab hangs on: PID 1 of a pid namespace, with mount and network namespaces of its own. Killing
# it, or the unshare(1) above it, ends every process, mount and link of the lab, because the kernel does the cleaning.
# holder_start runs outside and waits for the boot; holder_launch makes the cgroups; holder_main is the process itself.

LAB_RUN=/run/lab # inside the holder's mount namespace

# holder_start: boots the lab of $LAB_STATE/plan; returns when all machines are ready, or says why not.
holder_start() {
    local report line command=(setsid)
    # Where systemd is PID 1 the cgroup tree is its own; it delegates us a scope.
    if [ -d /run/systemd/system ]; then
        command+=(systemd-run --quiet --scope --collect "--unit=$(<"$LAB_STATE/id").scope"
            --property=Delegate=yes --property=TasksMax=infinity)
    fi
    exec {report}< <(
        exec {LAB_LOCK}>&- 3>&1 >"$LAB_STATE/holder.log" 2>&1 </dev/null
        [ -z "${BARE_LOCK:-}" ] || exec {BARE_LOCK}>&-
        exec "${command[@]}" "$LAB_SELF" _launch "$LAB_STATE"
    )
    IFS= read -r -t $((LAB_BOOT_SEC + 30)) -u "$report" line || line="failed the holder ended early"
    exec {report}<&-
    case $line in
    up*) printf 'lab: %s\n' "$line" ;;
    *)
        holder_show_logs
        holder_end
        die "no lab: ${line#failed }"
        ;;
    esac
}

holder_show_logs() {
    local log dir
    for log in "$LAB_STATE/holder.log" "$LAB_STATE"/machine/*/console.log; do
        [ ! -s "$log" ] || { say "end of $log:" && tail -n 90 "$log" | sed 's/^/     /' >&2; }
    done
    for dir in "$LAB_STATE"/machine/*/journal; do
        [ -z "$(ls -A "$dir" 2>/dev/null)" ] || {
            say "end of the journal in $dir:"
            journalctl --no-pager --directory="$dir" -o short-monotonic -n 15 2>&1 | sed 's/^/     /' >&2
        }
    done
}

# holder_launch: outside the namespaces still; on success it becomes unshare.
holder_launch() {
    cgroup_make "$(<"$LAB_STATE/id")" >"$LAB_STATE/cgroups" || exit 1
    process_birth $$ && echo "$$ $REPLY" >"$LAB_STATE/holder" || exit 1
    local own=(--mount --pid)
    [ "$LAB_NETWORK" = host ] || own+=(--net)
    exec unshare "${own[@]}" --fork --kill-child=KILL --propagation private "$LAB_SELF" _holder "$LAB_STATE"
}

# holder_namespace: a /proc and a /run of its own; the state folder stays visible in it as /run/lab/host.
holder_namespace() {
    mount -t proc proc /proc &&
        mkdir -p "$LAB_STATE/run" &&
        mount -t tmpfs -o mode=755,size=90% lab "$LAB_STATE/run" &&
        mkdir -p "$LAB_STATE"/run/{lab/host,lab/machine,netns,lock} &&
        mount -n --bind "$LAB_STATE" "$LAB_STATE/run/lab/host" &&
        mount -n --move "$LAB_STATE/run" /run
}

holder_stop() {
    local name
    for name in "${LAB_NAMES[@]}"; do
        echo stop >"$LAB_RUN/machine/$name/events"
    done
}

# holder_fail REASON: PID 1 ends, and the kernel ends the rest.
holder_fail() {
    echo "failed $1" >&3
    exit 1
}

holder_main() { # descriptor 3 is the report to holder_start
    local name state health events waiting=${#LAB_NAMES[@]} begin notes='' supervisors=()
    trap '' HUP INT
    begin=$(now_ms)
    holder_namespace || holder_fail "cannot make the private /run"
    network_make || holder_fail "cannot make the network"
    mkfifo "$LAB_RUN/events" || holder_fail "cannot make a FIFO"
    exec {events}<>"$LAB_RUN/events"
    for name in "${LAB_NAMES[@]}"; do
        mkdir -p "$LAB_RUN/machine/$name" "$LAB_RUN/host/machine/$name/journal"
        mkfifo "$LAB_RUN/machine/$name/events" || holder_fail "cannot make a FIFO"
    done
    for name in "${LAB_NAMES[@]}"; do
        (
            exec 3>&- {events}>&-
            root_make "$name" || {
                echo "$name failed its root file system could not be made" >"$LAB_RUN/events"
                exit 1
            }
            machine_supervise "$name"
        ) &
        supervisors+=($!)
    done
    while [ "$waiting" -gt 0 ]; do
        read -r -u "$events" name state health
        [ "$state" = up ] || holder_fail "$name: $health"
        [ "$health" = running ] || notes+=", but $name is $health"
        waiting=$((waiting - 1))
    done
    trap holder_stop TERM
    echo "up in $(($(now_ms) - begin)) ms$notes" >&3
    exec 3>&-
    # The supervisors go on telling of every boot; somebody must read it.
    while read -r -u "$events" _; do :; done &
    for name in "${supervisors[@]}"; do
        while [ -d "/proc/$name" ]; do wait "$name"; done
    done
    exit 0
}

# holder_is_gone [PID-OF-HOLDER]: for wait_until.
holder_is_gone() { ! state_launcher && { [ -z "${1:-}" ] || ! process_birth "$1"; }; }

# holder_end: stops what runs, removes what a namespace cannot take with it.
holder_end() {
    local holder=''
    if state_holder; then
        holder=$REPLY
        kill -TERM "$holder" 2>/dev/null
        wait_until 30 holder_is_gone "$holder" || say "the machines did not stop within 30 s; pulling the plug"
    fi
    if state_launcher; then
        kill -KILL "$REPLY"
        wait_until 10 holder_is_gone "$holder" || die "the lab's processes do not die" "see the children of $holder"
    fi
    cgroup_remove
    cgroup_sweep
    rm -f "$LAB_STATE/holder" "$LAB_STATE/id"
    [ ! -d "$LAB_STATE/run" ] || rmdir "$LAB_STATE/run"
    rm -rf "${LAB_STATE:?}/stage" "$LAB_STATE"/machine/*/layers
}
