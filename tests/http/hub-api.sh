#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-hub-api in front of a real hub: who may ask what, the lists and their pages, refusals as problem documents, and what comes
# that no client should send.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private -- "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/hub-api.bash"

hub_api_up
look=$(token look inspect) work=$(token work inspect,backup) all=$(token all inspect,backup,manage)

# Who asks.
token=
like "$(ask /api/v1/backups)" '^401 \{"type":"about:blank","title":"Unauthorized","status":401,"detail":"A token is needed.*sendensectl token create.*","error":"com.sendense.Error.Unauthorized"\}' \
    "without a token nobody gets anything"
like "$(curl -s -i "http://127.0.0.1:$api_port/api/v1/backups" | tr -d '\r')" '^WWW-Authenticate: Bearer$' "and is told how to come back"
like "$(curl -s -i "http://127.0.0.1:$api_port/api/v1/backups" | tr -d '\r')" '^Content-Type: application/problem\+json$' "as a problem document"
for wrong in x "$(openssl rand -hex 32)" "${look:0:63}" "${look}0" "$(printf 'a%.0s' {1..256})"; do
    token=$wrong
    like "$(ask /api/v1/backups)" '^401 ' "a token that nobody made (${#wrong} characters)"
done
token=$look
is "$(ask /api/v1/backups)" '200 {"backups":[]}' "with one the list is there, and empty"
like "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: bearer $look" "http://127.0.0.1:$api_port/api/v1/backups")" 200 "the scheme is read in any case"
is "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Basic $(base64 -w0 <<<"look:$look")" "http://127.0.0.1:$api_port/api/v1/backups")" 401 "another scheme is none"
is "$(local_ask /api/v1/backups)" '200 {"backups":[]}' "root needs none at the unix socket"
as=("${nobody[@]}")
is "$(local_ask /api/v1/backups)" '200 {"backups":[]}' "nobody may look, as polkit's rule says"
like "$(local_ask /api/v1/jobs/7 -X DELETE)" '^403 .*"detail":"uid:65534 may not call .*CancelJob .*"error":"org.freedesktop.DBus.Error.AccessDenied"' "but cancel nothing"
as=()
like "$(local_ask /api/v1/backups -H "Authorization: Bearer nonsense")" '^401 ' "a wrong token is none at the unix socket either"
like "$(local_ask /api/v1/jobs/7 -X DELETE -H "Authorization: Bearer $look")" '^403 .*token:look may not' "and who shows one asks by it, root or not"

# Lists.
for list in backups jobs vms repositories nodes vcenters ports obligations; do
    like "$(ask "/api/v1/$list")" "^200 \\{\"$list\":\\[" "$list"
    like "$(ask "/api/v1/$list?nonsense=1")" '^400 .*InvalidArgument' "$list: an unknown filter is refused, and not ignored"
done
hub_do SetVm 11111111-1111-1111-1111-111111111111 "Büro 1" DC0/vm/a "[{'Key': <uint32 2000>, 'UnitNumber': <uint32 0>, 'Controller': <'scsi0'>, 'CapacityBytes': <uint64 1048576>}]" "$none"
like "$answer" "ctx-" "a VM"
for i in 2 3; do
    hub_do SetVm "$i$i$i$i$i$i$i$i-1111-1111-1111-111111111111" "vm$i" DC0/vm/b "[{'Key': <uint32 2000>, 'UnitNumber': <uint32 0>, 'Controller': <'scsi0'>, 'CapacityBytes': <uint64 1048576>}]" "$none"
done
is "$(ask /api/v1/vms | cut -d' ' -f2- | jq -r '[.vms[].name] | join(",")')" 'vm3,vm2,Büro 1' "three VMs"
page=$(ask '/api/v1/vms?limit=2' | cut -d' ' -f2-)
is "$(jq -r '[.vms[].name] | join(",")' <<<"$page")" vm3,vm2 "a page of two"
is "$(ask "/api/v1/vms?limit=2&after=$(jq .next_after <<<"$page")" | cut -d' ' -f2- | jq -c '[[.vms[].name], has("next_after")]')" '[["Büro 1"],false]' "and the rest behind it"
is "$(ask '/api/v1/vms/B%C3%BCro%201' | cut -d' ' -f2- | jq -c '[.name, .disks[0].key, .disks[0].capacity_bytes]')" '["Büro 1",2000,1048576]' "one VM by its name, as it is written"
for query in 'limit=0' 'limit=1001' 'limit=x' 'limit=' 'after=0' 'after=-1' 'limit=1&limit=2' 'vm=1' 'limit=%00' 'after=99999999999999999999'; do
    like "$(ask "/api/v1/vms?$query")" '^400 .*"error":"com.sendense.Error.InvalidArgument"' "vms?$query"
done
# What is in more than one page comes page by page, each row once, and then the pages end.
rows "INSERT INTO backup_repositories (name, path, repository_uuid, created_usec) VALUES ('two', '/srv/two', '22222222-1111-1111-1111-111111111111', 1),
    ('three', '/srv/three', '33333333-1111-1111-1111-111111111111', 1)"
rows "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id, backup_id, backup_type, state, ending, principal, created_usec, finished_usec, error_name)
    SELECT 'backup', id, 1, CONCAT('backup-', vm_name, '-1'), 'full', 'failed', 'failed', 'uid:0', 1, 2, 'com.sendense.Error.CopyFailed' FROM vm_replication_contexts WHERE vm_name <> 'Büro 1'"
rows "INSERT INTO backup_disks (job_id, vm_context_id, repository_id, disk_key, state, backup_type, capacity_bytes) SELECT id, vm_context_id, 1, 2000, 'failed', 'full', 1048576 FROM backup_jobs"
rows "INSERT INTO port_leases (port, job_id, backup_disk_id, export_name, unit, boot_id, leased_usec)
    SELECT 10100 + id, job_id, id, CONCAT('export-', id), CONCAT('unit-', id, '.service'), '11111111111111111111111111111111', 1 FROM backup_disks"
rows "INSERT INTO obligations (job_id, kind, subject, created_usec, next_attempt_usec) SELECT id, 'files', backup_id, 1, 4102444800000000 FROM backup_jobs"
walk() { # LIST ID: the ids of its rows, by pages of one
    local after='' page n=0
    while [ "$n" -lt 20 ]; do
        page=$(ask "/api/v1/$1?limit=1${after:+&after=$after}" | cut -d' ' -f2-)
        jq -r ".${1}[].$2" <<<"$page"
        after=$(jq -r '.next_after // empty' <<<"$page")
        [ -n "$after" ] || return 0
        n=$((n + 1))
    done
    echo endless
}
while read -r list id n; do
    whole=$(ask "/api/v1/$list" | cut -d' ' -f2- | jq -r ".${list}[].$id")
    is "$(wc -l <<<"$whole")" "$n" "there are $n $list"
    is "$(walk "$list" "$id")" "$whole" "which come page by page"
done <<'TABLE'
jobs id 2
vms id 3
repositories id 3
ports port 2
obligations id 2
TABLE
hub_do ListPorts "$none"
is "$(grep -o "'Port'" <<<"$answer" | wc -l)" 2 "without a limit the bus has all"
rows 'DELETE FROM obligations; DELETE FROM port_leases; DELETE FROM backup_disks; DELETE FROM backup_jobs; DELETE FROM backup_repositories WHERE id > 1'
like "$(ask '/api/v1/backups?vm=nothing')" '^404 .*NotFound' "a filter by what is not there"
like "$(ask '/api/v1/backups?vm=a%2Fb')" '^400 ' "or cannot be there"
like "$(ask '/api/v1/jobs?state=nonsense')" '^400 ' "a state that is none"
is "$(ask '/api/v1/jobs?state=copying&vm=vm2')" '200 {"jobs":[]}' "two filters at once"
for path in jobs/7 jobs/0 jobs/x jobs/18446744073709551616 vms/none nodes/none vcenters/none repositories/none; do
    like "$(ask "/api/v1/$path")" '^404 .*"error":"com.sendense.Error.NotFound"' "there is no $path"
done
for path in vms/..%2f..%2fetc vms/a%00b vms/%ff jobs/../jobs "vms/$(printf 'a%.0s' {1..129})"; do
    like "$(ask "/api/v1/$path" --path-as-is)" '^404 ' "nor what would lead elsewhere: ${path:0:30}"
done
like "$(ask /api/v1/backups -X PATCH)" '^405 .*MethodNotAllowed' "a method that is none"
like "$(ask /api/v2/backups)" '^404 ' "another version"
install -d -m 2750 -o sendense "$private_bus_dir/none"

# How the hub is.
like "$(ask /health)" '^200 \{"status":"ok",' "health"
is "$(ask /health | cut -d' ' -f2- | jq -c '[.checks[] | [.check, .status]]')" '[["database","ok"],["repository","ok"],["obligations","ok"]]' "with an entry for each thing there is"
is "$(ask /health | cut -d' ' -f2- | jq -c '[.last_backups[] | [.vm, .backup_id]]')" '[["Büro 1",null],["vm2",null],["vm3",null]]' "and every VM, none of which has a backup"
metrics() { curl -s --max-time 60 -H "Authorization: Bearer $look" "http://127.0.0.1:$api_port/metrics"; }
like "$(metrics)" '^sendense_database_ready 1$' "metrics"
is "$(metrics | grep -vcE '^(# (HELP|TYPE) sendense_[a-z_]+ .+|sendense_[a-z_]+(\{[^}]*\})? [0-9]+(\.[0-9]{6})?)$')" 0 "every line is one of Prometheus's text format"
like "$(curl -s -i -H "Authorization: Bearer $look" "http://127.0.0.1:$api_port/metrics" | tr -d '\r')" '^Content-Type: text/plain; version=0.0.4; charset=utf-8$' "and says so"
like "$(metrics)" '^sendense_job_phase_seconds_total\{phase="copying"\} 0\.000000$' "the seconds of each phase"
is "$(metrics | grep -cE '^# TYPE sendense_[a-z_]+_total counter$')" "$(metrics | grep -cE '^# TYPE sendense_[a-z_]+_total ')" "what is called total is a counter"
rows "INSERT INTO backup_repositories (name, path, repository_uuid, created_usec) VALUES ('a\"b', '/srv/a', '11111111-1111-1111-1111-111111111111', 1)"
like "$(metrics)" '^sendense_repository_free_bytes\{repository="a\\"b"\} [0-9]+$' "a name becomes a label, escaped"
# A VM that nobody wanted to back up lacks nothing; one whose first backup has failed does, and a kind of failure is there before it is met.
failed='sendense_jobs{state="failed",reason="com.sendense.Error.CopyFailed"}'
without() { metrics | sed -nE 's/^sendense_vm_without_backup\{vm="([^"]*)".* /\1 /p' | paste -sd,; }
is "$(metrics | grep -F "$failed") $(without)" "$failed 0 Büro 1 0,vm2 0,vm3 0" "no job has failed, and no backup is missing"
rows "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id, backup_id, backup_type, state, ending, principal, created_usec, finished_usec, error_name)
    SELECT 'backup', id, 1, 'backup-vm2-1', 'full', 'failed', 'failed', 'uid:0', 1, 2, 'com.sendense.Error.CopyFailed' FROM vm_replication_contexts WHERE vm_name = 'vm2'"
is "$(metrics | grep -F "$failed") $(without)" "$failed 1 Büro 1 0,vm2 1,vm3 0" "one has, and its VM has none"
rows "DELETE FROM backup_jobs WHERE backup_id = 'backup-vm2-1'"
token=
is "$(curl -s "http://127.0.0.1:$api_port/openapi.json" | jq -cS .)" "$(jq -cS . "$SENDENSE_SRC/helpers/hub-api/openapi.json")" "the description needs no token"
like "$(ask /health)" '^401 ' "the rest does"
like "$(ask /metrics)" '^401 ' "metrics, too"
token=$look

# Roles.
like "$(ask /api/v1/jobs/7 -X DELETE)" '^403 .*token:look may not call .*: the token has no such role' "who may look cancels nothing"
token=$work
like "$(ask /api/v1/jobs/7 -X DELETE)" '^404 .*No job 7 is open' "who may back up may"
hub_do RevokeToken work "$none"
like "$(ask /api/v1/backups)" '^401 ' "but not any more when the token is revoked"

# Mounts.
token=$look
for query in '' '?backup=backup-x-1'; do
    like "$(ask "/api/v1/mounts$query")" '^503 .*has not taken up its jobs' "a hub without systemd knows no mounts, and does not say that there are none"
done
like "$(ask '/api/v1/mounts?vm=x')" '^400 ' "a filter that is none"
like "$(ask /api/v1/backups/backup-x-1/mount -X POST)" '^403 .*MountBackup.*: the token has no such role' "who may look mounts nothing"
like "$(ask /api/v1/mounts/7 -X DELETE)" '^403 .*UnmountBackup' "and ends nothing"
back=$(token back restore)
token=$back
like "$(ask /api/v1/backups/backup-x-1/mount -X POST)" '^503 .*has not taken up its jobs' "and mounts nothing"
like "$(ask /api/v1/backups/backup-x-1/mount -d '{"port":true}')" '^403 ' "a port is for who manages"
for body in '[]' '{"x":1}' '{"disks":[]}' '{"disks":["a"]}' '{"disks":[0]}' '{"disks":[2000,2000]}' '{"writable":1}' '{"expires_sec":0}' '{"expires_sec":2592001}'; do
    like "$(ask /api/v1/backups/backup-x-1/mount -d "$body")" '^400 .*InvalidArgument' "a body that is none: $body"
done
like "$(ask '/api/v1/backups/backup-x-1/mount?x=1' -X POST)" '^400 .*no query' "a query where there is none"
for id in 7 0 x; do
    like "$(ask "/api/v1/mounts/$id" -X DELETE)" '^404 ' "there is no mount $id"
done

# What is one call, and files: who may, and what the body may be.
token=$look
for path in verify cleanup repositories/1/scan vcenters/none/test vcenters/none/discover backups/backup-x-1/files/list; do
    like "$(ask "/api/v1/$path" -X POST)" '^40[34] ' "who may look: no $path"
done
like "$(ask /api/v1/obligations/7 -X DELETE)" '^403 .*ForgiveObligation' "nor forgives"
like "$(ask /api/v1/diagnose)" '^200 \{"checks":\[\{' "but what is wrong is told"
token=$all
like "$(ask /api/v1/vcenters/none/test -X POST)" '^404 .*NotFound' "a vCenter that is not there"
like "$(ask /api/v1/vcenters/none/discover -d '{"enter":false}')" '^404 .*NotFound' "nor one to be asked"
for id in 7 0 x; do
    like "$(ask "/api/v1/obligations/$id" -X DELETE)" '^(404|503) ' "there is no obligation $id"
done
like "$(ask /api/v1/verify -d '{"older_than_sec":60}')" '^503 .*has not taken up its jobs' "a hub without systemd verifies nothing"
for body in '[]' '{' '{"x":1}' '{"older_than_sec":-1}' '{"older_than_sec":"1"}' '{"vm":""}' '{"vm":7}'; do
    like "$(ask /api/v1/verify -d "$body")" '^400 .*InvalidArgument' "a body of verify that is none: $body"
done
like "$(ask /api/v1/repositories/1/check -d '{}')" '^400 .*no body' "a body where there is none"
like "$(ask '/api/v1/cleanup?x=1' -X POST)" '^400 .*no query' "a query where there is none"
like "$(ask /api/v1/verify -X POST -H 'Idempotency-Key: a')" '^400 .*no Idempotency-Key' "a key where there is none"
token=$(token both restore,inspect)
like "$(ask /api/v1/backups/backup-x-1/files/tar -d '{"paths":["/"]}')" '^404 .*There is no backup' "files of a backup that is not there"
for body in '[]' '{"paths":[]}' '{"paths":"/"}' '{"paths":[7]}' '{"paths":[""]}' '{}' '{"paths":["/"],"recursive":true}' "{\"paths\":[\"$(printf 'a%.0s' {1..4097})\"]}"; do
    like "$(ask /api/v1/backups/backup-x-1/files/tar -d "$body")" '^400 .*InvalidArgument' "a body of files/tar that is none: ${body:0:40}"
done
like "$(ask /api/v1/backups/backup-x-1/files/list -d '{"filesystems":true,"paths":["/"]}')" '^400 .*goes alone' "filesystems goes alone"
for body in '[]' '{}' '{"folder":"srv"}' '{"folder":"/srv","disk_key":2000}'; do
    like "$(ask /api/v1/backups/backup-x-1/restore-disks -d "$body")" '^400 .*InvalidArgument' "a body of restore-disks that is none: $body"
done
like "$(ask /api/v1/backups/backup-x-1/restore-disks -d '{"folder":"/srv"}')" '^404 .*There is no backup' "disks of a backup that is not there"
token=$back
like "$(ask /api/v1/backups/backup-x-1/files/list -X POST)" '^403 .*GetBackup' "who could not see how the job ends has none begun"

# What no client should send. The hub keeps nothing of it, in the database or in its memory, which is compared once it has answered
# such things before; under a sanitizer not, because that keeps what was freed.
token=$look
rows_dump() {
    mariadb-dump --no-defaults --socket="$mariadb_socket" --no-create-info --skip-comments --compact --order-by-primary --skip-extended-insert sendense
}
# What it has for itself, swapped out or not; pages of files come and go with what else the machine does.
memory_kb() { awk '/^(Pss_Anon|Pss_Shmem|Swap):/ { n += $2 } END { print n }' "/proc/$hub_pid/smaps_rollup"; }
rows_before=$(rows_dump)
memory_before=$(memory_kb)
ok "the database has rows" test "${#rows_before}" -gt 1000
head -c 262144 /dev/zero | tr '\0' ' ' >"$TEST_TMP/body"
like "$(ask /api/v1/backups --data-binary "@$TEST_TMP/body" -H 'Expect:')" '^400 .*no JSON' "a body of 256 KiB is read"
echo >>"$TEST_TMP/body"
like "$(ask /api/v1/backups --data-binary "@$TEST_TMP/body" -H 'Expect:')" '^413 .*"error":"com.sendense.Error.TooLarge"' "one more byte is too much"
like "$(ask /api/v1/backups --data-binary "@$TEST_TMP/body" -H 'Expect:' -H 'Transfer-Encoding: chunked')" '^413 ' "also when it does not say how long it is"
like "$(ask '/api/v1/backups?x=1' -d '{"vm_name":"vm2"}')" '^400 .*no query' "a query where there is none"
# Without systemd the hub here takes up no job: so far a good request comes.
while IFS='|' read -r sent want; do
    like "$(local_ask /api/v1/backups/backup-none-1/verify -X POST ${sent:+-d "$sent"})" "$want" "a verification of nothing: $sent"
done <<'TABLE'
|^503 .*has not taken up its jobs
{}|^503 .*has not taken up its jobs
{"chain":false,"disks":[2000,2001]}|^503 .*has not taken up its jobs
{"disks":[2000,2000]}|^400 .*2000 twice.*InvalidArgument
{"chain":1}|^400 .*chain must be true or false
{"disks":[]}|^400 .*disks has 0 elements
{"disks":[0]}|^400 .*the key of a disk
{"more":1}|^400 .*more.* is unknown
[]|^400 .*one JSON object
TABLE
like "$(local_ask '/api/v1/backups/backup-none-1/verify?x=1' -X POST)" '^400 .*no query' "and a query"
like "$(local_ask /api/v1/backups/nonsense/verify -X POST)" '^400 .*must be the id of a backup' "an id that is none"
for header in 'Idempotency-Key;' "Idempotency-Key: $(printf 'a%.0s' {1..129})"; do
    like "$(ask /api/v1/backups -d '{"vm_name":"vm2"}' -H "$header")" '^400 .*Idempotency-Key' "a key that is none: ${header:0:20}"
done
for path in verify restore restore-vm; do
    like "$(local_ask "/api/v1/backups/backup-none-1/$path" -X POST -H 'Idempotency-Key;')" '^400 .*Idempotency-Key must be' "nor for $path"
done
for path in backups/backup-none-1/mount policies/x/run policies/x/prune; do
    like "$(local_ask "/api/v1/$path" -X POST -H 'Idempotency-Key: a')" '^400 .*has no Idempotency-Key: ' "$path has none, and says what to do"
done
for lines in 'NONSENSE' 'GET / HTTP/9.9\r\n\r' 'GET /api/v1/backups HTTP/1.1\r\nContent-Length: -1\r\nHost: x\r\n\r' "GET /$(printf 'a%.0s' {1..40000}) HTTP/1.1\r\n\r"; do
    unlike "$(printf '%b\n' "$lines" | timeout 20 socat -t 5 - "TCP:127.0.0.1:$api_port" 2>/dev/null | head -n 1)" '^HTTP/1.[01] [23]' "nothing good comes of ${lines:0:20}"
done
is "$(ask /api/v1/backups)" '200 {"backups":[]}' "after all that it answers"
hostile() { # [N]: texts of any bytes as paths, queries, headers and bodies of each kind
    local path i text
    for ((i = 0; i < $1; i++)); do
        text=$(head -c $((RANDOM % 60 + 1)) /dev/urandom | xxd -p | sed 's/../%&/g' | tr -d '\n')
        printf 'next\nsilent\noutput=/dev/null\nmax-time=60\nwrite-out="%%{http_code}\\n"\nurl="http://127.0.0.1:%s/api/v1/vms/%s?%s=%s"\n' "$api_port" "$text" "${text:0:9}" "$text"
        for path in backups backups/backup-x-1/mount backups/backup-x-1/verify backups/backup-x-1/restore backups/backup-x-1/restore-vm policies/x; do
            head -c 300 /dev/urandom >"$TEST_TMP/hostile-$i"
            printf 'next\nsilent\noutput=/dev/null\nmax-time=60\nwrite-out="%%{http_code}\\n"\nheader="Authorization: Bearer %s"\ndata-binary="@%s"\nurl="http://127.0.0.1:%s/api/v1/%s"\n' \
                "$token" "$TEST_TMP/hostile-$i" "$api_port" "$path"
            printf 'next\nsilent\noutput=/dev/null\nmax-time=60\nwrite-out="%%{http_code}\\n"\nheader="Authorization: Bearer %s"\ndata="{\\"vm_name\\":{\\"%s\\":[[[[%d]]]]},\\"disks\\":%d}"\nurl="http://127.0.0.1:%s/api/v1/%s"\n' \
                "$token" "$text" "$i" "$i" "$api_port" "$path"
        done
    done >"$TEST_TMP/hostile"
    curl --config "$TEST_TMP/hostile" 2>&1 | cut -c1-2 | sort | uniq -c | tr -s ' '
}
is "$(hostile 30)" ' 390 40' "hostile requests of all kinds are each refused, and never with 5xx"
is "$(ask /api/v1/vms | cut -d' ' -f1)" 200 "and it answers"
is "$(rows_dump | md5sum)" "$(md5sum <<<"$rows_before")" "the database is what it was"
grep -q __asan_init "$hub_program" || ok "the hub's memory is within 1 MiB of what it was ($memory_before, now $(memory_kb) KiB)" test "$(memory_kb)" -le $((memory_before + 1024))

# Connections that say nothing take no place that others need, however many they are, nor do those that say it slowly, or never come to an end.
ulimit -n 4096 || fail "there may be 1,000 connections"
silent=() slow=()
n_answers=0 most_msec=0

asked() {
    local begin=${EPOCHREALTIME/[.,]/} msec
    [ "$(ask /api/v1/backups)" != '200 {"backups":[]}' ] || n_answers=$((n_answers + 1))
    msec=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
    [ "$msec" -le "$most_msec" ] || most_msec=$msec
}
for n in {1..1000}; do
    exec {fd}<>"/dev/tcp/127.0.0.1/$api_port" && silent+=("$fd")
    [ $((n % 100)) -ne 0 ] || asked
done
is "${#silent[@]} $n_answers" "1000 10" "beside 1,000 that say nothing it answers"
ok "at once, without waiting for the end of any ($most_msec ms at most)" test "$most_msec" -lt 5000
is "$(local_ask /api/v1/backups)" '200 {"backups":[]}' "by the other socket, too"
for fd in "${silent[@]}"; do exec {fd}>&-; done
n_open() { ss -tnH state established "( sport = :$api_port )" | wc -l; }
ok "all of them are gone" eventually 20 eval '[ "$(n_open)" = 0 ]'

# Each byte comes in time for a limit on silence: of a head, and of a body.
for n in {1..40}; do
    exec {fd}<>"/dev/tcp/127.0.0.1/$api_port" && slow+=("$fd")
    if [ $((n % 2)) -eq 0 ]; then
        printf 'GET /api/v1/backups HTTP/1.1\r\nHost: x\r\nX: ' >&"$fd"
    else
        printf 'POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{' "$token" >&"$fd"
    fi
done
trap '' PIPE
begin=$EPOCHSECONDS
while [ "$(n_open)" -gt 0 ] && [ $((EPOCHSECONDS - begin)) -lt 60 ]; do
    for fd in "${slow[@]}"; do printf ' ' >&"$fd"; done 2>/dev/null
    asked
    sleep 0.5 # the pace of a slow sender
done
trap - PIPE
ok "40 that send byte after byte are ended ($((EPOCHSECONDS - begin)) s)" test $((EPOCHSECONDS - begin)) -lt 60
like "$n_answers" '^[1-9][0-9]' "and others answered meanwhile"
for fd in "${slow[@]}"; do exec {fd}>&-; done

# Many at once: the hub takes a few undecided calls of one connection, and all are answered.
token=$look
seq 60 | xargs -P 40 -I{} curl -s --max-time 60 -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $look" "http://127.0.0.1:$api_port/api/v1/vms?limit={}" |
    sort | uniq -c >"$TEST_TMP/many"
is "$(tr -s ' ' <"$TEST_TMP/many")" ' 60 200' "60 requests, 40 at a time, are all answered"

# The hub goes away, and comes back.
hub_stop
like "$(ask /api/v1/backups)" '^503 .*systemctl start sendense-hub.service' "without a hub: 503, and how to start it"
hub_start "${as_hub[@]}" || exit 1
require "the database is ready again" eventually 30 hub_property_is DatabaseState 's "ready"'
is "$(ask /api/v1/backups)" '200 {"backups":[]}' "with another one all is well, without another token"
mariadb_stop
gone() { hub_property_is DatabaseState 's "unreachable"'; }
ok "the database goes" eventually 30 gone
like "$(ask /api/v1/backups)" '^503 .*DatabaseUnavailable' "503, and why"

like "$(local_ask /health)" '^503 \{"status":"failed","checks":\[\{"check":"database","status":"failed","state":"unreachable","detail":"..*"\}\]' "root is told of the database by health"
like "$(local_ask /metrics)" 'sendense_database_ready 0' "and by metrics"

unlike "$(cat "$TEST_TMP/api.log" "$hub_log")" "$look|$all" "no token is in a log"
kill "$api_pid"
wait "$api_pid" 2>/dev/null
is "$?" 0 "its end is a success"
unlike "$(<"$TEST_TMP/api.log")" 'Sanitizer' "and nothing is lost"
done_testing
