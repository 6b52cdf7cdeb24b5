#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl follows a job: by its signals to each kind of end, on a terminal and elsewhere, through restarts
# of the hub and of its database, and past signals that make no sense.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start

# job STATE [MORE]: what GetJob answers from now on.
job() {
    answer GetJob 'a{sv}' "{\"Id\": 7, \"Type\": \"backup\", \"Vm\": \"web\", \"Repository\": \"default\",
        \"BackupId\": \"backup-web-1\", \"State\": \"$1\"${2:+, $2}}"
}
# becomes STATE [MORE]: the job's signal.
becomes() { peer_does "{\"job\": 7, \"changed\": {\"State\": \"$1\"${2:+, $2}}}"; }
disks='"Disks": [{"Key": 2000, "State": "copying"}], "Events": []'
times='"StartedUSec": 1763702276000000, "FinishedUSec": 1763702310000000'

# watch ARGUMENT...: in the background, with what it prints in files; it has seen the job when this returns.
watch_pid=
asked_nothing() { peer_does '{"hub": {}}'; } # passes over what was asked before
watch() {
    asked_nothing
    "$ctl" "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- &
    watch_pid=$!
    peer_says "asked GetJob"
}
# watch_ends NAME STATUS: fills out, err.
watch_ends() {
    wait "$watch_pid"
    is "$?" "$2" "$1: exit status $2"
    out=$(<"$TEST_TMP/out") err=$(<"$TEST_TMP/err")
}

# To a good end.
peer_with_answers
job queued "$disks"
watch job watch 7
becomes preparing
becomes preparing '"Phase": "creating images"'
becomes copying '"BytesDone": 0, "BytesTotal": 5368709120'
peer_does '{"job": 7, "changed": {"BytesDone": 161061273, "Progress": 0.03}}'
peer_does '{"job": 7, "changed": {"BytesDone": 2415919104, "Progress": 0.45}}'
peer_does '{"job": 8, "changed": {"State": "failed"}}'
peer_does '{"removed": 8, "result": "failed"}'
becomes copying '"Ending": ""'
becomes finishing '"Phase": "finishing"'
job completed "$times, \"Disks\": [{\"Key\": 2000, \"State\": \"completed\", \"Reason\": \"the first of this disk\"},
    {\"Key\": 2001, \"State\": \"excluded\", \"Reason\": \"swap\"}]"
becomes completed
watch_ends "a job that completes" 0
is "$(sed -E 's/^(job 7: 45 %, 2\.2 GiB of 5\.0 GiB).*/\1/' <<<"$out")" "job 7: backup of web into repository default as backup-web-1
job 7: queued
job 7: preparing
job 7: preparing: creating images
job 7: copying: creating images
job 7: 45 %, 2.2 GiB of 5.0 GiB
job 7: finishing
job 7: disk 2000 was read in full: the first of this disk
job 7: disk 2001 was left out: swap
job 7: completed after 34 s" "a line for each step, and how far it is; nothing of other jobs"
is "$err" "" "and nothing else"

# A job that has ended already needs no signal.
watch job watch 7
watch_ends "a job that has completed" 0
like "$out" "^job 7: completed after 34 s\$" "it says so"
unlike "$out" "%" "without progress"

# To a bad end, and to one that was asked for.
job copying
watch job watch 7
becomes copying '"Ending": "failed"'
job failed "$times, \"ErrorName\": \"com.sendense.Error.CopyFailed\", \"ErrorText\": \"disk 2000: the source is gone\""
peer_does '{"removed": 7, "result": "failed"}'
watch_ends "a job that fails" 1
like "$out" "^job 7: copying, to be failed\$" "the decision is a step"
is "$err" "sendensectl: job 7 failed: disk 2000: the source is gone. All of it: sendensectl job show 7" "why, and where is more"
job copying
watch job watch 7
job cancelled '"ErrorText": "by uid:0"'
becomes cancelled
watch_ends "a job that is cancelled" 3
like "$out" "^job 7: cancelled: by uid:0\$" "it says so"

# Its object goes without a word: one that was changed by another hand.
job queued
watch job watch 7
peer_does '{"gone": 8}'
peer_does '{"gone": 7}'
peer_says "asked GetJob"
job cancelled '"ErrorText": "Job 9 deletes a backup of its VM"'
peer_does '{"gone": 7}'
watch_ends "a job whose object goes" 3
like "$out" "^job 7: cancelled: Job 9 deletes a backup of its VM\$" "it is asked for"

# For scripts.
job copying "$disks, \"BytesDone\": 1, \"BytesTotal\": 4"
watch job watch 7 --json
first=$(jq -cS .value "$answers/GetJob.json")
peer_does '{"job": 7, "changed": {"BytesDone": 2, "Progress": 0.5, "Disks": []}}'
becomes finishing
job completed "$times, $disks"
becomes completed
watch_ends "watching as JSON" 0
is "$(wc -l <"$TEST_TMP/out")" 4 "an object in each line"
is "$(sed -n 1p <<<"$out" | jq -cS .)" "$first" "the first is what GetJob answers"
is "$(sed -n 2p <<<"$out" | jq -c '[.Id, .State, .BytesDone, .BytesTotal, .Progress, has("Disks")]')" '[7,"copying",2,4,0.5,false]' \
    "then what has changed, without what has grown old"
is "$(sed -n 3p <<<"$out" | jq -c .State)" '"finishing"' "and again"
is "$(sed -n 4p <<<"$out" | jq -cS .)" "$(jq -cS .value "$answers/GetJob.json")" "the last is what GetJob answers"

# A new hub in between: one that stopped, one that was killed, one whose database is not there yet.
job copying '"BytesDone": 1, "BytesTotal": 4'
watch job watch 7
peer_stop
peer_with_answers
peer_says "asked GetJob"
peer_does '{"job": 7, "changed": {"BytesDone": 2}}'
kill -9 "$peer_pid"
peer_stop
refuse GetJob com.sendense.Error.DatabaseUnavailable "Not yet."
peer_with_answers
peer_says "asked GetJob"
peer_does '{"hub": {"DatabaseState": "unreachable"}}'
job finishing
peer_does '{"hub": {"DatabaseState": "ready"}}'
peer_says "asked GetJob"
job completed "$times"
becomes completed
watch_ends "watching through restarts" 0
is "$(tail -2 <<<"$out")" $'job 7: finishing\njob 7: completed after 34 s' "to the end"
is "$(grep -c 'sendensectl: the hub has ended; waiting for the next one\. Ctrl-C ends the watching, not the job' <<<"$err")" 2 \
    "each end of a hub is told"
is "$(wc -l <<<"$err")" 2 "once" || diag "$err"
job copying
watch job watch 7
refuse GetJob com.sendense.Error.DatabaseUnavailable "Stopped."
peer_does '{"removed": 7, "result": "completed"}'
peer_says "asked GetJob"
job completed "$times"
peer_does '{"hub": {"DatabaseState": "ready"}}'
watch_ends "a database that goes away" 0
is "$err" "sendensectl: the hub is without its database; waiting for both. Ctrl-C ends the watching, not the job" "is told"

# An answer that is older than a signal that came before it.
job copying
jq '.late = true' "$answers/GetJob.json" | answer_file GetJob
watch job watch 7
becomes completed
job completed "$times"
peer_does '{"release": true}'
watch_ends "an answer that is overtaken" 0
like "$out" "^job 7: completed after 34 s\$" "the job is looked at again"

# A hub that asks to try again, one that forgets the job, one that dies while it is asked.
job copying
watch job watch 7
refuse GetJob com.sendense.Error.Busy "The hub is stopping."
peer_does '{"removed": 7, "result": "completed"}'
peer_says "asked GetJob"
job completed "$times"
watch_ends "a hub that is busy" 0
job copying
watch job watch 7
refuse GetJob com.sendense.Error.NotFound "There is no job 7."
peer_does '{"removed": 7, "result": "completed"}'
watch_ends "a hub that forgets the job" 1
is "$err" "sendensectl: the hub refuses: There is no job 7. List the jobs: sendensectl job list" "in words"

# One who begins to watch while the hub is being started anew.
echo '{"silent": true}' | answer_file GetJob
watch job watch 7
peer_stop
refuse GetJob com.sendense.Error.DatabaseUnavailable "Not yet."
peer_with_answers
peer_says "asked GetJob"
job completed "$times"
watch_ends "a hub that dies at the first question" 0
is "$(grep -c 'the hub did not answer; asking again' <<<"$err")" 1 "the next one is asked" || diag "$err"
peer_stop
"$ctl" job watch 7 >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- &
watch_pid=$!
waits() { grep -q 'waiting for the next one' "$TEST_TMP/err"; }
ok "before there is a hub" eventually 20 waits
peer_with_answers
watch_ends "one that begins before there is a hub" 0
peer_stop
"$ctl" job watch 7 >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- &
watch_pid=$!
watch_ends "one for whom no hub comes" 69
like "$err" "^sendensectl: the hub does not run\. Start it: systemctl start sendense-hub\.service" "ends in words" || diag "$err"
peer_with_answers
job copying
watch job watch 7
echo '{"silent": true}' | answer_file GetJob
peer_does '{"removed": 7, "result": "completed"}'
peer_says "asked GetJob"
peer_stop
job completed "$times"
peer_with_answers
watch_ends "a hub that dies at a later one" 0
is "$(grep -cE 'the hub (did not answer|has ended)' <<<"$err")" 1 "is told once" || diag "$err"

# What makes no sense is passed over, and what it says reaches no terminal.
job copying '"BytesDone": 1, "BytesTotal": 4'
watch job watch 7
peer_does '{"job": 7, "strange": true}'
peer_does '{"job": 7, "changed": {}}'
peer_does '{"job": 7, "changed": {"State": {"@u": 5}, "BytesDone": {"@s": "x"}, "Progress": {"@t": 1}, "Phase": {"@as": []}}}'
peer_does '{"job": 7, "changed": {"BytesDone": 9223372036854775807, "BytesTotal": 1}}'
peer_does "$(jq -cn --arg t $'\e[2J\u009b\r\nx' '{job: 7, changed: {State: $t, Phase: ($t * 200)}}')"
job failed "\"ErrorText\": $(jq -n --arg t $'a\e[2J\nb' '$t')"
becomes failed
watch_ends "signals that make no sense" 1
is "$(LC_ALL=C grep -cE $'[\x01-\x1f\x7f]|\xc2[\x80-\x9f]' "$TEST_TMP/out" "$TEST_TMP/err" | cut -d: -f2 | sort -u)" 0 \
    "no control character is printed" || diag "$(cat -v "$TEST_TMP/out" "$TEST_TMP/err")"
like "$err" "job 7 failed: a\?\[2J\?b\. All of it" "in one line"
unlike "$out" "^job 7: *\$" "a state that is no text is none"
answer GetJob 'a{sv}' '{"Id": {"@s": "x"}, "State": {"@u": 1}}'
watch job watch 7 --json
job completed
peer_does '{"removed": 7, "result": "completed"}'
watch_ends "a job of wrong types" 0
answer GetJob s '"x"'
watch job watch 7
watch_ends "an answer of another type" 1
like "$err" "the hub's answer cannot be read: it is of the type 's', not 'a\{sv\}'" "it says so"

# Started, or cancelled, and followed.
answer StartBackup o '"/com/sendense/Hub1/job/7"'
job completed "$times"
watch backup start web --wait
watch_ends "backup start --wait" 0
like "$out" "^job 7: completed after 34 s\$" "it is followed"
answer CancelJob ''
while read -r state status; do
    job "$state"
    watch job cancel 7 --wait
    watch_ends "job cancel --wait of a job that is then $state" "$status"
done <<'TABLE'
cancelled 0
failed 1
completed 3
TABLE

# Ctrl-C, as bash has it ignored in the background.
for signal in INT TERM; do
    job copying
    asked_nothing
    env --default-signal=INT "$ctl" job watch 7 >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- &
    watch_pid=$!
    peer_says "asked GetJob"
    kill -"$signal" "$watch_pid"
    watch_ends "SIG$signal" 130
    is "$err" "sendensectl: job 7 goes on. Watch it: sendensectl job watch 7; cancel it: sendensectl job cancel 7" "it says so"
done

# On a terminal of 60 columns.
job copying '"BytesDone": 0, "BytesTotal": 5368709120'
asked_nothing
script -qec "stty cols 60; exec '$ctl' job watch 7" /dev/null >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- </dev/null &
watch_pid=$!
peer_says "asked GetJob"
peer_does '{"job": 7, "changed": {"BytesDone": 2415919104}}'
becomes finishing
job completed "$times"
becomes completed
watch_ends "on a terminal" 0
screen=$(tr '\r' '\n' <"$TEST_TMP/out")
like "$screen" "^\[#+-+\]  45 %  2\.2 GiB of 5\.0 GiB" "there is a bar" || diag "$(cat -v "$TEST_TMP/out")"
is "$(awk 'length > 60' <<<"$screen" | grep -c '%')" 0 "which fits"
like "$screen" "^job 7: finishing\$" "steps have lines of their own"
unlike "$(<"$TEST_TMP/out")" $'\e' "and there is no escape sequence"

# Two disks: a bar for each and one for both, taken back before a line is printed. Not where a terminal cannot.
two() { printf '"Disks": [{"Key": 2000, "State": "copying", "BytesDone": %s, "BytesTotal": 4294967296}, {"Key": 2001, "State": "copying", "BytesDone": %s, "BytesTotal": 1073741824}, {"Key": 2002, "State": "excluded", "BytesDone": 0, "BytesTotal": 5}]' "$1" "$2"; }
for term in xterm dumb; do
    job copying "\"BytesDone\": 0, \"BytesTotal\": 5368709120, $(two 0 0)"
    asked_nothing
    TERM=$term script -qec "stty cols 70 rows 24; exec '$ctl' job watch 7" /dev/null >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- </dev/null &
    watch_pid=$!
    peer_says "asked GetJob"
    peer_does "{\"job\": 7, \"changed\": {\"BytesDone\": 2415919104, $(two 2147483648 268435456)}}"
    becomes finishing
    job completed "$times"
    becomes completed
    watch_ends "two disks on a terminal that is $term" 0
    screen=$(tr '\r' '\n' <"$TEST_TMP/out")
    if [ "$term" = dumb ]; then
        unlike "$(<"$TEST_TMP/out")" $'\e' "dumb: no escape sequence"
        unlike "$screen" ' 2000  ' "dumb: one bar for both"
        like "$screen" '^\[#+-+\]  45 %  2\.2 GiB of 5\.0 GiB' "dumb: as with one disk"
        continue
    fi
    like "$screen" '2000  \[#+-+\]  50 %  2\.0 GiB of 4\.0 GiB$' "the first is half done" || diag "$(cat -v "$TEST_TMP/out")"
    like "$screen" '2001  \[#+-+\]  25 %  256\.0 MiB of 1\.0 GiB$' "the second a quarter"
    unlike "$screen" '2002' "one that is left out has none"
    like "$screen" '  all  \[#+-+\]  45 %  2\.2 GiB of 5\.0 GiB' "and all of it"
    is "$(grep -oF $'\e[A' "$TEST_TMP/out" | wc -l)" 4 "both times two lines are taken back"
done

# The bus goes away.
job copying
watch job watch 7
ctl_bus_stop
watch_ends "a bus that ends" 69
is "$(tail -1 <<<"$err")" "sendensectl: the bus closed the connection. Look at it: systemctl status dbus.service" "it says so"
done_testing
