#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Backups by the hub's HTTP API, on a booted machine as it is installed: asked for, refused, followed, cancelled, and what is told of
# their exports is true. The user that the API runs as may nothing by itself.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm twins 16 8
is "$(hub systemctl is-active sendense-hub-api.socket)" active "the API's sockets are there as installed"
is "$(hub systemctl is-active sendense-hub-api.service)" inactive "and nothing behind them before somebody asks"

token=
api() { # METHOD PATH [JSON [CURL-ARGUMENT...]]: "STATUS body"
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -s --max-time 120 -X "$1" ${3:+-H "Authorization: Bearer $3"} ${4:+--data-binary "$4"} -w "\n%{http_code}" "${@:5}" "http://127.0.0.1:8082/api/v1/$2" |
        tac | paste -sd" "' "$1" "$2" "$token" "${3:-}" "${@:4}"
}
body() { cut -d' ' -f2- <<<"$answer"; }
sources() { # VM: as JSON
    local key list=
    for key in ${fault_keys[$1]}; do list+=",\"$key\":\"nbd+unix:///?socket=/run/src/$1-$key.sock\""; done
    echo "{${list#,}}"
}
create() { # [JQ [CURL-ARGUMENT...]]: POST, with the body changed by the filter; in $answer
    local json
    json=$(jq -nc --argjson sources "$(sources twins)" "{vm_name: \"twins\", repository_id: \"1\", backup_type: \"full\", sources: \$sources} | ${1:-.}")
    answer=$(api POST backups "$json" "${@:2}")
}

like "$(api GET backups)" '^401 ' "without a token nothing"
look=$(hub sendensectl token create look) work=$(hub sendensectl token create work --role=inspect --role=backup)
all=$(hub sendensectl token create all --role=inspect --role=backup --role=manage)
token=$look
is "$(api GET backups)" '200 {"backups":[]}' "with one the list"
is "$(hub systemctl is-active sendense-hub-api.service)" active "systemd has started the API"
like "$(hub systemctl show -p User,ExecMainStatus sendense-hub-api.service | paste -sd' ')" 'User=sendense-hub-api' "as its own user"
create
like "$answer" '^403 .*token:look may not call .*StartBackup' "who may look backs nothing up"
token=$work
create
like "$answer" '^403 .*token:work may not call .*StartBackup .*hub.manage' "sources need a manager"
create 'del(.sources)'
like "$answer" '^403 .*"error":"com.sendense.Error.NotAllowed"' "without sources the hub says what it lacks"
is "$(hub sendensectl job list --json | jq length)" 0 "no job was made"

# A whole one.
token=$all
hold twins
create
like "$answer" '^201 ' "201 when it copies"
is "$(body | jq -r .status)" copying "that is its state"
backup_id=$(body | jq -r .backup_id) job=$(body | jq -r .job_id)
is "$(body | jq -r '[.disk_results[] | [.disk_key, .status, .backup_type] | join(" ")] | join(", ")')" "2000 qemu_started full, 2001 qemu_started full" "both disks have their qemu-nbd"
while IFS=$'\t' read -r key port name path pid; do
    # shellcheck disable=SC2016 # expanded in the machine
    is "$(in_hub 'readlink "/proc/$1/exe"; test -e "$2.partial" -o -e "$2" && echo there; ss -Hltn "sport = :$3" | wc -l' "$pid" "$path" "$port" | paste -sd' ')" \
        "$(hub readlink -f /usr/bin/qemu-nbd) there 1" "disk $key: the process is qemu-nbd, the file is there, the port listens"
    like "$(body | jq -r .nbd_targets_string)" "(^|,)$key:nbd://127.0.0.1:$port/$name(,|\$)" "and the targets name it"
done < <(body | jq -r '.disk_results[] | [.disk_key, .nbd_port, .nbd_export_name, .qcow2_path, .qemu_nbd_pid] | @tsv')
is "$(api GET "backups/$backup_id" | cut -d' ' -f2- | jq -c '[.backup_id, .job_id, .status]')" "[\"$backup_id\",$job,\"copying\"]" "it is found by its id while it runs"
create
like "$answer" '^409 .*"error":"com.sendense.Error.VmBusy"' "another of the same VM is refused"

# Followed.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'curl -sN --max-time 120 -H "Authorization: Bearer $1" "http://127.0.0.1:8082/api/v1/jobs/$2/events" >/run/events 2>&1 &
    curl -sN --max-time 120 -H "Authorization: Bearer $3" "http://127.0.0.1:8082/api/v1/jobs/$2/events" >/run/events-revoked 2>&1 &' "$all" "$job" "$look"
seen() { hub grep -q "$2" "/run/$1"; }
ok "a stream begins with how the job stands" eventually "$patience_sec" seen events '"state":"copying"'
ok "and another one's" eventually "$patience_sec" seen events-revoked '"state":"copying"'
hub sendensectl token revoke look >/dev/null
release twins
is "$(wait_job "$job")" completed "it completes"
ok "the stream tells so" eventually "$patience_sec" seen events '"state":"completed"'
stream_ended() { ! hub pgrep -f "jobs/$job/events" >/dev/null; }
ok "and ends, as does that of the token that was revoked" eventually "$patience_sec" stream_ended
# A reader that comes back gets the lines of the history that it has missed, and then how things stand.
stream_from() { # LAST-EVENT-ID
    in_hub 'curl -sN --max-time 60 -H "Authorization: Bearer $1" ${3:+-H "Last-Event-ID: $3"} "http://127.0.0.1:8082/api/v1/jobs/$2/events"' "$all" "$job" "$1" |
        tr -d '\r' | awk '/^id:/ { id = $2 } /^event:/ { event = $2 } /^data:/ { print event, id }'
}
mapfile -t lines < <(hub sendensectl job show "$job" --json | jq -r '.Events[].Id')
newest=${lines[-1]}
ok "the job has a history" test "${#lines[@]}" -ge 4
is "$(stream_from '')" "state $newest" "who comes anew gets how the job stands, by the id of its last line"
is "$(stream_from "${lines[1]}")" "$(printf 'history %s\n' "${lines[@]:2:${#lines[@]}-3}")
state $newest" "who comes back gets what he has missed before that"
is "$(stream_from "$newest")" "state $newest" "who has seen all gets the state alone"
is "$(stream_from nonsense)" "state $newest" "an id that is none is as if there were none"
ok "the ids of a stream never go back" in_hub 'grep -q "^id: [1-9]" /run/events && grep ^id: /run/events | tr -dc "0-9\n" | sort -nc'
like "$(hub tail -n 3 /run/events-revoked)" 'com.sendense.Error.Unauthorized' "which is told why"
unlike "$(hub cat /run/events-revoked)" '"state":"completed"' "and learns nothing more"
is "$(api GET "backups/$backup_id" | cut -d' ' -f2- | jq -c '[.status, (.disk_results | map(.status) | unique), .nbd_targets_string]')" '["completed",["completed"],""]' "it is a backup, without exports"
is "$(api GET 'backups?vm=twins' | cut -d' ' -f2- | jq -r '.backups[0].backup_id')" "$backup_id" "and in the list"
# shellcheck disable=SC2016 # expanded in the machine
is "$(api GET "backups/$backup_id" | cut -d' ' -f2- | jq -r '.disk_results[] | "/srv/src/twins-\(.disk_key).raw \(.qcow2_path)"' | in_hub 'while read -r raw qcow2; do qemu-img compare -q -f raw -F qcow2 "$raw" "$qcow2" && echo same; done' | paste -sd' ')" \
    "same same" "its files are the disks"
is "$(hub sendensectl job show "$job" --json | jq -r .Principal)" token:all "the job says who asked for it"

# At once, cancelled, failed.
hold twins
create '.backup_type = "incremental" | .repository_id = 1' -H 'Prefer: respond-async'
like "$answer" '^202 ' "202 at once when that is preferred"
job=$(body | jq -r .job_id)
ok "it copies" wait_state copying "$job"
token=$work
like "$(api DELETE "jobs/$job")" '^202 \{"status":"cancelling"\}' "it is cancelled"
is "$(wait_job "$job")" cancelled "and ends so"
release twins
token=$all
hub mv "$fault_repo" "$fault_repo.away"
create
like "$answer" '^500 .*"detail":".*'"$fault_repo"'.*"error":"com.sendense.Error.RepositoryMissing"' "a repository that is not there: the failure and its reason"
like "$(body | jq -r '.job_id')" '^[0-9]+$' "and which job"
hub mv "$fault_repo.away" "$fault_repo"

# The same request again.
create '.backup_type = "full"' -H 'Idempotency-Key: monday'
like "$answer" '^201 ' "a request with a key"
job=$(body | jq -r .job_id)
create '.backup_type = "full"' -H 'Idempotency-Key: monday'
like "$answer" '^201 ' "the same again"
is "$(body | jq -r .job_id)" "$job" "is the same job"
create '.backup_type = "incremental"' -H 'Idempotency-Key: monday'
like "$answer" '^422 .*"error":"com.sendense.Error.KeyReused"' "another with that key is refused"
create '.exclude = {"2000": "a", "2001": "b"}' -H 'Idempotency-Key: tuesday'
like "$answer" '^400 .*"error":"com.sendense.Error.InvalidArgument"' "what makes no sense does not with a key, either"
is "$(wait_job "$job")" completed "the job completes"
like "$(api GET ../../health)" '^200 .*"check":"repository","status":"ok"' "health has the repository"
like "$(api GET ../../metrics)" "sendense_vm_last_backup_age_seconds\\{vm=\"twins\",context_id=\"ctx-twins-[0-9-]+\"\\} [0-9]+ " "metrics the age of the last backup"

# All of it: what is due is verified, all disks are restored, the repository is looked at and read.
answer=$(api POST verify '{"vm":"twins","older_than_sec":0}')
like "$answer" '^202 \{"job_ids":\[[0-9]+,[0-9]+\]\}' "everything that is due is verified, which is two chains"
for job in $(body | jq '.job_ids[]'); do is "$(wait_job "$job")" completed "job $job finds it sound"; done
is "$(api POST verify '{"vm":"twins","older_than_sec":3600}')" '202 {"job_ids":[]}' "nothing of it is due any more"
back=$(hub sendensectl token create back --role=inspect --role=restore)
token=$back
into='{"folder":"/var/lib/sendense/restore"}'
answer=$(api POST "backups/$backup_id/restore-disks" "$into" -H 'Idempotency-Key: back')
like "$answer" '^202 \{"jobs":\[\{"disk_key":2000,' "all disks are restored"
restores=$(body | jq -c '[.jobs[].job_id]')
is "$(api POST "backups/$backup_id/restore-disks" "$into" -H 'Idempotency-Key: back' | cut -d' ' -f2- | jq -c '[.jobs[].job_id]')" "$restores" "the same again is the same jobs"
like "$(api POST "backups/$backup_id/restore-disks" "${into/\}/,\"format\":\"qcow2\"\}}" -H 'Idempotency-Key: back')" '^422 .*"error":"com.sendense.Error.KeyReused"' "others with that key are refused"
for job in $(jq '.[]' <<<"$restores"); do
    is "$(wait_job "$job")" completed "job $job restores a disk"
done
is "$(body | jq -r '.jobs[] | "/srv/src/twins-\(.disk_key).raw \(.path)"' | in_hub 'while read -r raw back; do cmp "$raw" "$back" && echo same; done' | paste -sd' ')" "same same" "which is what it was"
like "$(api POST "backups/$backup_id/restore-disks" '{"folder":"/srv"}')" '^403 .*NotAllowed.*"jobs":\[\]' "elsewhere a token restores nothing, and is told what was begun"
like "$(api POST backups/none/restore-disks "$into")" '^404 ' "nor a backup that is not there"
token=$all
answer=$(api POST "backups/$backup_id/verify" '{"chain":true}' -H 'Idempotency-Key: seen')
like "$answer" '^202 ' "a backup is verified, with a key"
job=$(body | jq .job_id)
like "$(api POST "backups/$backup_id/verify" '{"disks":[2000]}' -H 'Idempotency-Key: seen')" '^422 .*"error":"com.sendense.Error.KeyReused"' "another verification with that key is refused"
is "$(wait_job "$job")" completed "the first goes on"
like "$(api POST repositories/1/check)" '^200 .*"state":"ok"' "a repository is looked at"
like "$(api POST repositories/1/scan)" '^200 .*"added":0' "its files say nothing new"
like "$(api POST cleanup)" '^200 \{"done":\[' "upkeep says what it did"
like "$(api GET diagnose)" '^200 .*"verdict":"ok"' "and what is wrong is told"

# The hub is started anew beside what waits and what is followed: a request in the queue, and the stream of the job before it.
settings '[Jobs]
Running=1'
vm web 8
hold twins
create '.backup_type = "full"'
like "$answer" '^201 ' "one copies"
first=$(body | jq -r .job_id)
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'curl -sN --max-time 240 -H "Authorization: Bearer $1" "http://127.0.0.1:8082/api/v1/jobs/$2/events" >/run/events-again 2>&1 &
    curl -s --max-time 240 -w "\n%{http_code}\n" -H "Authorization: Bearer $1" -H "Prefer: wait=200" --data-binary "$3" http://127.0.0.1:8082/api/v1/backups >/run/waited 2>&1 &' \
    "$all" "$first" "$(jq -nc --argjson sources "$(sources web)" '{vm_name: "web", backup_type: "full", sources: $sources}')"
ok "it is followed" eventually "$patience_sec" seen events-again '"state":"copying"'
waits() { [ "$(hub sendensectl job list --state=queued --json | jq -r '.[].Vm')" = web ]; }
ok "another waits in the queue" eventually "$patience_sec" waits
require "the hub is started anew" hub systemctl restart sendense-hub
hub_ready
release twins
is "$(wait_job "$first")" completed "the first completes"
ok "which its stream tells" eventually "$patience_sec" seen events-again '"state":"completed"'
unlike "$(hub cat /run/events-again)" Unauthorized "and nobody is refused"
ok "the other is answered" eventually "$patience_sec" seen waited '^[0-9][0-9][0-9]$'
is "$(hub tail -n 1 /run/waited)" 201 "with 201 when it copies"
is "$(wait_job "$(hub head -n 1 /run/waited | jq -r .job_id)")" completed "and completes"
settings ''

# Bodies that are none.
wrong() { # NAME REGEX JSON [STATUS]
    answer=$(api POST backups "$3")
    like "$answer" "^${4:-400} .*$2" "$1"
}
wrong "no JSON" 'no JSON' '{'
wrong "no object" 'object' '[]'
wrong "no VM" 'vm_name' '{"backup_type":"full"}'
wrong "a VM that is none" 'NotFound' '{"vm_name":"none","sources":{"2000":"nbd://127.0.0.1/"}}' 404
wrong "a repository that is none" 'NotFound' '{"vm_name":"twins","repository_id":"none","sources":{"2000":"nbd://127.0.0.1/"}}' 404
wrong "disk_id" 'disk_id is not taken.*whole VM.*exclude' '{"vm_name":"twins","disk_id":0}'
wrong "an unknown member" 'whatever' '{"vm_name":"twins","whatever":1}'
wrong "a member twice" 'duplicate' '{"vm_name":"twins","vm_name":"twins"}'
wrong "a number for a name" 'vm_name' '{"vm_name":7}'
wrong "a repository of the wrong type" 'repository_id must be' '{"vm_name":"twins","repository_id":1.5}'
wrong "a type that is none" 'full or incremental' '{"vm_name":"twins","backup_type":"diff"}'
wrong "a disk that is none" 'disk keys' '{"vm_name":"twins","exclude":{"scsi0:0":"swap"}}'
wrong "a reason that is none" 'one line of text' '{"vm_name":"twins","exclude":{"2000":7}}'
wrong "too deep" 'nested deeper' '{"vm_name":[[[[[[1]]]]]]}'
wrong "a path for a name" 'NotFound' '{"vm_name":"../../etc/passwd","sources":{"2000":"nbd://127.0.0.1/"}}' 404
like "$(api GET backups/..%2f..%2fetc%2fpasswd '' --path-as-is)" '^404 ' "nor in a path"
like "$(api GET backups/none)" "^404 .*There is no backup" "a backup that is none"

# What the API's user may by itself.
as_api() { hub setpriv --reuid=sendense-hub-api --regid=sendense-hub-api --clear-groups -- "$@" 2>&1; }
like "$(as_api gdbus call --system --dest "$HUB_NAME" --object-path "$HUB_PATH" --method "$HUB_MANAGER.ListJobs" -- '@a{sv} {}')" 'by a session of theirs' "without a session nothing of the hub"
like "$(as_api busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' x.service fail 0 0)" \
    '[Aa]ccess denied|[Rr]ejected' "it starts no unit"
exposure=$(hub systemd-analyze security --no-pager sendense-hub-api.service | tail -n 1)
diag "$exposure"
ok "the service is at most 2.5" hub systemd-analyze security --no-pager --threshold=25 sendense-hub-api.service
for secret in "$look" "$work" "$all"; do
    is "$(hub journalctl -q --no-pager -o cat | grep -cF -e "$secret")" 0 "a token is in no line of the journal"
done
hub sendensectl cleanup >/dev/null
ok "nothing is left" nothing_left descriptors
done_testing
