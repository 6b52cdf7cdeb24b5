#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl policy …: what it asks the hub for, what it shows, and which arguments it refuses itself.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers
row='{"Name":"daily","Match":["web*","db1"],"Except":[],"Repository":"local","Calendar":"daily","Persistent":true,"Enabled":true,"KeepLast":2,"KeepDaily":7,"Principal":"uid:0"}'
answer SetPolicy 'a{sv}' "$row"
run "policy set" 0 policy set daily --vm='web*' --vm=db1 --calendar=daily --random-delay=5min --full-every=30d --enabled=yes --keep-last=2 --keep-daily=7
for text in '"match"; VARIANT "as" { ARRAY "s" { STRING "web*"; STRING "db1"; }' '"calendar"; VARIANT "s" { STRING "daily"' \
    '"randomized_delay_usec"; VARIANT "t" { UINT64 300000000' '"full_every_usec"; VARIANT "t" { UINT64 2592000000000' \
    '"enabled"; VARIANT "b" { BOOLEAN true' '"keep_last"; VARIANT "u" { UINT32 2' '"keep_daily"; VARIANT "u" { UINT32 7'; do
    ok "the hub gets $text" grep -qF "$text" <<<"$(asked SetPolicy)"
done
like "$out" 'Keeps: 2 last, 7 daily' "it shows what is kept"
run "what is not given" 0 policy set daily --except=
is "$(asked SetPolicy)" 'sa{sv} STRING "daily"; ARRAY "{sv}" { DICT_ENTRY "sv" { STRING "except"; VARIANT "as" { ARRAY "s" { }; }; }; }; ' "is not sent"
answer ListPolicies 'aa{sv}' "[$row]"
run "policy list" 0 policy list
like "$out" '^daily +web\* db1 +daily +- +- +- +2 last, 7 daily$' "a line for each"
answer ListPolicies 'aa{sv}' '[]'
run "when there is none" 0 policy list
like "$out" 'policy set' "it says how to make one"
answer RunPolicy t 7
run "policy run" 0 policy run daily
is "$out" "run 7. See it: sendensectl policy show daily" "the run"
# Followed to its end, which the hub may be away for.
runs() { answer GetPolicy 'a{sv}' "$(jq -c --argjson runs "[$1]" '. + {Runs: $runs}' <<<"$row")"; } # RUN…
other='{"Id":6,"State":"failed","Summary":"of yesterday"}'
runs "{\"Id\":7,\"State\":\"completed\",\"Summary\":\"2 backed up\"},$other"
run "policy run --wait" 0 policy run daily --wait
is "$out" "run 7: completed: 2 backed up" "its end"
run "as JSON" 0 --json policy run daily --wait
is "$(jq -r '"\(.Id) \(.State)"' <<<"$out")" "7 completed" "the run"
runs "{\"Id\":7,\"State\":\"failed\",\"Summary\":\"1 backed up, 1 failed\"},$other"
run "one that fails" 1 policy run daily --wait
like "$err" 'run 7 of policy daily failed: 1 backed up, 1 failed\. All of it: sendensectl policy show daily' "says so"
run "as JSON" 1 --json policy run daily --wait
runs "$other"
run "one that the hub does not know" 1 policy run daily --wait
like "$err" 'run 7 is not among the last of policy daily' "says so"
runs "{\"Id\":7,\"State\":\"running\"}"
rm "$answers/GetPolicy.call"
"$ctl" policy run daily --wait >"$TEST_TMP/waits" 2>&1 7>&- 8<&- &
waits=$!
ok "one that runs is looked at" eventually 30 test -e "$answers/GetPolicy.call"
refuse GetPolicy com.sendense.Error.DatabaseUnavailable 'The database is away.'
ok "through a hub that cannot say" eventually 30 grep -q 'waiting for it. Ctrl-C ends the waiting, not the run' "$TEST_TMP/waits"
runs '{"Id":7,"State":"completed","Summary":"1 backed up"}'
wait "$waits"
is "$? $(tail -n 1 "$TEST_TMP/waits")" '0 run 7: completed: 1 backed up' "to its end"
refuse GetPolicy com.sendense.Error.NotFound 'There is no policy daily'
run "one whose policy is removed" 1 policy run daily --wait
like "$err" 'There is no policy daily' "says so"
answer RemovePolicy ''
run "policy remove" 0 policy remove daily
like "$out" 'Its backups stay' "and what stays"
while IFS='|' read -r arguments text; do
    # shellcheck disable=SC2086 # arguments are words
    run "policy set $arguments" 64 policy set x $arguments
    like "$err" "$text" "$arguments: in words"
done <<'TABLE'
--keep-last=x|must be a number from 0 to 10000
--keep-yearly=10001|must be a number from 0 to 10000
--full-every=often|must be a time
--persistent=maybe|must be yes or no
TABLE
run "two VMs of a list" 64 job list --vm=a --vm=b
like "$err" 'can be given once only' "elsewhere a VM is given once"
done_testing
