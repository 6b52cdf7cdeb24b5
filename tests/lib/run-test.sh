# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Runs one test for tests/run: its own session, time limit, temporary folder and no stdin, and makes
# sure that nothing of it is left. A process that outlives its test fails it: it is recognised by its
# session or by a variable that every descendant inherits, so that a daemon does not escape by setsid.
# Judging the output is tap-judge.awk's work.

run_grace_sec=10 # between TERM and KILL: a lab takes its machines down in this time
run_linger_sec=2 # a daemon that was told to end may take this long after its test

run_now() { printf '%s\n' "${EPOCHREALTIME/[.,]/}"; }

# run_left SESSION MARK: pids of the living processes of a test.
run_left() {
    local stat rest pid state session
    {
        for stat in /proc/[0-9]*/stat; do
            { read -r rest <"$stat"; } 2>/dev/null || continue
            pid=${rest%% *}
            read -r state _ _ session _ <<<"${rest##*) }"
            [ "$session" != "$1" ] || [ "$state" = Z ] || [ "$state" = X ] || printf '%s\n' "$pid"
        done
        grep -lzxF -e "$2=1" /proc/[0-9]*/environ 2>/dev/null | sed 's,^/proc/\([0-9]*\)/.*,\1,'
    } | sort -un
}

# run_wait_gone SESSION MARK SECONDS
run_wait_gone() {
    local end=$(($(run_now) + $3 * 1000000))
    while [ -n "$(run_left "$1" "$2")" ]; do
        [ "$(run_now)" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# run_reap SESSION MARK: ends what a test left and prints what it was.
run_reap() {
    local pid signal names=
    run_wait_gone "$1" "$2" "$run_linger_sec" && return 0
    for pid in $(run_left "$1" "$2"); do
        names="$names${names:+, }$pid ($(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | cut -c1-60 | sed 's/ $//'))"
    done
    for signal in TERM KILL KILL KILL; do
        for pid in $(run_left "$1" "$2"); do
            kill -s "$signal" "$pid" 2>/dev/null
        done
        run_wait_gone "$1" "$2" 1 && break
    done
    [ -z "$names" ] || printf 'left processes: %s' "$names"
    pid=$(run_left "$1" "$2" | tr '\n' ' ')
    [ -z "$pid" ] || printf '; cannot end: %s' "$pid"
}

# run_unmount FOLDER: unmounts what a test left mounted below its folder, so that removing the folder
# cannot reach into somebody else's files; prints what it was.
run_unmount() {
    local mount names=
    while read -r mount; do
        mount=$(printf '%b' "$mount")
        names="$names${names:+, }${mount#"$1"/}"
        umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null
    done < <(awk -v top="$1/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac)
    [ -z "$names" ] || printf 'left mounts: %s' "$names"
}

# run_test RESULT-FOLDER TEMP-FOLDER MARK LIMIT COMMAND: writes out, err, status, usec and trouble
# into the result folder. Its own status says nothing about the test.
run_test() {
    local result=$1 tmp=$2 mark=$3 limit=$4 command=$5 start pid status text san trouble=''
    mkdir -p "$result" "$tmp"
    start=$(run_now)
    (
        cd "$tmp" || exit 125
        export TEST_TMP="$tmp" TEST_ACCIDENT="$result/accident" CMOCKA_MESSAGE_OUTPUT=TAP "$mark=1"
        export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:log_path=$result/sanitizer:log_exe_name=1"
        export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:log_path=$result/sanitizer:log_exe_name=1"
        exec setsid --wait timeout --kill-after="$run_grace_sec" "$limit" "$command"
    ) </dev/null >"$result/out" 2>"$result/err" &
    pid=$!
    printf '%s %s\n' "$pid" "$mark" >"$result/session"
    wait "$pid" 2>/dev/null # bash would report a crash there; status says it
    status=$?
    printf '%s\n' $(($(run_now) - start)) >"$result/usec"

    if [ "$status" -eq 124 ] || { [ "$status" -eq 137 ] && [ $(($(run_now) - start)) -ge $((limit * 1000000)) ]; }; then
        trouble="time limit of $limit s reached"
        status=0
    fi
    for text in "$(run_reap "$pid" "$mark")" "$(run_unmount "$tmp")"; do
        [ -z "$text" ] || trouble="$trouble${trouble:+; }$text"
    done
    for san in "$result"/sanitizer*; do
        [ -e "$san" ] || continue
        trouble="$trouble${trouble:+; }sanitizer report"
        head -n 60 "$san" >>"$result/err"
    done
    printf '%s\n' "$status" >"$result/status"
    printf '%s\n' "$trouble" >"$result/trouble"
}

# run_test_or_again RESULT-FOLDER TEMP-FOLDER MARK LIMIT COMMAND: run_test, and once more when a program that is not ours
# had an accident, which the test writes to $TEST_ACCIDENT: what such a run says about our code is worth nothing. The
# second run counts whatever happens in it; the first is told about as a comment.
run_test_or_again() {
    local result=$1 tmp=$2 accident
    run_test "$@"
    [ -s "$result/accident" ] || return 0
    accident=$(<"$result/accident")
    rm -rf --one-file-system "$tmp" "$result"
    run_test "$result" "$tmp" "$3_again" "$4" "$5"
    {
        printf '# this is its second run; in the first:\n'
        printf '#   %s\n' "${accident//$'\n'/$'\n#   '}"
    } >>"$result/out"
}
