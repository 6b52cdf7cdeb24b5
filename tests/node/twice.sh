#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every answer of the node lost once, and every request sent twice: start, get, release, clean-up, delete. Then the
# outcome is that of asking once: one snapshot, one removal, and a later answer that is as true as the first.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up
vcenter_up -empty
vm_new 8M:fill=4M,8M:nvme:fill=2M

calls_of() { simctl calls | jq -r --arg m "$1" '[.[] | select(.method == $m)] | length'; }
# lost deaf|half METHOD PATH [JSON]: the request is sent and the connection closed: at once, or in the middle of the answer.
lost() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_node 'body=$(cat)
        exec 3<>/dev/tcp/127.0.0.1/8081 || exit 1
        LC_ALL=C printf "%s /api/v1/%s HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\n\r\n%s" \
            "$2" "$3" "$(cat /srv/token)" "$(printf %s "$body" | wc -c)" "$body" >&3
        [ "$1" != half ] || IFS= read -r -N 8 -t 20 -u 3 _' "$1" "$2" "$3" <<<"${4:-}"
}
login() {
    jq -nc --arg host "$peer_address" --arg user "$user" --arg password "$(password)" \
        '{vcenter_host: $host, vcenter_user: $user, vcenter_password: $password}'
}

# The first one also switches tracking on, which takes a snapshot of its own.
targets_up first
backup full
ok "a backup" eventually "$patience_sec" state_is copied || diag "$(task .)"
release committed >/dev/null
ok "and its end" eventually "$patience_sec" state_is released
targets_down
clean "the first"

for how in deaf half; do
    simctl calls clear >/dev/null
    targets_up "$how"
    job=$((job + 1))
    body=$(request full)
    for i in 1 2; do ok "$how: start, lost, $i" lost "$how" POST backup/start "$body"; done
    like "$(api POST backup/start "$body")" "^202 .*\"job_id\":$job" "$how: asked again it is started"
    like "$(api POST backup/start "$(jq -c '.backup_type = "incremental"' <<<"$body")")" '^409 ' "$how: another body is not"
    ok "$how: get, lost" lost "$how" GET "backup/$job"
    ok "$how: it is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
    like "$(api POST backup/start "$body")" '^202 .*"state":"copied"' "$how: the start once more tells that"
    is "$(calls_of CreateSnapshot_Task)" 1 "$how: one snapshot"
    is "$(simctl snapshots | jq length)" 1 "$how: and it is held"
    for i in 1 2; do ok "$how: clean-up, lost, $i" lost "$how" POST snapshots/cleanup "$(login)"; done
    is "$(task .state)" copied "$how: a login is no release"
    like "$(api POST "backup/$job/release" '{"outcome":"abandoned","attempt":2}')" "^404 .*no attempt 2 of job $job, but attempt 1" \
        "$how: the release of another attempt is none of this one"
    is "$(task .state)" copied "$how: which is held on"
    for i in 1 2; do ok "$how: release, lost, $i" lost "$how" POST "backup/$job/release" '{"outcome":"committed"}'; done
    like "$(release committed)" '^200 ' "$how: asked again it is released"
    ok "$how: that is what it ends as" eventually "$patience_sec" state_is released || diag "$(task .)"
    like "$(release committed)" '^200 .*"state":"released"' "$how: the release after the end is answered"
    is "$(calls_of RemoveSnapshot_Task)" 1 "$how: one removal"
    is "$(task .outcome)" committed "$how: and it is known what for"
    like "$(api POST snapshots/cleanup "$(login)")" '^200 ' "$how: a clean-up when nothing is left"
    like "$(api DELETE "backup/$job")" '^409 .*released' "$how: it cannot be cancelled any more"
    targets_down
    same "$how"
    clean "$how: start and release"

    targets_up "$how-cancel"
    simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
    backup full
    ok "$how: the next copies" eventually "$patience_sec" state_is copying || diag "$(task .)"
    for i in 1 2; do ok "$how: delete, lost, $i" lost "$how" DELETE "backup/$job"; done
    like "$(api DELETE "backup/$job")" '^202 ' "$how: asked again it is cancelled"
    ok "$how: and ends so" eventually "$patience_sec" state_is cancelled || diag "$(task .)"
    like "$(api DELETE "backup/$job")" '^202 ' "$how: asked after its end, too"
    simctl faults clear >/dev/null
    targets_down
    clean "$how: delete"
done

# At the same moment: the same request is one backup, two different ones are one backup and a refusal.
at_once() { # BODY BODY: the two statuses, sorted
    # shellcheck disable=SC2016 # expanded in the machine
    in_node 'ask() { curl -s -o /dev/null -w "%{http_code}\n" --max-time 30 -H "Authorization: Bearer $(cat /srv/token)" --data-binary "$1" http://127.0.0.1:8081/api/v1/backup/start; }
        ask "$1" & ask "$2" & wait' "$1" "$2" | sort | paste -sd' '
}
simctl calls clear >/dev/null
targets_up together
job=$((job + 1))
body=$(request full)
is "$(at_once "$body" "$body")" "202 202" "two starts at once are both taken"
ok "and copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
is "$(calls_of CreateSnapshot_Task)" 1 "as one"
release abandoned >/dev/null
ok "given up" eventually "$patience_sec" state_is released
job=$((job + 1))
body=$(request full)
is "$(at_once "$body" "$(jq -c '.vm_name = "other"' <<<"$body")")" "202 409" "of two that differ one is taken"
ok "it is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
like "$(api POST "backup/$job/release" '{"outcome":"abandoned","attempt":1}')" '^200 ' "the attempt that is meant"
ok "is given up" eventually "$patience_sec" state_is released
targets_down
clean "two at once"

# shellcheck disable=SC2016 # expanded in the machine
like "$(in_node 'curl -s -D - -o /dev/null -H "Authorization: Bearer $(cat /srv/token)" http://127.0.0.1:8081/api/v1/backup/start | tr -d "\r" | paste -sd" "')" \
    '^HTTP/1.1 405 .*Allow: POST( |$)' "GET on start: 405, and what is allowed"
no_secret "all of it"
done_testing
