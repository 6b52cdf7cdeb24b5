#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The events of a job outlive what goes away and comes back: the hub, which then knows no session of before, and its database. They end
# with the job, and for who may not look any more.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private -- "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/hub-api.bash"

hub_api_up
look=$(token look inspect) other=$(token other inspect)
hub_do SetVm 11111111-1111-1111-1111-111111111111 web DC0/vm/a "[{'Key': <uint32 2000>, 'UnitNumber': <uint32 0>, 'Controller': <'scsi0'>, 'CapacityBytes': <uint64 1048576>}]" "$none"
rows "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id, backup_id, backup_type, state, principal, created_usec)
    SELECT 'backup', id, 1, 'backup-web-1', 'full', 'copying', 'uid:0', 1 FROM vm_replication_contexts WHERE vm_name = 'web'"
job=$(rows 'SELECT id FROM backup_jobs')
require "there is a job" test "${job:-0}" -gt 0

declare -A readers=()
follow_all() { # NAME...: each with its token, and root by the socket
    local name
    for name; do
        case $name in
        root*) curl -sN --max-time 120 -o "$TEST_TMP/$name" --unix-socket "$api_socket" "http://localhost/api/v1/jobs/$job/events" & ;;
        look*) curl -sN --max-time 120 -o "$TEST_TMP/$name" -H "Authorization: Bearer $look" "http://127.0.0.1:$api_port/api/v1/jobs/$job/events" & ;;
        *) curl -sN --max-time 120 -o "$TEST_TMP/$name" -H "Authorization: Bearer $other" "http://127.0.0.1:$api_port/api/v1/jobs/$job/events" & ;;
        esac
        readers[$name]=$!
    done
    for name; do ok "$name begins with how the job stands" eventually 20 sees "$name" '"state":"copying"'; done
}
sees() { grep -q "$2" "$TEST_TMP/$1"; } 2>/dev/null
n_states() { grep -c '^event: state' "$TEST_TMP/$1"; }
sees_more() { [ "$(n_states "$1")" -gt "$2" ]; }
runs() { kill -0 "${readers[$1]}" 2>/dev/null; }
ended() { ! runs "$1"; }
hub_again() { hub_start "${as_hub[@]}" || exit 1; }

# The hub alone.
follow_all root look other
before=$(n_states look) before_root=$(n_states root)
hub_stop
for name in root look; do ok "$name is told that the hub is away" eventually 20 sees "$name" 'ServiceUnknown\|NoReply\|Disconnected'; done
rows "UPDATE api_tokens SET revoked_usec = 2 WHERE name = 'other'"
hub_again
ok "look goes on behind another hub" eventually 30 sees_more look "$before"
ok "and so does root" eventually 30 sees_more root "$before_root"
ok "whose token was revoked meanwhile gets nothing more" eventually 30 ended other
like "$(tail -n 3 "$TEST_TMP/other")" 'com.sendense.Error.Unauthorized' "and is told why"
unlike "$(cat "$TEST_TMP/look" "$TEST_TMP/root")" 'Unauthorized' "the others are not refused"

# The database goes with it, and the job ends before it is back: no signal tells of that.
hub_stop
mariadb_stop
hub_again
for name in root look; do ok "$name waits" runs "$name"; done
mariadb_start "$private_bus_dir/mariadb" || exit 1
rows "UPDATE backup_jobs SET state = 'completed', finished_usec = 2 WHERE id = $job"
for name in root look; do
    ok "$name ends" eventually 30 ended "$name"
    wait "${readers[$name]}"
    is "$?" 0 "as a stream does"
    like "$(grep '^data:' "$TEST_TMP/$name" | tail -n 1)" '"state":"completed"' "with the end of the job"
    is "$(grep -c '^event: error' "$TEST_TMP/$name")" 2 "and was told once each time that nobody answered"
done
unlike "$(cat "$TEST_TMP/api.log" "$hub_log")" "$look|$other" "no token is in a log"
kill "$api_pid"
wait "$api_pid" 2>/dev/null
is "$?" 0 "its end is a success"
unlike "$(<"$TEST_TMP/api.log")" 'Sanitizer' "and nothing is lost"
done_testing
