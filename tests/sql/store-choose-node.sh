#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Which node a job gets: asked for, the VM's, its vCenter's, or the one with the fewest open jobs of those that answer. And the key
# that makes a request the same request.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_do vm_set "$(vm_json byhand 9)"
store_do job_create "$(create_json byhand 90 1700000000)"
refused EPERM 'NotAllowed byhand belongs to no vCenter.*vm discover VCENTER --enter enters' "a VM of no vCenter has no node that could read it"
store_with_node
mariadb_sql sendense -e "INSERT INTO nodes (id, name, reverse_port, created_usec) VALUES (2, 'edge2', 9082, 1)"
for i in 1 2 3 4 5 6; do store_do vm_set "$(vm_json "vm$i" "$i")"; done

enrolled() { mariadb_sql sendense -e "UPDATE nodes SET enrolled_usec = 1, token_sealed = REPEAT('x', 41), public_key = CONCAT('ssh-ed25519 AA', id) WHERE id = $1"; }
# create VM EVENT REACHABLE [MORE]
create() { store_do job_create "$(create_json "$1" "$2" 1700000000 "$(jq -cn --argjson r "$3" --argjson more "${4:-{\}}" '{NodesReachable: $r} + $more')")"; }
node_of() { got .Node; }

create vm1 1 '[]'
refused EHOSTDOWN 'NodeUnreachable Node edge1 does not answer; sendensectl node show edge1' "the only node does not answer: it is named"
create vm1 1 '[2]'
refused EHOSTDOWN 'Node edge1 does not answer' "one that is not enrolled is not taken, whatever answers on its port"
enrolled 2
create vm1 1 '[]'
refused EHOSTDOWN 'Node edge1 does not answer, nor does any other' "of several none answers"
create vm1 1 '[1,2]'
is "$(node_of)" edge1 "of two without jobs the first"
create vm2 2 '[1,2]'
is "$(node_of)" edge2 "then the one with fewer jobs"
create vm3 3 '[2]'
is "$(node_of)" edge2 "or the one that answers"
create vm4 4 '[1,2]' '{"Node":"edge2"}'
is "$(node_of)" edge2 "or the one that was asked for, however busy"
create vm5 5 '[1,2]' '{"Node":"nowhere"}'
refused ENOENT "NotFound There is no node 'nowhere'" "which must be there"
mariadb_sql sendense -e "UPDATE vmware_credentials SET node_id = 2"
create vm5 5 '[1,2]'
is "$(node_of)" edge2 "the vCenter's node is taken, though the other has fewer jobs"
mariadb_sql sendense -e "UPDATE vm_replication_contexts SET node_id = 1 WHERE vm_name = 'vm6'"
create vm6 6 '[2]'
refused EHOSTDOWN 'Node edge1 does not answer; ' "the VM's own node comes before that, and no other takes its place"
create vm6 6 '[1,2]'
is "$(node_of)" edge1 "when it answers it does the job"

# The same key is the same request.
create vm6 6 '[1,2]' '{"IsIdempotent":true}'
is "$(got .Id)" "$(rows "SELECT id FROM backup_jobs WHERE vm_context_id = (SELECT id FROM vm_replication_contexts WHERE vm_name = 'vm6')")" "the same again is the same job"
create vm1 6 '[1,2]' '{"IsIdempotent":true}'
refused EBADRQC 'KeyReused Option idempotency_key was used for job [0-9]+, which was another request' "for another VM it is refused"
create vm6 6 '[1,2]' '{"IsIdempotent":true,"BackupType":"full"}'
refused EBADRQC 'which was another request' "for another type, too"

# A retry goes to the node that was asked for, and to any other when none was.
rows "UPDATE backup_jobs SET state = 'failed', error_name = 'com.sendense.Error.NodeUnreachable', finished_usec = 5000" >/dev/null
store_do job_retries '{"Count":2,"BeforeUSec":6000,"AfterUSec":1}'
is "$(got '.Jobs | map("\(.Name):\(.Node // "any")") | sort | join(" ")')" "vm1:any vm2:any vm3:any vm4:edge2 vm5:any vm6:any" "the node is remembered where it was asked for"
rows "UPDATE nodes SET removed_usec = 1, public_key = NULL, token_sealed = NULL WHERE id = 2" >/dev/null
store_do job_retries '{"Count":2,"BeforeUSec":6000,"AfterUSec":1}'
is "$(got '.Jobs | map(select(.Name == "vm4"))[0] | .Node // "any"')" any "one that was removed since is not asked for"

# A backup that a scan has adopted since has a newer number, and nobody asked for it; one that somebody asked for is another matter.
another() { # VM CREATED-USEC
    rows "INSERT INTO backup_jobs (vm_context_id, repository_id, backup_id, backup_type, state, principal, created_usec, finished_usec)
        SELECT v.id, 1, 'backup-$1-$2', 'full', 'completed', 'uid:0', j.created_usec + $2, 1 FROM vm_replication_contexts v
        JOIN backup_jobs j ON j.vm_context_id = v.id WHERE v.vm_name = '$1' LIMIT 1" >/dev/null
}
another vm1 -1000
another vm2 1000
store_do job_retries '{"Count":2,"BeforeUSec":6000,"AfterUSec":1}'
is "$(got '.Jobs | map(.Name) | sort | join(" ")')" "vm1 vm3 vm4 vm5 vm6" "what a scan has adopted does not take the place of a retry"
done_testing
