#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A password made of everything that somebody escapes, and the keys of exports by TLS, go down every path: HTTP, bus, units, SOAP, nbdkit, the command
# line for people; through whole backups and through ones that fail, are cancelled, or whose programs die with core
# dumps on. They are looked for on command lines and in environments of all programs, on the whole bus, in journals, database,
# transient units, core dumps and folders, in every form; and one planted leak of each kind must be found.

# shellcheck disable=SC2016 # expanded in the machine
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/secrets-lab.bash"

[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip_all "this kernel gives core dumps to a program, which a machine of the lab cannot see"
secrets_up
vcenter_up -empty -password-file /srv/secret/right
vm_new 8M:fill=4M,8M:nvme:fill=2M
targets_tls=yes
targets_up full
job=5000 # the hub, which comes later, counts its own from 1
secrets=(right wrong)
for key in "${keys[@]}"; do secrets+=("nbd-$key"); done
port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")
# Content of a disk takes its time; descriptors, which are looked at before, do not.
slow() { simctl fault delay method=FolderGet vm=/folder/web01/web01-flat.vmdk ms=5000 count=0 >/dev/null; }
quick() { simctl faults clear >/dev/null; }
fired() { simctl faults | jq '[.[].fired] | add'; }
more_fired() { [ "$(fired)" -gt "$1" ]; }
gone() { [ "$(simctl snapshots)" = '[]' ] && [ -z "$(units_left)" ]; } # the session of one that was killed ends by itself
start() { # TYPE [JQ]
    job=$((job + 1))
    answer=$(say POST backup/start "$(request "$@")")
}

# A copy that dies, a node that dies, and the backup that goes on to its end.
slow
start full
like "$answer" '^202 ' "a backup is taken"
ok "it copies" eventually "$patience_sec" runs "sendense-copy-$job"
ok "and reads a disk" eventually "$patience_sec" more_fired 0
processes_now
is "$(node sh -c 'cat /run/credentials/sendense-copy-*/keys.psk | wc -l')" "${#keys[@]}" "it has the keys of its targets, which have TLS"
is "$(node /srv/src/tests/lib/secret-search "${secrets[@]/#//srv/secret/}" -- transient=/run/systemd/transient state=/var/lib/sendense-node run=/run/sendense-node)" "" \
    "while it copies password and keys are in no file but its credentials"
die copy "$(main_pid "sendense-copy-$job")"
ok "a copy that dies is a failed backup" eventually "$patience_sec" state_is failed || diag "$(task .)"
ok "its snapshot goes" eventually "$patience_sec" gone || diag "$(simctl left)"
start full
ok "another copies" eventually "$patience_sec" runs "sendense-copy-$job"
die node "$(main_pid sendense-node)"
ok "a node that dies is started again" eventually "$patience_sec" node busctl status com.sendense.Node1
quick
ok "the backup goes on" eventually "$patience_sec" state_is copied || diag "$(task .)"
say POST "backup/$job/release" '{"outcome":"committed"}' >/dev/null
ok "to its end" eventually "$patience_sec" state_is released || diag "$(task .)"

# Who is at vCenter dies while it logs in.
simctl fault delay method=Login ms=20000 count=1 >/dev/null
start full
ok "a look at vCenter logs in" eventually "$patience_sec" more_fired 0
die vsphere "$(main_pid "sendense-vsphere-$job-look")"
quick
ok "one that dies is a failed backup" eventually "$patience_sec" state_is failed || diag "$(task .)"

# The HTTP API dies with a request in its hands, which the node may take after all.
node kill -STOP "$(main_pid sendense-node)"
job=$((job + 1))
api POST backup/start "$(request full)" >"$TEST_TMP/answer" &
waiter=$!
asks() { [ "$(node ss -Htn state established '( sport = :8081 )' | awk '$1 == 0' | wc -l)" = 1 ] && runs sendense-node-api; }
ok "a request waits for the node" eventually "$patience_sec" asks
die api "$(main_pid sendense-node-api)"
node kill -CONT "$(main_pid sendense-node)"
wait "$waiter"
like "$(<"$TEST_TMP/answer")" '^000' "an API that dies answers nothing"
answers() { grep -Eq '^(200|404) ' <<<"$(api GET "backup/$job")"; }
ok "another is started by the next request" eventually "$patience_sec" answers
say DELETE "backup/$job" >/dev/null

# Wrong, cancelled, misspelt, misplaced.
wrong=$(password_of wrong | jq -R .)
right=$(password_of right | jq -R .)
start full ".vcenter_password = $wrong"
ok "a wrong password fails" eventually "$patience_sec" state_is failed || diag "$(task .)"
is "$(task .error_name)" com.sendense.Error.VCenterLogin "by its name"
slow
start full
ok "one is to be cancelled" eventually "$patience_sec" state_is copying
say DELETE "backup/$job" >/dev/null
ok "and is" eventually "$patience_sec" state_is cancelled
quick
ok "none left a snapshot" eventually "$patience_sec" gone || diag "$(simctl left)"
for body in "{\"job_id\":900,\"vcenter_password\":$right,,}" "{\"job_id\":900,\"attempt\":1,\"vcenter_pasword\":$right}" \
    "$(request full ".job_id = 901 | .vcenter_password = [$right]")" "$(request full ".job_id = 902 | .backup_type = $right")"; do
    like "$(say POST backup/start "$body")" '^400 ' "what makes no sense is refused, whatever it holds"
done
say POST snapshots/cleanup "{\"vcenter_host\":\"127.0.0.1\",\"vcenter_user\":\"x\",\"vcenter_password\":$wrong}" >/dev/null
say POST "backup/$job/release" "{\"outcome\":$right}" >/dev/null
in_node 'curl -s -K - >/dev/null' <<X
url = "http://127.0.0.1:8081/api/v1/backups?vcenter_password=$(jq -r '@uri' <<<"$right")"
header = "Authorization: Bearer $(jq -r '@base64' <<<"$right")"
X

key=$(jq -c '.[]' <<<"$target_keys" | head -n 1)
for body in "$(request full ".job_id = 903 | .nbd_keys = {\"x\": $key}")" "$(request full ".job_id = 904 | .nbd_keys |= map_values([$key])")" \
    "$(request full ".job_id = 905 | .nbd_targets |= map_values(\"nbd://127.0.0.1:1/\" + $key) | .backup_type = $key")" "$(request full ".job_id = 906 | .vm_name = 7")"; do
    like "$(say POST backup/start "$body")" '^400 ' "keys that make no sense are refused"
done
start full '.nbd_keys |= map_values("'"$(printf '%064d' 7)"'")'
ok "a wrong key fails" eventually "$patience_sec" state_is failed || diag "$(task .)"
is "$(task .error_name)" com.sendense.Error.TargetFailed "by its name"
like "$(task .error)" 'no TLS with its server, which may have another key.*nothing was done' "and says so, with nothing done"
is "$(simctl snapshots)" '[]' "before there is a snapshot"
targets_down
targets_tls=
targets_up hand

# For people: the programs by hand, from a private file; by VDDK's stand-in, whose nbdkit dies.
in_node '
    set -e
    mkdir -p /srv/host/datastores
    SENDENSE_BUILD=$2 "$1" -C /srv/sim ready datastores | jq -r ".[] | select(.dc == \"DC0\") | [.name, .dir] | @tsv" |
        while IFS=$(printf "\t") read -r name folder; do ln -s "$folder" "/srv/host/datastores/$name"; done
    SENDENSE_BUILD=$2 "$1" -C /srv/sim ready sha1 >/srv/host/thumbprint
    cp /srv/secret/right /srv/host/password
    echo 3 >/srv/host/stop-at-read' "$simctl_bin" "$inner_build"
by_hand() { # PASSWORD OPTION...
    in_node 'cd /srv/cores && ulimit -c unlimited && exec /usr/lib/sendense/sendense-backup-client migrate \
            --vmware-password-file="/srv/secret/$1" "${@:2}" >>/srv/found/answers 2>&1' \
        "$1" --vmware-endpoint "127.0.0.1:$port" --vmware-username "$user" --vmware-ca-file "$ca" --vmware-path DC0/vm/web01 \
        --nbd-targets "$(jq -r 'to_entries | map("\(.key):\(.value)") | join(",")' <<<"$targets")" "${@:2}"
}
not_ok "by hand with a wrong password" by_hand wrong --job-id 1
ok "by hand" by_hand right --job-id 2 || diag "$(node tail -n 3 /srv/found/answers)"
by_hand right --job-id 3 --transport vddk --vddk-plugin "$inner_build/tests/vddk-stand-in/nbdkit-vddk-stand-in.so" --vddk-libdir /srv/host &
waiter=$!
ok "nbdkit reads" eventually "$patience_sec" node test -e /srv/host/stopped
processes_now
require "and dies" die nbdkit "$(in_node 'ps -eo pid=,stat=,args= | awk "\$2 ~ /T/ && /vddk-stand-in/ { print \$1 }"')"
wait "$waiter"
is "$?" 0 "one that dies is started again" || diag "$(node tail -n 3 /srv/found/answers)"
for name in right wrong; do
    in_node 'for verb in test discover; do /usr/lib/sendense/sendense-vsphere --password-file="/srv/secret/$1" "$verb" <<<"$2"; done >>/srv/found/answers 2>&1' \
        "$name" "$(jq -nc --arg user "$user" --arg ca "$ca" --argjson port "$port" '{vcenter: {host: "127.0.0.1", port: $port, user: $user, ca_file: $ca}}')"
done
in_node 'sendensectl status; sendensectl job list' >/dev/null 2>&1
targets_down

# The hub, to which an operator gives it: a vCenter is added, given another password, asked; a job takes it to the node; and the hub dies.
ctl() { in_node 'sendensectl "$@" 2>&1 | tee -a /srv/found/answers; exit "${PIPESTATUS[0]}"' "$@"; }
manager() { node busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager "$@"; }
add() { ctl vcenter add main 127.0.0.1 --user="$user" --port="$port" --accept-certificate --password-file="/srv/secret/$1"; }
manager AddNode 'ssa{sv}' here '' 1 local b true >/dev/null
in_node 'echo "hub $1" >>/etc/sendense/node-api.tokens && systemctl try-restart sendense-node-api.service' \
    "$(manager EnrolNode 'ssa{sv}' '' '' 1 name s here | jq -r '.data[3]')"
reachable() { [ "$(manager GetNode 'sa{sv}' here 0 | jq -r .data[0].Reachable.data)" = true ]; }
ok "the hub has its node" eventually "$patience_sec" reachable
not_ok "a vCenter with a wrong password is not taken" add wrong
ok "with the right one it is" add right
not_ok "nor is a wrong one in its place" ctl vcenter rotate main --password-file=/srv/secret/wrong
ok "unless it is untested" ctl vcenter rotate main --password-file=/srv/secret/wrong --untested
not_ok "which is no login" ctl vcenter test main
ok "the right one again" ctl vcenter rotate main --password-file=/srv/secret/right
ok "a VM is discovered and entered" ctl vm discover main web01
slow
before=$(fired)
ok "a job begins" ctl backup start web01
ok "its node reads a disk" eventually "$patience_sec" more_fired "$before"
processes_now
die hub "$(main_pid sendense-hub)"
ok "a hub that dies is started again" eventually "$patience_sec" node busctl status com.sendense.Hub1
quick
all_completed() { [ "$(manager ListJobs 'a{sv}' 0 | jq -r '[.data[0][].State.data] | unique | join(" ")')" = completed ]; }
ok "and the job goes on to its end" eventually 120 all_completed || diag "$(ctl job list)"

is "$(node ls /run/credentials | grep -E '^sendense-(copy|vsphere)')" "" "no credential outlives its unit"

# Planted in the same places as all of it, and looked for in the same way.
plant_all
ok "everything is there to be looked at" collect
for program in sendense-vsphere sendense-backup-client nbdkit qemu-nbd sendense-node-api sendense-hub sendensectl; do
    ok "$program was looked at when it started" node grep -aq "$program" /srv/found/proc/cmdline
done
is "$(search "${secrets[@]}")" "" "passwords and keys are found nowhere, in no form"
found=$(search planted)
is "$?" 1 "planted leaks turn it red"
is "$(sed -E 's/^leak ([a-z]*): .*/\1/' <<<"$found" | sort -u | paste -sd' ')" "$(printf '%s\n' "${kinds[@]}" | sort | paste -sd' ')" \
    "one of each kind is found" || diag "$found"
done_testing
