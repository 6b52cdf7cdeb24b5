#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each route of both HTTP APIs is asked once, on a hub, a node and a vCenter that work, and what it was asked and answered is what
# docs/API_REFERENCE.md shows. To accept a change: SENDENSE_GOLDEN_UPDATE=1 tests/e2e/examples.sh, and review the diff.
[ -n "${TEST_TMP:-}" ] || { TEST_TMP=$(mktemp -d) && export TEST_TMP; }
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"
. "$SENDENSE_SRC/tests/http/examples.bash"

e2e_up '[Jobs]
Retries=0'
vcenter_with_pgtest1 "16M:fill=4M,8M"
hub systemctl start sendense-hub-api.socket
ctl token create examples --role=inspect --role=backup --role=restore --role=delete --role=manage | hub tee /root/token >/dev/null
# shellcheck disable=SC2016 # expanded in the machine
require "a token of the node's API" in_node 'openssl rand -hex 32 >/root/token && echo "examples $(/usr/lib/sendense/sendense-node-api --hash-token </root/token)" >>/etc/sendense/node-api.tokens &&
    systemctl try-restart sendense-node-api.service'
# The second disk has a file system.
mkdir -p "$TEST_TMP/tree/etc" && echo pgtest1 >"$TEST_TMP/tree/etc/hostname" && echo "127.0.0.1 localhost" >"$TEST_TMP/tree/etc/hosts"
require "a file system" mkfs.ext4 -q -L data -d "$TEST_TMP/tree" "$TEST_TMP/ext4" 8M
guest_writes "${keys[1]}" 0 <"$TEST_TMP/ext4"

# example API ROUTE [BODY [VIEW [HEADER...]]]: asks, and records; the answer is in $answer. The names in the path are those of place;
# query is put behind it. VIEW says what is shown of the answer: a filter of jq, or a pattern of lines for what is no JSON.
declare -A place=([vm]=pgtest1 [repository]=1 [node]=edge1 [vcenter]=vc1 [policy]=nightly)
query=
records=$TEST_TMP/records
: >"$records"
example() {
    local api=$1 route=$2 request=${3:-} view=${4:-} path name port=8082 headers=() header order
    shift $(($# > 4 ? 4 : $#))
    path=${route#* }
    for name in "${!place[@]}"; do path=${path//"{$name}"/${place[$name]}}; done
    path+=$query
    [ "$api" = hub ] || port=8081
    for header in "$@"; do headers+=(-H "$header"); done
    # shellcheck disable=SC2016 # expanded in the machine
    on "$api" bash -c 'method=$1 url=$2 request=$3; shift 3
        [ -z "$request" ] || set -- "$@" --data-binary "$request"
        rm -f /root/body
        curl -sSN --max-time 200 -X "$method" -H "Authorization: Bearer $(cat /root/token)" -o /root/body -D /root/head "$@" "$url"; : >>/root/body' \
        _ "${route%% *}" "http://127.0.0.1:$port$path" "$request" "${headers[@]}" || diag "curl: $?"
    on "$api" cat /root/body >"$TEST_TMP/body"
    on "$api" cat /root/head | tr -d '\r' >"$TEST_TMP/head"
    answer=$(tr -d '\0' <"$TEST_TMP/body")
    like "$(head -n 1 "$TEST_TMP/head")" '^HTTP/1.1 20[012] ' "$api: $route" || diag "$answer"
    [ "$route" != "POST /api/v1/backups/{backup_id}/files/tar" ] || tar -tvf "$TEST_TMP/body" | sed -E 's/ +/ /g' >"$TEST_TMP/listed"
    order=$(examples_routes "$api" | grep -nxF -e "$route" | cut -d: -f1)
    record "$api" "$route" "$path" "$request" "$view" "${order:-0}" "$@" >>"$records"
}
head_of() { sed -nE "s/^$1: (.*)/\\1/Ip" "$TEST_TMP/head" | head -n 1; }
record() { # API ROUTE PATH REQUEST VIEW ORDER HEADER...
    local json=null type
    type=$(head_of content-type)
    if [ "$type" = application/json ]; then
        json=$(jq -c "${5:-.}" "$TEST_TMP/body")
        : >"$TEST_TMP/text"
    elif [ -e "$TEST_TMP/listed" ]; then
        mv "$TEST_TMP/listed" "$TEST_TMP/text"
    else
        grep -aE -e "${5:-.}" "$TEST_TMP/body" >"$TEST_TMP/text"
    fi
    jq -nc --arg api "$1" --arg route "$2" --arg path "$3" --argjson request "${4:-null}" --argjson order "$6" --arg method "${2%% *}" --arg type "$type" \
        --arg status "$(sed -nE '1s/^HTTP[^ ]* //p' "$TEST_TMP/head")" --arg location "$(head_of location)" --argjson json "${json:-null}" --rawfile text "$TEST_TMP/text" \
        '{$api, $route, $path, $order, $method, $request, $type, $status, $json, $text, location: (if $location == "" then null else $location end), headers: $ARGS.positional}' \
        --args "${@:7}"
}
from_answer() { jq -r "$1" <<<"$answer"; }
ends() { # JOB STATE
    is "$(job_over hub "$1" 120)" "$2" "job $1 is $2" || diag "$(ctl job show "$1")"
}

# What there is.
example hub "GET /openapi.json" '' '{openapi, info, servers, paths: (.paths | {"/health"} | map_values("…")), components: "…"}'
example hub "GET /api/v1/vcenters"
example hub "GET /api/v1/vcenters/{vcenter}"
example hub "POST /api/v1/vcenters/{vcenter}/test"
example hub "POST /api/v1/vcenters/{vcenter}/discover" '{"vm":"pgtest1","enter":true}'
example hub "GET /api/v1/nodes"
example hub "GET /api/v1/nodes/{node}"

# Backups.
simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
example hub "POST /api/v1/backups" '{"vm_name":"pgtest1","repository_id":"1","backup_type":"full"}' '' 'Idempotency-Key: monday'
place[backup_id]=$(from_answer .backup_id)
place[id]=$(from_answer .job_id)
example hub "GET /api/v1/ports"
simctl faults clear >/dev/null
ends "${place[id]}" completed
first=${place[backup_id]}
example hub "GET /api/v1/jobs/{id}"
example hub "GET /api/v1/jobs/{id}/events"
example hub "GET /api/v1/backups/{backup_id}"
head -c 65536 /dev/urandom | guest_writes "${keys[0]}" 1048576
ok "an incremental" backup
second=$(job_field "$(last_job)" BackupId)
# shellcheck disable=SC2016 # expanded in the machine
hardware=$(in_hub 'cat /var/lib/sendense/repository/*/backups/"$1".json' "$second" | jq -c .hardware)
query='?vm=pgtest1&limit=1'
example hub "GET /api/v1/backups"
query='?state=completed&limit=1'
example hub "GET /api/v1/jobs"
query=
example hub "GET /api/v1/vms"
example hub "GET /api/v1/vms/{vm}"
example hub "GET /api/v1/vms/{vm}/chain"
simctl fault delay method=FolderGet at=5 ms=25000 count=0 >/dev/null
ctl backup start pgtest1 >/dev/null
place[id]=$(last_job)
ok "another copies" job_copies hub "${place[id]}" "$patience_sec"
example hub "DELETE /api/v1/jobs/{id}"
simctl faults clear >/dev/null
ends "${place[id]}" cancelled

# What is made of them.
place[backup_id]=$second
example hub "POST /api/v1/backups/{backup_id}/verify" '{"chain":true}'
ends "$(from_answer .job_id)" completed
example hub "POST /api/v1/verify" '{"older_than_sec":0}'
for job in $(from_answer '.job_ids[]'); do ends "$job" completed; done
example hub "POST /api/v1/backups/{backup_id}/mount" '{"expires_sec":3600}'
place[job]=$(from_answer .job)
example hub "GET /api/v1/mounts"
example hub "DELETE /api/v1/mounts/{job}"
example hub "POST /api/v1/backups/{backup_id}/restore" "{\"disk_key\":${keys[0]},\"target\":{\"kind\":\"file\",\"path\":\"/var/lib/sendense/restore/disk.raw\"}}"
ends "$(from_answer .job_id)" completed
example hub "POST /api/v1/backups/{backup_id}/restore-disks" '{"folder":"/var/lib/sendense/restore","format":"qcow2"}'
for job in $(from_answer '.jobs[].job_id'); do ends "$job" completed; done
example hub "POST /api/v1/backups/{backup_id}/restore-vm" '{"name":"pgtest1-back","datastore":"datastore1","power_on":false}'
ends "$(from_answer .job_id)" completed
if [ -d /usr/lib/x86_64-linux-gnu/guestfs/supermin.d ] && compgen -G '/boot/vmlinuz-*' >/dev/null; then
    example hub "POST /api/v1/backups/{backup_id}/files/list" '{"paths":["/etc"],"recursive":true}'
    example hub "POST /api/v1/backups/{backup_id}/files/tar" '{"paths":["/etc"]}'
else
    skip "files out of a backup" "libguestfs or a kernel is missing (packages libguestfs0, linux-image-cloud-amd64)"
fi

# Policies.
example hub "POST /api/v1/policies/{policy}" '{"match":["pg*"],"repository":"1","calendar":"*-*-* 02:00:00","keep_last":1}'
example hub "GET /api/v1/policies"
example hub "POST /api/v1/policies/{policy}/prune" '{"dry_run":true}'
example hub "POST /api/v1/policies/{policy}/run"
run_is_over() { [ "$(ctl --json policy show nightly | jq -r '.Runs[0].State')" = completed ]; }
ok "the run ends" eventually 120 run_is_over
example hub "GET /api/v1/policies/{policy}"
example hub "DELETE /api/v1/policies/{policy}"
ok "the run has pruned the first" test "$(ctl --json backup list pgtest1 | jq --arg id "$first" '[.[] | select(.BackupId == $id)] | length')" = 0
ok "one more" backup
place[backup_id]=$(job_field "$(last_job)" BackupId)
example hub "DELETE /api/v1/backups/{backup_id}"
ends "$(from_answer .job_id)" completed

# Upkeep.
example hub "GET /api/v1/repositories"
example hub "GET /api/v1/repositories/{repository}"
example hub "POST /api/v1/repositories/{repository}/check"
example hub "POST /api/v1/repositories/{repository}/scan"
example hub "GET /api/v1/diagnose"
example hub "GET /health"
example hub "GET /metrics" '' '^sendense_(jobs_open|exports_started_total|repository_free_bytes|tunnel_bytes_total|vm_last_backup_age_seconds)'

# The node's own, asked by hand. Its targets are images beside it.
login=$(jq -nc --arg host "$peer_address" --argjson port "$vcenter_port" --arg user "$user" --arg password "$(password)" \
    '{vcenter_host: $host, vcenter_port: $port, vcenter_user: $user, vcenter_password: $password}')
example node "POST /api/v1/vcenter/certificate" "$(jq -c '{vcenter_host, vcenter_port}' <<<"$login")"
login=$(jq -c --arg pin "$(from_answer .sha256)" '. + {pin_sha256: $pin}' <<<"$login")
example node "POST /api/v1/vcenter/test" "$login"
example node "POST /api/v1/vcenter/discover" "$(jq -c '. + {name: "pgtest1"}' <<<"$login")"
capacity() { ctl --json vm show pgtest1 | jq --argjson k "$1" '.Disks[] | select(.Key == $k).CapacityBytes'; }
targets={} port=10900
for key in "${keys[@]}"; do
    # shellcheck disable=SC2016 # expanded in the machine
    require "a target for disk $key" in_node 'cd /srv && qemu-img create -q -f qcow2 -o cluster_size=1M,extended_l2=on "$1.qcow2" "$3" &&
        systemd-run -q --unit="target-$1" -- qemu-nbd -t --shared=10 -x "disk-$1" -D "\${INVOCATION_ID}" -b 127.0.0.1 -p "$2" -f qcow2 "/srv/$1.qcow2"' "$key" "$port" "$(capacity "$key")"
    targets=$(jq -c --arg k "$key" --arg v "nbd://127.0.0.1:$port/disk-$key" '. + {($k): $v}' <<<"$targets")
    port=$((port + 1))
done
place[id]=9001
example node "POST /api/v1/backup/start" "$(jq -c --argjson targets "$targets" --arg uuid "$uuid" \
    '{job_id: 9001, attempt: 1, vm_name: "pgtest1", vm_path: "DC0/vm/pgtest1", instance_uuid: $uuid} + . + {backup_type: "full", nbd_targets: $targets}' <<<"$login")"
task_is() { node sendensectl --json task show "${place[id]}" | jq -e --arg s "$1" '.State == $s' >/dev/null; }
ok "its copy is whole" eventually "$patience_sec" task_is copied || diag "$(node sendensectl task show 9001)"
example node "GET /api/v1/backup/{id}"
example node "GET /api/v1/backup/{id}/result"
place[disk]=${keys[1]}
example node "GET /api/v1/backup/{id}/result/{disk}"
simctl fault task-error method=RemoveSnapshot_Task count=0 >/dev/null
example node "POST /api/v1/backup/{id}/release" '{"outcome":"committed","attempt":1}'
owes() { node sendensectl --json task show 9001 | jq -e '.ReleaseError // "" | . != ""' >/dev/null; }
ok "its snapshot cannot be removed" eventually "$patience_sec" owes || diag "$(node sendensectl --json task show 9001)"
example node "GET /api/v1/obligations"
simctl faults clear >/dev/null
example node "POST /api/v1/snapshots/cleanup" "$login"
ok "then it is" eventually "$patience_sec" task_is released || diag "$(node sendensectl task show 9001)"
example node "GET /api/v1/backup/{id}/events"
example node "GET /api/v1/backups" '' '.backups |= map(select(.id == 9001))'
simctl fault delay method=NfcUpload ms=600000 count=0 >/dev/null
place[id]=9002
example node "POST /api/v1/restore/start" "$(jq -c --argjson hardware "$hardware" --argjson targets "$targets" --argjson sizes "$(for key in "${keys[@]}"; do capacity "$key"; done | jq -sc .)" \
    '{job_id: 9002, attempt: 1, vm_name: "pgtest1-by-hand"} + . + {folder: "DC0/vm", datastore: "datastore1", hardware: $hardware,
        disks: [$targets | to_entries | to_entries[] | {disk_key: (.value.key | tonumber), capacity_bytes: $sizes[.key], source: .value.value}]}' <<<"$login")"
example node "DELETE /api/v1/backup/{id}"
simctl faults clear >/dev/null
ok "it is cancelled" eventually "$patience_sec" task_is cancelled || diag "$(node sendensectl task show 9002)"
example node "GET /api/v1/health"

# A node that has lost its folder in the middle of a copy: what it owes there nobody can undo.
simctl fault delay method=FolderGet at=5 ms=25000 count=0 >/dev/null
ctl backup start pgtest1 --type=full >/dev/null
lost=$(last_job)
ok "one more copies" job_copies hub "$lost" "$patience_sec"
in_node 'systemctl stop sendense-node.service; rm -rf /var/lib/sendense-node/ledger/*; systemctl start sendense-node.service'
simctl faults clear >/dev/null
ends "$lost" failed
example hub "GET /api/v1/obligations"
place[id]=$(from_answer '.obligations[0].id')
example hub "POST /api/v1/cleanup"
example hub "DELETE /api/v1/obligations/{id}"

# Compared.
for api in hub node; do
    examples_of "$records" "$api" >"$TEST_TMP/$api"
    [ -z "${SENDENSE_GOLDEN_UPDATE:-}" ] || examples_write "$api" <"$TEST_TMP/$api"
    examples_shapes <"$TEST_TMP/$api" | sort >"$TEST_TMP/$api.run"
    examples_on_page "$api" | examples_shapes | sort >"$TEST_TMP/$api.page"
    ok "$api: there are examples" test "$(wc -l <"$TEST_TMP/$api.run")" -ge 14
    while read -r method path shape; do
        is "$(grep -F -e "$method $path " "$TEST_TMP/$api.page")" "$method $path $shape" "$api: $method $path is as the API reference shows it"
    done <"$TEST_TMP/$api.run"
    for secret in "$(password)" "$(on "$api" cat /root/token)"; do is "$(grep -cF -e "$secret" "$TEST_TMP/$api")" 0 "$api: no secret is shown"; done
done
done_testing
