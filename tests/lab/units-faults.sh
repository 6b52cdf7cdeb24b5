#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What dies, hangs or goes away under the hub's units: qemu-nbd killed and stopped, a process that is deaf to
# TERM, systemd that reads its units again, executes itself again, and answers nobody. No event is lost and nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/units-lab.bash"

units_up
images 2000

# Killed.
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "an export serves"
first=$(grep -oP ' \K[0-9a-f]{32}(?= )' <<<"$REPLY")
units_now
hub systemctl kill -s KILL sendense-export-7-2000.service
expect '^unit sendense-export-7-2000.service activating/auto-restart result=signal .*status=9 code=2 ' "a killed qemu-nbd is told with its signal"
expect '^unit sendense-export-7-2000.service active/running .* restarts=1$' "and its restart"
is "$(said '^unit sendense-export-7-2000.service (failed|inactive)')" "" "and not that it has failed"
say "shake 10100 export-7-2000 5000"
expect '^shaken shake export-7-2000: ok' "the new one serves"
second=$(grep -oP ' \K[0-9a-f]{32}(?= )' <<<"$REPLY")
ok "as another instance" test "$first" != "$second"
is "$(unit sendense-export-7-2000.service InvocationID)" "$second" "which is the unit's"

# Stopped: only time can tell.
hub systemctl kill -s STOP sendense-export-7-2000.service
say "shake 10100 export-7-2000 300"
expect '^shaken shake export-7-2000: ETIMEDOUT ' "a stopped qemu-nbd does not answer a handshake"
stop_all 7 2000
nothing_left "stopping it ends it all the same"

# Killed more often than systemd starts it.
hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-export-.service.d/90-window.conf <<<$'[Unit]\nStartLimitIntervalSec=10min'
hub systemctl daemon-reload
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "an export serves again"
for ((i = 0; i < 5; i++)); do
    expect "^unit sendense-export-7-2000.service active/running .* restarts=$i\$" "with $i restarts"
    hub systemctl kill -s KILL sendense-export-7-2000.service
done
expect '^unit sendense-export-7-2000.service failed/failed ' "after five starts in that time it is failed"
stop_all 7 2000
nothing_left "nothing is left of it"
hub rm /run/systemd/system/sendense-export-.service.d/90-window.conf
hub systemctl daemon-reload

# Deaf to TERM.
io_files deaf deaf
say "copy 7 $units_files/deaf.in $units_files/deaf.out /usr/lib/sendense/sendense-image"
expect '^done copy ' "a copier is started"
like "$REPLY" ' ok ' "and runs"
ok "deaf" eventually "$patience_sec" hub grep -q deaf "$units_files/deaf.out"
say "stop sendense-import-7.service"
expect '^done stop sendense-import-7.service: ok' "a process that ignores TERM is stopped"
diag "it took $(grep -oP '\(\K[0-9]+(?= ms)' <<<"$REPLY") ms, of which 5000 ms are its time to end by itself"
like "$(said '^unit sendense-import-7.service failed')" 'result=timeout .* status=9 code=2 ' "by KILL"
stop_all 7
nothing_left "nothing is left of it"

# A start that is stopped, and a handler that stops.
hub mkfifo -m 644 "$units_files/gate"
hub setfacl -m u:sendense-export:x "$units_files" 2>/dev/null || hub chmod 751 "$units_files"
io_files wait "$units_files/gate"
say "image 7 0 wait-2000 wait export $units_files/wait.in $units_files/wait.out 0"
expect '^unit sendense-image-7-wait-2000.service activating/start ' "an image work is under way"
begin=$units_mark
say "stop sendense-image-7-wait-2000.service"
expect '^done stop .*: ok' "and is stopped"
units_mark=$begin
expect '^done image 0: ECANCELED ' "which its start is told"
say "stop-failed yes"
io_files fail ''
say "image 7 0 fail fail hub $units_files/fail.in $units_files/fail.out 0"
expect '^done stop sendense-image-7-fail.service: ok' "a handler may stop what has failed"
expect '^done image 0: EREMOTEIO ' "and the start is told how it ended"
expect '^unit sendense-image-7-fail.service gone' "and that it is gone"
say "stop-failed no"

# systemd reads its units again, and executes itself again, while work goes on.
for what in daemon-reload daemon-reexec; do
    say "image 7 0 wait-2000 wait export $units_files/wait.in $units_files/wait.out 0"
    expect '^unit sendense-image-7-wait-2000.service activating/start ' "$what: an image work is under way"
    begin=$units_mark
    hub systemctl "$what"
    hub bash -c "echo >$units_files/gate"
    units_mark=$begin
    expect '^done image 0: ok' "its end after $what is told"
    say "stop sendense-image-7-wait-2000.service"
    expect '^done stop .*: ok' "and it is stopped"

    # In the middle: calls, starts and ends at the same moment, several times.
    say_export serve 7 2000 10100
    expect '^shaken serve 2000: ok' "an export serves"
    for n in 1 2 3; do
        say "image 7 0 wait-2000 wait export $units_files/wait.in $units_files/wait.out 0"
        expect '^unit sendense-image-7-wait-2000.service activating/start ' "work $n is under way"
        begin=$units_mark
        pid=$(unit sendense-export-7-2000.service MainPID)
        # shellcheck disable=SC2016 # expanded in the machine
        in_hub 'systemctl "$1" & echo >"$2"; kill -9 "$3"; wait' "$what" "$units_files/gate" "$pid"
        printf '%s\n' "image 7 0 answer-$n answer export $units_files/wait.in $units_files/wait.out 0" list >&9
        units_mark=$begin
        expect '^done image 0: ok' "the end of work $n is told"
        ok "and of what was started meanwhile" eventually "$patience_sec" eval \
            '[ "$(said "^done image 0: ok" | wc -l)" -eq 2 ]'
        expect '^list ok ' "and a question is answered"
        expect "^unit sendense-export-7-2000.service active/running .* restarts=1\$" "and restart $n of the export"
        is "$(said ' gone$')" "" "and of nothing that it is gone"
        say "stop sendense-image-7-wait-2000.service"
        expect '^done stop .*: ok' "work $n is stopped"
        say "stop sendense-image-7-answer-$n.service"
        expect '^done stop .*: ok' "and the other"
        # Not a sixth start within a minute; the count of restarts begins anew.
        hub systemctl reset-failed sendense-export-7-2000.service
    done
    say "shake 10100 export-7-2000 10000"
    expect '^shaken shake .*: ok 67108864 ' "the export serves after $what and restarts"
    is "$(grep -oP ' \K[0-9a-f]{32}(?= )' <<<"$REPLY")" "$(unit sendense-export-7-2000.service InvocationID)" "with its instance as the description"
    units_now
    begin=$units_mark
    # The stop and the absence at once.
    hub systemctl --no-block "$what"
    stop_all 7 2000
    units_mark=$begin
    expect '^unit sendense-export-7-2000.socket (gone|inactive)' "the end of the export is told"
    nothing_left "nothing is left after $what"
done

# PID 1 answers nobody for longer than a call waits for its answer: what is asked for is told when it does.
init=$(init_of hub)
require "PID 1 of the machine is found" test -n "$init"
at_end 'kill -CONT "$init"'
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "an export serves once more"
units_now
begin=$units_mark
kill -STOP "$init"
printf '%s\n' "stop sendense-export-7-2000.socket" "get sendense-export-7-2001.service" >&9
sleep 32
kill -CONT "$init"
expect '^got sendense-export-7-2001.service gone' "a question is answered when PID 1 answers again"
units_mark=$begin
expect '^done stop sendense-export-7-2000.socket: ok' "and the export is stopped"
is "$(said "ETIME(DOUT)?")" "" "which is not said to have taken too long"
stop_all 7 2000
nothing_left "nothing is left"

# qemu-nbd is not installed.
hub mv /usr/bin/qemu-nbd /usr/bin/qemu-nbd.away
say_export export 7 2000 10100
expect '^done export 2000: ENOEXEC .*install the package qemu-utils' "a missing qemu-nbd is told as such"
stop_all 7 2000
nothing_left "nothing is left of it"
probe_end
is "$(tail -n 1 "$units_log")" freed "the probe has borne it all"

done_testing
