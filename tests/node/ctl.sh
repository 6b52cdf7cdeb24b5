#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl against the real node, on a bus of its own: its tasks for people and for scripts, its line in the status,
# and what is said when it is away, when there is no such task, and when it refuses.

. "$(dirname "$0")/../lib/tap.sh"

ctl=$SENDENSE_BUILD/cli/sendensectl
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus TZ=UTC
mkdir -p "$TEST_TMP/state/ledger" "$TEST_TMP/run"
dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" >/dev/null 2>&1 &
at_end "kill $!"
ok "a bus" eventually 20 test -S "$TEST_TMP/bus"

run() { # NAME STATUS ARGUMENT...
    out=$("$ctl" "${@:3}" 2>"$TEST_TMP/err")
    is "$?" "$2" "$1: exit status $2" || diag "$out" "$(<"$TEST_TMP/err")"
    err=$(<"$TEST_TMP/err")
}

run "task list without a node" 69 task list
like "$err" '^sendensectl: the node does not run here\. Start it: systemctl start sendense-node\.service \(' "it names the node and the remedy"
run "status without anybody" 69 status
is "$out" "" "prints nothing"

cat >"$TEST_TMP/state/ledger/7.json" <<'X2'
{"Job":7,"Attempt":2,"State":"failed","Digest":"0","BootId":"0","CreatedUSec":1763726400000000,"ErrorName":"com.sendense.Error.TargetFailed",
 "ErrorText":"disk 2000: the target is gone","SnapshotName":"sendense-abc-7-2","Unit":"sendense-copy-7.service",
 "Request":{"vm_name":"web\u001b[31m","nbd_targets":{"2000":"nbd://127.0.0.1/x"}},
 "Snapshot":{"disks":[{"disk_key":2000,"capacity_bytes":1073741824}]}}
X2
STATE_DIRECTORY=$TEST_TMP/state RUNTIME_DIRECTORY=$TEST_TMP/run "$SENDENSE_SRC/tests/lib/with-machine-id" "$SENDENSE_BUILD/busd/node/sendense-node" 2>"$TEST_TMP/log" &
at_end "kill $!"
ok "the node is on it" eventually 20 busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" status com.sendense.Node1 || diag "$(<"$TEST_TMP/log")"

run "task list" 0 task list
like "$out" '^JOB +VM +STATE +DONE +OF +SNAPSHOT +CREATED +ERROR$' "a table"
like "$out" '^ +7 +web[^ ]+ +failed +0 B +1\.00? GiB|^ +7 +web[^ ]+ +failed ' "with the task"
like "$out" 'disk 2000: the target is gone$' "and its error"
unlike "$out" $'\033' "and no control character of a VM's name"
run "task list as JSON" 0 task list --json
is "$(jq -c '[.[] | .Id, .Attempt, .State, .OwesSnapshot, .Disks[0].Key]' <<<"$out")" '[7,2,"failed",false,2000]' "for scripts, by the names of the bus"
run "task show" 0 task show 7
like "$out" '^ *Snapshot: sendense-abc-7-2$' "the snapshot's name"
like "$out" '^ *Its name: com\.sendense\.Error\.TargetFailed$' "the error's name"
like "$out" '^ *2000 ' "and the disks"
run "task show of none" 1 task show 8
like "$err" 'the node refuses: .*no job 8.*List its tasks: sendensectl task list$' "it says what there is"
run "task show of a word" 64 task show web
run "task cancel of one that is over" 1 task cancel 7
like "$err" 'the node refuses: Job 7 is failed already$' "it says how it ended"
run "task release to a wrong outcome" 64 task release 7 forgotten
like "$err" "'forgotten' must be committed or abandoned" "it says what can be"
run "task release of none" 1 task release 8 committed
run "status without a hub" 69 status
like "$err" 'the hub does not run' "still says that the hub is away"
like "$out" '^ *Node: (running|degraded), 0 open, 0 owed to vCenter \(version ' "and shows the node"
run "status as JSON" 69 status --json
is "$(jq -c '[.Node.Tasks, .Node.Obligations]' <<<"$out")" '[0,0]' "for scripts"

# Here is no systemd, so the units are not well; the rest is this machine's.
run "doctor" 3 doctor --json
is "$(jq -r '.[].Check' <<<"$out" | grep -c node)" 7 "the node's units and what it needs are looked at"
is "$(jq -c '.[] | select(.Check == "node sources") | [.Verdict, .Text]' <<<"$out")" \
    '["ok","disks are read over HTTPS, which needs nothing else"]' "how disks are read"
like "$(jq -r '.[] | select(.Check == "node tokens") | .Verdict + " " + .Text' <<<"$out")" 'node-api\.tokens' "who may ask"
is "$(jq -c '[.[] | select(.Verdict != "ok" and .Remedy == null)]' <<<"$out")" '[]' "each that is not well has a remedy"
done_testing
