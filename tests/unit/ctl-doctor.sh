#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl doctor with a hub, without one, and without anybody; and all that status shows.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
run "doctor without a bus" 69 doctor
like "$err" "Cannot reach the system bus: .* Start it: systemctl start dbus\.socket" "cause and remedy"
ctl_bus_start

# units UNIT=LOAD,ACTIVE,SUB...: a systemd that has these.
mkfifo "$TEST_TMP/to-units" "$TEST_TMP/from-units"
units_pid=
units_stop() {
    [ -n "$units_pid" ] || return 0
    exec 5>&-
    wait "$units_pid"
    units_pid=
}
units() {
    local line
    units_stop
    "$SENDENSE_BUILD/tests/unit/ctl-peer-units" "$@" <"$TEST_TMP/to-units" >"$TEST_TMP/from-units" 7>&- 8<&- &
    units_pid=$!
    exec 5>"$TEST_TMP/to-units" 6<"$TEST_TMP/from-units"
    IFS= read -r -t 10 line <&6
    exec 6<&-
    [ "$line" = ready ] || {
        echo "Bail out! ctl-peer-units is not ready"
        exit 1
    }
}
at_end units_stop

# No hub.
run "doctor without a hub and a systemd" 3 doctor
like "$err" "^sendensectl: the hub does not run\. Start it: systemctl start sendense-hub\.service" "the hub does not run"
like "$out" "^bad +sendense-hub\.service +systemd does not say: " "and systemd says nothing"
units sendense-hub.service=loaded,failed,failed mariadb.service=loaded,active,running
run "doctor without a hub" 3 doctor
is "$out" "VERDICT  CHECK                 FOUND
bad      sendense-hub.service  failed (failed)
                               Remedy: systemctl status sendense-hub.service; journalctl -u sendense-hub.service -n 50
ok       mariadb.service       active (running)
bad      polkit.service        not-found
                               Remedy: systemctl status polkit.service; journalctl -u polkit.service -n 50" \
    "how the units stand, and what to do"
run "doctor without a hub as JSON" 3 doctor --json
is "$(jq -c 'map([.Check, .Verdict, .Text, has("Remedy")])' <<<"$out")" \
    '[["sendense-hub.service","bad","failed (failed)",true],["mariadb.service","ok","active (running)",false],["polkit.service","bad","not-found",true]]' \
    "for scripts, in the hub's words"
units {sendense-hub,mariadb,polkit}.service=loaded,active,running
run "units that are all well, and no hub on the bus" 3 doctor
unlike "$out" "^bad" "no unit is bad"

# A hub. Its programs, and those of others that it needs, are below a root of our own.
root=$TEST_TMP/root
libexec=$(sed -nE 's/^#define SENDENSE_LIBEXEC_DIR "(.*)"$/\1/p' "$SENDENSE_BUILD/build-config.h")
bin=$(sed -nE 's/^#define SENDENSE_BIN_DIR "(.*)"$/\1/p' "$SENDENSE_BUILD/build-config.h")
mkdir -p "$root$libexec" "$root$bin" "$root/usr/bin"
cp "$ctl" "$root$bin/sendensectl"
cp "$ctl" "$root$libexec/sendense-hub" # any program of ours will do: its file is read, not run
id=$("$ctl" --version | sed -E 's/.*build-id ([0-9a-f]+)\).*/\1/')
tool() { printf '#!/bin/sh\necho "%s"\n' "$2" >"$root/usr/bin/$1" && chmod 755 "$root/usr/bin/$1"; }
tool qemu-img "qemu-img version 7.2.22 (Debian 1)"
tool qemu-nbd "qemu-nbd 7.2.22 (Debian 1)"
tool nbdcopy "nbdcopy 1.14.2"
hub_answers() { peer_with_answers BuildId="$id" DatabaseSchema=3 ProgramSchema=3 "$@"; }
doctor() { run "$1" "$2" doctor --root="$root" "${@:3}"; }
hub_answers
units sendense-hub.service=loaded,active,running
answer Diagnose 'aa{sv}' '[{"Check": "database", "Verdict": "ok", "Text": "ready, schema 4"}, {"Check": "space", "Verdict": "ok", "Text": "enough"}]'
doctor "doctor" 0
is "$out" "VERDICT  CHECK     FOUND
ok       database  ready, schema 4
ok       space     enough
ok       versions  all programs are of one build, and the hub that runs is its file
ok       tools     qemu-img, qemu-nbd and nbdcopy are there
ok       services  none of ours has failed" "what it found"
doctor "doctor as JSON" 0 --json
is "$(jq -cS '.[:2]' <<<"$out")" "$(jq -cS .value "$answers/Diagnose.json")" "as the bus has it"

# What it looks at itself: tools, units, versions.
answer Diagnose 'aa{sv}' '[]'
bad() { grep -A1 '^bad' <<<"$out" | tr -s ' '; }
tool qemu-nbd "qemu-nbd 6.2.0 (Debian 1:6.2+dfsg-3)"
doctor "doctor with an old qemu-nbd" 3
is "$(bad)" "bad tools $root/usr/bin/qemu-nbd says \"qemu-nbd 6.2.0 (Debian 1:6.2+dfsg-3)\", 7.2 is needed
 Remedy: apt-get install qemu-utils" "says which, and what to install"
tool qemu-nbd "qemu-nbd 7.2.22 (Debian 1)"
rm "$root/usr/bin/nbdcopy"
doctor "doctor without nbdcopy" 3
is "$(bad)" "bad tools $root/usr/bin/nbdcopy is missing or cannot be run
 Remedy: apt-get install libnbd-bin" "says that"
tool nbdcopy "nbdcopy 1.14.2"
units sendense-hub.service=loaded,active,running sendense-firewall@hub.service=loaded,failed,failed sendense-import-7.service=loaded,failed,failed
doctor "doctor with a unit that failed, and one of a job" 3
is "$(bad)" "bad services sendense-firewall@hub.service failed
 Remedy: systemctl status of it says why; when that is mended: systemctl restart, or systemctl reset-failed" "says that the first has"
units sendense-hub.service=loaded,active,running
peer_with_answers BuildId=00ff DatabaseSchema=3 ProgramSchema=3
doctor "doctor with a hub that is not its file" 3
is "$(bad)" "bad versions sendense-hub: the running process was started from another file than the one on disk. Restart it: systemctl restart sendense-hub.service
 Remedy: sendensectl version shows all of them" "says so"
hub_answers
for verdict in warning bad strange; do
    jq -n --arg v "$verdict" --arg t $'x\e[2J' '{signature: "aa{sv}", value: [{Check: "a", Verdict: "ok", Text: "b"},
        {Check: "space", Verdict: $v, Text: $t, Remedy: "add some"}]}' | answer_file Diagnose
    doctor "doctor that says $verdict" 3
    is "$(sed -n '3,4p' <<<"$out" | tr -s ' ')" "$verdict space x?[2J
 Remedy: add some" "$verdict: with its remedy"
done
# Around the hub: the sockets of its HTTP API, and the vCenters.
answer Diagnose 'aa{sv}' '[]'
found() { tail -n +2 <<<"$out" | grep -vE '^ok +(versions|tools|services) ' | tr -s ' '; }
while IFS='|' read -r socket service status want; do
    units "sendense-hub-api.socket=$socket" "sendense-hub-api.service=$service"
    doctor "doctor, the HTTP API's socket being $socket and its service $service" "$status"
    is "$(found)" "$want" "it says: $want"
done <<'TABLE'
loaded,active,listening,enabled|loaded,inactive,dead|0|ok HTTP API its sockets listen
loaded,inactive,dead,disabled|loaded,inactive,dead|0|ok HTTP API is switched off
not-found,inactive,dead|not-found,inactive,dead|0|
TABLE
units sendense-hub-api.socket=loaded,failed,failed,enabled sendense-hub-api.service=loaded,inactive,dead
doctor "doctor with an HTTP API that is not there" 3
like "$out" '^bad +HTTP API +nobody listens: sendense-hub-api.socket is enabled and not active$' "which is not well"
like "$out" 'Remedy: systemctl reset-failed .*; systemctl start sendense-hub-api.socket' "and what to do"
units sendense-hub-api.socket=loaded,active,listening,enabled sendense-hub-api.service=loaded,failed,failed
doctor "doctor with one that dies" 3
like "$out" '^bad +HTTP API +sendense-hub-api.service failed$' "is not well either"
units sendense-hub.service=loaded,active,running
answer ListVcenters 'aa{sv}' '[{"Name": "main"}]'
answer TestVcenter 'a{sv}' '{"Name": "VMware vCenter Server", "Version": "8.0.2"}'
doctor "doctor with a vCenter" 0
is "$(found)" 'ok vCenter main lets us in: VMware vCenter Server 8.0.2' "it was asked"
is "$(asked TestVcenter)" 'sa{sv} STRING "main"; ARRAY "{sv}" { }; ' "by its name"
refuse TestVcenter com.sendense.Error.VCenterLogin 'The login is refused: check user and password'
doctor "doctor with one that refuses us" 3
is "$(found)" 'bad vCenter main The login is refused: check user and password
 Remedy: sendensectl vcenter test main' "says so"
refuse TestVcenter org.freedesktop.DBus.Error.Timeout 'Connection timed out'
doctor "doctor with one that is slow" 3
is "$(found)" 'warning vCenter main did not answer within 20 s
 Remedy: sendensectl vcenter test main' "says that, which is not bad"
refuse TestVcenter org.freedesktop.DBus.Error.AccessDenied "You may not."
doctor "doctor by who may not ask it" 0
is "$(found)" '' "leaves it out"
refuse ListVcenters com.sendense.Error.DatabaseUnavailable "Away."
doctor "doctor without a database" 0

refuse Diagnose org.freedesktop.DBus.Error.AccessDenied "You may not."
doctor "doctor for somebody without a right" 77
is "$out" "" "nothing is shown"

# Status shows the work too.
answer ListJobs 'aa{sv}' '[{"Id": 9, "Type": "backup", "Vm": "db", "State": "queued"},
  {"Id": 8, "Type": "backup", "Vm": "web", "State": "copying", "BytesDone": 1, "BytesTotal": 2},
  {"Id": 7, "Type": "backup", "Vm": "web", "State": "completed"}]'
answer ListPorts 'aa{sv}' '[{"Port": 10100, "Job": 8}]'
answer ListObligations 'aa{sv}' '[{"Id": 1}, {"Id": 2, "State": "owed"}, {"Id": 3, "State": "running"}]'
answer ListRepositories 'aa{sv}' '[{"Name": "default", "State": "ok", "FreeBytes": 5368709120, "SizeBytes": 10737418240}, {"Name": "nas", "State": "unknown"}]'
answer ListNodes 'aa{sv}' '[{"Name": "edge1", "State": "enrolled", "Reachable": true, "Obligations": 2, "Error": ""}, {"Name": "edge2", "State": "waiting", "Reachable": false}]'
answer ListPolicies 'aa{sv}' '[{"Name": "nightly", "Calendar": "daily", "Enabled": true, "NextRunUSec": 1700000000000000, "LastRunState": "failed", "TimerError": ""},
  {"Name": "by-hand", "Calendar": "", "Enabled": true}, {"Name": "old", "Calendar": "weekly", "Enabled": false, "LastRunState": "completed"}]'
run "status" 0 status
is "$(tail -n +4 <<<"$out")" "  Exports: ports 10100-10200
Log level: info
     Jobs: 2 open
           9: backup of db, queued
           8: backup of web, copying, 50 %
   Leases: 1 in use
  To undo: 2
    Repos: default, ok, 5.0 GiB of 10.0 GiB free
           nas, unknown
    Nodes: edge1, answers
           owes 2 to vCenter; sendensectl cleanup says what
           edge2, waits to be enrolled
 Policies: nightly, next run $(date -d @1700000000 '+%Y-%m-%d %H:%M:%S'), the last one failed
           by-hand, runs when it is asked to
           old, switched off, the last one completed" "open jobs, leases, obligations, repositories, nodes, policies"
run "status as JSON" 0 status --json
is "$(jq -c '[.State, (.OpenJobs | map(.Id)), .Leases, .OpenObligations, (.Repositories | map(.FreeBytes))]' <<<"$out")" \
    '["running",[9,8],[{"Port":10100,"Job":8}],[{"Id":1},{"Id":2,"State":"owed"},{"Id":3,"State":"running"}],[5368709120,null]]' "as the bus has it"
answer ListRepositories 'aa{sv}' '[{"Name": "nas", "State": "failed", "Error": "not mounted"}]'
run "status with a failed repository" 3 status
like "$out" "^    Repos: nas, failed: not mounted\$" "which, and why"
answer ListRepositories 'aa{sv}' '[]'
answer ListNodes 'aa{sv}' '[{"Name": "edge1", "State": "enrolled", "Reachable": false, "Error": "Node edge1 has no tunnel"}]'
run "status with a node that is away" 3 status
like "$out" $'^    Nodes: edge1, does not answer\n           Node edge1 has no tunnel\$' "which, and why"
answer ListNodes 'aa{sv}' '[]'
answer ListPolicies 'aa{sv}' '[{"Name": "nightly", "Calendar": "daily", "Enabled": true, "TimerError": "The unit is masked"}]'
run "status with a policy that has no timer" 3 status
like "$out" $'^ Policies: nightly, next run -\n           The unit is masked\$' "which, and why"
answer ListPolicies 'aa{sv}' '[]'
run "status without a repository" 0 status
like "$out" "^    Repos: none\. Add one: sendensectl repository add NAME PATH\$" "what to do"
refuse ListPorts com.sendense.Error.DatabaseUnavailable $'The database\e[2J is away.'
run "status when the database goes" 0 status
like "$out" "^     Jobs: not known: The database\?\[2J is away\.\$" "the rest is shown all the same"
peer_with_answers DatabaseError=$'a\e[2J\nb' Version=$'\e[1m'
run "status of a hub that says strange things" 0 status
unlike "$out" $'\e' "no escape sequence reaches the terminal"
done_testing
