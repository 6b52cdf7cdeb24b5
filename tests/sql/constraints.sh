#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each constraint is violated once, and MariaDB must name it. The statements run as the hub's user and
# in its mode. Each stands beside a good one that differs in nothing else, so that a row that is
# refused for another reason is no pass; and every constraint of the schema must have its line here.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"

mariadb_start "$TEST_TMP/db" || exit 1
migrate_config
require "the migrations apply" migrate

# All in one client: a statement that fails leaves its message between two marks.
script=$TEST_TMP/script.sql
want=$TEST_TMP/want
: >"$want"
cat >"$script" <<'X'
SET SESSION sql_mode = 'STRICT_ALL_TABLES';
X
good() { printf 'SELECT "good";\n%s;\n' "$1" >>"$script"; echo "good" >>"$want"; }
# bad CONSTRAINT STATEMENT
bad() {
    printf 'SELECT "bad %s";\n%s;\n' "$1" "$2" >>"$script"
    echo "bad $1" >>"$want"
}

sealed="REPEAT('x', 41)"
id=0123456789abcdef0123456789abcdef

good "INSERT INTO backup_repositories (name, path, created_usec) VALUES ('second', '/srv/second', 1)"
bad backup_repositories_name "INSERT INTO backup_repositories (name, path, created_usec) VALUES ('second', '/srv/x', 1)"
good "INSERT INTO backup_repositories (name, path, created_usec) VALUES ('second ', '/srv/blank', 1)"
bad backup_repositories_path "INSERT INTO backup_repositories (name, path, created_usec) VALUES ('x', '/srv/second', 1)"
for path in srv /srv/ /srv//x /srv/../x /srv/. / '/srv\na'; do
    bad backup_repositories_path_form "INSERT INTO backup_repositories (name, path, created_usec) VALUES ('x', '$path', 1)"
done
marker=50000000-0000-0000-0000-00000000000a
good "UPDATE backup_repositories SET repository_uuid = '$marker' WHERE name = 'second'"
bad backup_repositories_uuid "UPDATE backup_repositories SET repository_uuid = '$marker' WHERE name = 'second '"
bad backup_repositories_uuid_form "UPDATE backup_repositories SET repository_uuid = '${marker^^}' WHERE name = 'second '"
good "UPDATE backup_repositories SET repository_uuid = '${marker%a}b' WHERE name = 'second '"

good "INSERT INTO vmware_credentials (name, host, user_name, password_sealed, created_usec, changed_usec) VALUES ('vc', 'h', 'u', $sealed, 1, 1)"
bad vmware_credentials_name "INSERT INTO vmware_credentials (name, host, user_name, password_sealed, created_usec, changed_usec) VALUES ('vc', 'h2', 'u', $sealed, 1, 1)"
bad vmware_credentials_port "INSERT INTO vmware_credentials (name, host, port, user_name, password_sealed, created_usec, changed_usec) VALUES ('x', 'h', 0, 'u', $sealed, 1, 1)"
bad vmware_credentials_node "INSERT INTO vmware_credentials (name, host, user_name, password_sealed, created_usec, changed_usec, node_id) VALUES ('x', 'h', 'u', $sealed, 1, 1, 999)"
bad vmware_credentials_sealed "INSERT INTO vmware_credentials (name, host, user_name, password_sealed, created_usec, changed_usec) VALUES ('x', 'h', 'u', 'VMware1!', 1, 1)"

good "INSERT INTO nodes (name, reverse_port, public_key, token_sealed, created_usec) VALUES ('n1', 9081, 'key', $sealed, 1)"
good "INSERT INTO nodes (name, reverse_port, created_usec) VALUES ('n2', 9082, 1)"
bad nodes_live_name "INSERT INTO nodes (name, reverse_port, created_usec) VALUES ('n1', 9083, 1)"
bad nodes_live_port "INSERT INTO nodes (name, reverse_port, created_usec) VALUES ('x', 9081, 1)"
bad nodes_public_key "INSERT INTO nodes (name, reverse_port, public_key, created_usec) VALUES ('x', 9083, 'key', 1)"
bad nodes_port "INSERT INTO nodes (name, reverse_port, created_usec) VALUES ('x', 0, 1)"
bad nodes_sealed "INSERT INTO nodes (name, reverse_port, token_sealed, created_usec) VALUES ('x', 9083, 'token', 1)"
node() { # COLUMN VALUE: changes the second one
    echo "UPDATE nodes SET $1 = $2 WHERE name = 'n2'"
}
good "$(node token_key "'token', token_expires_usec = 2")"
bad nodes_token_key "UPDATE nodes SET token_key = 'token', token_expires_usec = 2 WHERE name = 'n1'"
bad nodes_token "$(node token_expires_usec NULL)"
bad nodes_token "UPDATE nodes SET token_used_usec = 1 WHERE name = 'n1'"
bad nodes_two_keys "$(node public_key "'token'")"
bad nodes_enrolled "$(node enrolled_usec 1)"
bad nodes_enrolled "$(node enrolled_usec "1, public_key = 'second'")"
bad nodes_enrolled "$(node enrolled_usec "1, token_sealed = $sealed")"
good "$(node enrolled_usec "1, token_sealed = $sealed, public_key = 'second', token_used_usec = 1")"
bad nodes_local "$(node is_local 2)"
bad nodes_local "$(node is_local 1)"
bad nodes_removed "$(node removed_usec 3)"
good "INSERT INTO nodes (name, reverse_port, is_local, enrolled_usec, token_sealed, created_usec) VALUES ('here', 8081, 1, 1, $sealed, 1)"
# What was removed leaves its name and port to others, as often as one likes.
for _ in 1 2; do
    good "UPDATE nodes SET removed_usec = 3, token_sealed = NULL WHERE name = 'here' AND removed_usec IS NULL"
    good "INSERT INTO nodes (name, reverse_port, is_local, created_usec) VALUES ('here', 8081, 1, 1)"
done
bad nodes_live_name "UPDATE nodes SET removed_usec = NULL, enrolled_usec = NULL WHERE name = 'here'"

context() { # ID UUID [COLUMN VALUE]
    echo "INSERT INTO vm_replication_contexts (context_id, instance_uuid, vm_name, vm_path, created_usec${3:+, $3}) VALUES ('$1', '$2', 'pgtest1', '/DC/vm/pgtest1', 1${4:+, $4})"
}
good "$(context ctx-pgtest1-20260101-000000 50000000-0000-0000-0000-000000000001 credential_id '(SELECT id FROM vmware_credentials)')"
good "$(context ctx-pgtest1-20260101-000001 50000000-0000-0000-0000-000000000002 node_id '(SELECT MIN(id) FROM nodes)')"
bad vm_replication_contexts_context_id "$(context ctx-pgtest1-20260101-000000 50000000-0000-0000-0000-000000000003)"
bad vm_replication_contexts_instance_uuid "$(context ctx-x-20260101-000000 50000000-0000-0000-0000-000000000001)"
bad vm_replication_contexts_context_id_form "$(context 'ctx-../x-20260101-000000' 50000000-0000-0000-0000-000000000003)"
bad vm_replication_contexts_context_id_form "$(context 'ctx-x-20260101-000000\n' 50000000-0000-0000-0000-000000000003)"
bad vm_replication_contexts_uuid_form "$(context ctx-x-20260101-000000 5000000A-0000-0000-0000-000000000003)"
bad vm_replication_contexts_uuid_form "$(context ctx-x-20260101-000000 ../../../../../../etc)"
bad vm_replication_contexts_credential "$(context ctx-x-20260101-000000 50000000-0000-0000-0000-000000000003 credential_id 999)"
bad vm_replication_contexts_node "$(context ctx-x-20260101-000000 50000000-0000-0000-0000-000000000003 node_id 999)"
bad vm_replication_contexts_node "DELETE FROM nodes WHERE name = 'n1'"
bad vm_replication_contexts_credential "DELETE FROM vmware_credentials"

disk() { # CONTEXT KEY [UNIT [CAPACITY [UUID [CHANGE]]]]
    echo "INSERT INTO vm_disks (vm_context_id, disk_key, unit_number, controller, capacity_bytes, backing_uuid, change_id) VALUES ($1, $2, ${3:-0}, 'pvscsi:1000', ${4:-1}, ${5:-NULL}, ${6:-NULL})"
}
good "$(disk 1 2000 0)"
good "$(disk 1 2001 0)" # both say unit 0
good "$(disk 2 2000 0)" # the same key in another VM
bad vm_disks_key "$(disk 1 2000 1)"
bad vm_disks_key_form "$(disk 1 0)"
bad vm_disks_key_form "$(disk 1 2147483648)"
bad vm_disks_capacity "$(disk 1 2002 0 0)"
bad vm_disks_backing_uuid "$(disk 1 2002 0 1 "''")"
bad vm_disks_change_id "$(disk 1 2002 0 1 NULL "''")"
bad vm_disks_context "$(disk 999 2000)"
bad vm_disks_context "DELETE FROM vm_replication_contexts WHERE id = 1"
good "UPDATE vm_disks SET present = 0 WHERE vm_context_id = 2"
bad vm_disks_present "UPDATE vm_disks SET present = 2 WHERE vm_context_id = 2"

job() { # CONTEXT BACKUP-ID [COLUMNS VALUES]
    echo "INSERT INTO backup_jobs (vm_context_id, repository_id, backup_id, backup_type, principal, created_usec${3:+, $3}) VALUES ($1, 1, '$2', 'full', 'uid:0', 1${4:+, $4})"
}
ended="state, finished_usec"
good "$(job 1 backup-a-1 "$ended" "'completed', 2")"
good "$(job 1 backup-a-2)"
bad backup_jobs_one_active "$(job 1 backup-a-3)"
bad backup_jobs_one_active "UPDATE backup_jobs SET state = 'copying', finished_usec = NULL WHERE backup_id = 'backup-a-1'"
good "$(job 1 backup-a-4 "$ended, error_name" "'failed', 2, 'com.sendense.Error.X'")"
good "$(job 1 backup-a-5-1 "$ended" "'cancelled', 2")"
good "$(job 2 backup-b-1)"
bad backup_jobs_backup_id "$(job 1 backup-a-1 "$ended" "'completed', 2")"
bad backup_jobs_backup_id_form "$(job 1 backup-../x-1 "$ended" "'completed', 2")"
bad backup_jobs_backup_id_form "$(job 1 'backup-x-1\n' "$ended" "'completed', 2")"
good "$(job 1 backup-r-1 "$ended, retry_of, retry_number" "'completed', 2, 1, 1")"
bad backup_jobs_retry_once "$(job 1 backup-r-2 "$ended, retry_of, retry_number" "'completed', 2, 1, 1")"
bad backup_jobs_retry_of "$(job 1 backup-r-2 "$ended, retry_of, retry_number" "'completed', 2, 999, 1")"
bad backup_jobs_retry "$(job 1 backup-r-2 "$ended, retry_number" "'completed', 2, 1")"
bad backup_jobs_retry "$(job 1 backup-r-2 "$ended, retry_of" "'completed', 2, 2")"
good "DELETE FROM backup_jobs WHERE backup_id = 'backup-r-1'"
bad backup_jobs_attempt "$(job 1 backup-x-1 "$ended, attempt" "'completed', 2, 0")"
bad backup_jobs_finished "$(job 1 backup-x-1 state "'completed'")"
bad backup_jobs_finished "UPDATE backup_jobs SET finished_usec = 2 WHERE backup_id = 'backup-a-2'"
bad backup_jobs_error "$(job 1 backup-x-1 "$ended" "'failed', 2")"
bad backup_jobs_error "$(job 1 backup-x-1 "$ended, error_name" "'completed', 2, 'x'")"
bad backup_jobs_ending "$(job 1 backup-x-1 "$ended, ending" "'completed', 2, 'failed'")"
bad backup_jobs_ending "$(job 1 backup-x-1 "$ended, ending" "'cancelled', 2, 'failed'")"
bad backup_jobs_ending "$(job 1 backup-x-1 "$ended, error_name, ending" "'failed', 2, 'x', 'cancelled'")"
good "$(job 1 backup-a-6 "$ended, error_name, ending" "'failed', 2, 'x', 'failed'")"
good "UPDATE backup_jobs SET state = 'copying', ending = 'cancelled' WHERE id = 2"
bad backup_jobs_ending "UPDATE backup_jobs SET state = 'releasing' WHERE id = 2"
good "UPDATE backup_jobs SET state = 'queued', ending = NULL WHERE id = 2"
bad backup_jobs_unit "UPDATE backup_jobs SET unit = 'sendense-import-2.service' WHERE id = 2"
bad backup_jobs_unit "UPDATE backup_jobs SET invocation_id = '$id' WHERE id = 2"
good "UPDATE backup_jobs SET unit = 'sendense-import-2.service', boot_id = '$id' WHERE id = 2"
good "UPDATE backup_jobs SET invocation_id = '$id' WHERE id = 2"
bad backup_jobs_ids "UPDATE backup_jobs SET invocation_id = 'X' WHERE id = 2"
bad backup_jobs_ids "UPDATE backup_jobs SET boot_id = '' WHERE id = 2"
bad backup_jobs_context "$(job 999 backup-x-1)"
bad backup_jobs_repository "UPDATE backup_jobs SET repository_id = 999 WHERE id = 2"
bad backup_jobs_repository "DELETE FROM backup_repositories WHERE id = 1"
bad backup_jobs_node "UPDATE backup_jobs SET node_id = 999 WHERE id = 2"
work() { # CONTEXT REPOSITORY TARGET [COLUMN VALUE]
    echo "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id, target_job_id, work, principal, created_usec, state, finished_usec${4:+, $4}) VALUES ('${6:-verify}', $1, $2, $3, '${7:-{\}}', 'uid:0', 1, ${8:-'completed', 2}${5:+, $5})"
}
good "$(work 1 1 1)"
bad backup_jobs_backup "$(work 1 1 1 backup_id "'backup-x-1'")"
bad backup_jobs_backup "$(work 1 1 NULL)"
bad backup_jobs_backup "UPDATE backup_jobs SET backup_type = NULL WHERE id = 2"
bad backup_jobs_backup "UPDATE backup_jobs SET target_job_id = 1 WHERE id = 2"
bad backup_jobs_target "$(work 2 1 1)"
bad backup_jobs_target "$(work 1 2 1)"
good "$(work 1 1 1 work_result "'[1]'")"
bad backup_jobs_work "$(work 1 1 1 '' '' verify 'no json')"
bad backup_jobs_work "$(work 1 1 1 work_result "'{'")"
bad backup_jobs_work "UPDATE backup_jobs SET work = '{}' WHERE id = 2"
good "UPDATE backup_jobs SET vm_state = '{}' WHERE id = 2"
bad backup_jobs_vm_state "UPDATE backup_jobs SET vm_state = 'no json' WHERE id = 2"
bad backup_jobs_vm_state "UPDATE backup_jobs SET vm_state = '{}' WHERE job_type = 'verify'"
bad backup_jobs_changes "UPDATE backup_jobs SET changes_vm = 1 WHERE id = 2"
bad backup_jobs_changes "UPDATE backup_jobs SET changes_vm = 2 WHERE job_type = 'verify'"
bad backup_jobs_deleted "UPDATE backup_jobs SET deleted_usec = 1 WHERE id = 2"
bad backup_jobs_deleted "UPDATE backup_jobs SET deleted_usec = 1 WHERE job_type = 'verify'"
# What reads may run beside a backup of the VM; what deletes may not.
good "$(work 1 1 1 '' '' restore '{}' "'copying', NULL")"
good "$(work 1 1 1 '' '' mount '{}' "'copying', NULL")"
good "$(work 1 1 1 '' '' files '{}' "'queued', NULL")"
bad backup_jobs_one_active "$(work 1 1 1 '' '' delete '{}' "'queued', NULL")"

image() { # JOB CONTEXT REPOSITORY KEY STATE TYPE PARENT FILE [REASON]
    echo "INSERT INTO backup_disks (job_id, vm_context_id, repository_id, disk_key, state, backup_type, capacity_bytes, parent_id, file_path, reason) VALUES ((SELECT id FROM backup_jobs WHERE backup_id = '$1'), $2, $3, $4, '$5', '$6', 1, $7, $8, ${9:-NULL})"
}
good "$(image backup-a-1 1 1 2000 completed full NULL "'u/2000/a.qcow2'")"
good "$(image backup-a-1 1 1 2001 excluded full NULL NULL "'independent disk'")"
bad backup_disks_key "$(image backup-a-1 1 1 2000 pending full NULL NULL)"
good "$(image backup-a-2 1 1 2000 exporting incremental 1 "'u/2000/b.qcow2'")"
good "$(image backup-b-1 2 1 2000 exporting full NULL "'v/2000/b.qcow2'")"
bad backup_disks_file "$(image backup-a-2 1 1 2001 exporting full NULL "'u/2000/a.qcow2'")"
bad backup_disks_job "$(image backup-b-1 1 1 2001 pending full NULL NULL)"
bad backup_disks_job "$(image backup-a-2 1 2 2001 pending full NULL NULL)"
bad backup_disks_disk "$(image backup-a-2 1 1 2002 pending full NULL NULL)"
bad backup_disks_parent "$(image backup-a-2 1 1 2001 exporting incremental 1 "'u/2001/b.qcow2'")"
bad backup_disks_parent "DELETE FROM backup_disks WHERE id = 1"
bad backup_disks_capacity "UPDATE backup_disks SET capacity_bytes = 0 WHERE id = 1"
bad backup_disks_reason "$(image backup-a-2 1 1 2001 excluded full NULL NULL)"
good "UPDATE backup_disks SET source_uri = 'nbd+unix:///?socket=/run/s' WHERE id = 1"
bad backup_disks_source "UPDATE backup_disks SET source_uri = '' WHERE id = 1"
bad backup_disks_image "$(image backup-a-2 1 1 2001 excluded full NULL "'u/2001/b.qcow2'" "'why'")"
bad backup_disks_image "UPDATE backup_disks SET file_path = NULL WHERE id = 1"
bad backup_disks_layer "$(image backup-a-2 1 1 2001 exporting full 1 "'u/2001/b.qcow2'")"
bad backup_disks_layer "$(image backup-a-2 1 1 2001 exporting incremental NULL "'u/2001/b.qcow2'")"
bad backup_disks_damage "UPDATE backup_disks SET damaged_usec = 1 WHERE id = 1"
good "UPDATE backup_disks SET damaged_usec = 1, damage_text = 'block 7', verified_usec = 2 WHERE id = 1"
bad backup_disks_damage "UPDATE backup_disks SET damaged_usec = NULL WHERE id = 1"
good "UPDATE backup_disks SET damaged_usec = NULL, damage_text = NULL WHERE id = 1"
for file in /etc/x ../x u/../x u//x u/ . 'u\nx' ''; do
    bad backup_disks_file_form "UPDATE backup_disks SET file_path = '$file' WHERE id = 1"
done
bad backup_disks_unit "UPDATE backup_disks SET unit = 'x.service' WHERE id = 1"
bad backup_disks_ids "UPDATE backup_disks SET unit = 'x.service', boot_id = 'x' WHERE id = 1"

lease() { # PORT JOB DISK EXPORT UNIT [BOOT]
    echo "INSERT INTO port_leases (port, job_id, backup_disk_id, export_name, unit, boot_id, leased_usec) VALUES ($1, (SELECT id FROM backup_jobs WHERE backup_id = '$2'), (SELECT id FROM backup_disks WHERE file_path = '$3'), '$4', '$5', '${6:-$id}', 1)"
}
good "$(lease 10100 backup-a-2 u/2000/b.qcow2 e1 u1.service)"
bad PRIMARY "$(lease 10100 backup-b-1 v/2000/b.qcow2 e2 u2.service)"
bad port_leases_export "$(lease 10101 backup-b-1 v/2000/b.qcow2 e1 u2.service)"
bad port_leases_unit "$(lease 10101 backup-b-1 v/2000/b.qcow2 e2 u1.service)"
bad port_leases_disk "$(lease 10101 backup-a-2 u/2000/b.qcow2 e2 u2.service)"
bad port_leases_job_disk "$(lease 10101 backup-b-1 u/2000/b.qcow2 e2 u2.service)"
bad port_leases_port "$(lease 0 backup-b-1 v/2000/b.qcow2 e2 u2.service)"
bad port_leases_export_form "$(lease 10101 backup-b-1 v/2000/b.qcow2 'a/b' u2.service)"
bad port_leases_ids "$(lease 10101 backup-b-1 v/2000/b.qcow2 e2 u2.service boot)"
good "$(lease 10101 backup-b-1 v/2000/b.qcow2 e2 u2.service)"
bad backup_disks_job "DELETE FROM backup_jobs WHERE backup_id = 'backup-a-1'"

event() { # EVENT JOB
    echo "INSERT INTO job_events (event_id, job_id, at_usec, principal, from_state, to_state, reason) VALUES ('$1', $2, 1, 'hub', NULL, 'queued', 'made')"
}
good "$(event $id 1)"
bad job_events_event_id "$(event $id 1)"
bad job_events_event_id_form "$(event x 1)"
bad job_events_job "$(event ${id/0/1} 999)"

obligation() { # KIND SUBJECT JOB NODE [STATE]
    echo "INSERT INTO obligations (kind, subject, job_id, node_id, created_usec, next_attempt_usec, state) VALUES ('$1', '$2', $3, $4, 1, 1, '${5:-open}')"
}
good "$(obligation stop-unit u1 1 NULL)"
bad obligations_once "$(obligation stop-unit u1 1 NULL)"
good "$(obligation stop-unit u1 1 1)"
good "$(obligation remove-file u1 1 NULL)"
bad obligations_once "$(obligation stop-unit u1 2 1)"
good "UPDATE obligations SET state = 'done', done_usec = 2"
good "$(obligation stop-unit u1 1 NULL)"
bad obligations_words "$(obligation 'Stop it' u2 1 NULL)"
bad obligations_words "$(obligation stop-unit '' 1 NULL)"
bad obligations_done "$(obligation stop-unit u2 1 NULL 'done')"
bad obligations_job "$(obligation stop-unit u2 999 NULL)"
bad obligations_node "$(obligation stop-unit u2 1 999)"

token() { # NAME HASH ROLES
    echo "INSERT INTO api_tokens (name, token_sha256, roles, created_by, created_usec) VALUES ('$1', REPEAT('$2', 32), '$3', 'uid:0', 1)"
}
good "$(token a a inspect,backup)"
bad api_tokens_name "$(token a b inspect)"
bad api_tokens_token "$(token b a inspect)"
bad api_tokens_roles "$(token b b '')"

all='["*"]'
policy() { # NAME [VMS [EXCEPT [REPOSITORY [NODE]]]]
    echo "INSERT INTO policies (name, vms, except_vms, repository_id, node_id, principal, created_usec, changed_usec, heard_usec)
        VALUES ('$1', '${2:-$all}', '${3:-[]}', ${4:-1}, ${5:-NULL}, 'uid:0', 1, 1, 1)"
}
good "$(policy daily)"
bad policies_live_name "$(policy daily)"
for name in '' -a a/b 'a b' 'a\n'; do bad policies_name_form "$(policy "$name")"; done
for list in '' '{}' '[]' '["a"'; do bad policies_vms "UPDATE policies SET vms = '$list' WHERE name = 'daily'"; done
for list in '' '{}' '["a"'; do bad policies_except "UPDATE policies SET except_vms = '$list' WHERE name = 'daily'"; done
bad policies_flags "UPDATE policies SET is_enabled = 2 WHERE name = 'daily'"
bad policies_flags "UPDATE policies SET is_persistent = 2 WHERE name = 'daily'"
bad policies_calendar "UPDATE policies SET calendar = '' WHERE name = 'daily'"
bad policies_full_every "UPDATE policies SET full_every_usec = 0 WHERE name = 'daily'"
bad policies_repository "$(policy x "$all" '[]' 999)"
bad policies_node "$(policy x "$all" '[]' 1 999)"
good "UPDATE policies SET removed_usec = 2 WHERE name = 'daily'"
good "$(policy daily)"
run() { # POLICY STATE FINISHED
    echo "INSERT INTO policy_runs (policy_id, kind, cause, state, principal, created_usec, finished_usec) VALUES ($1, 'backup', 'timer', '$2', 'uid:0', 1, $3)"
}
daily="(SELECT id FROM policies WHERE live_name = 'daily')"
good "$(run "$daily" running NULL)"
bad policy_runs_one_running "$(run "$daily" running NULL)"
bad policy_runs_finished "$(run "$daily" running 2)"
bad policy_runs_finished "$(run "$daily" completed NULL)"
bad policy_runs_policy "$(run 999 completed 2)"
good "$(run "$daily" completed 2)"
run_vm() { # RUN VM FULL BACKUP DELETE
    echo "INSERT INTO policy_run_vms (run_id, vm_context_id, is_full, backup_job_id, delete_job_id) VALUES ($1, $2, ${3:-0}, ${4:-NULL}, ${5:-NULL})"
}
running="(SELECT MIN(id) FROM policy_runs)"
good "$(run_vm "$running" 1 0 1)"
bad PRIMARY "$(run_vm "$running" 1)"
bad policy_run_vms_flags "$(run_vm "$running" 2 2)"
bad policy_run_vms_run "$(run_vm 999 2)"
bad policy_run_vms_context "$(run_vm "$running" 999)"
bad policy_run_vms_backup "$(run_vm "$running" 2 0 999)"
bad policy_run_vms_delete "$(run_vm "$running" 2 0 1 999)"

# Words that are none are refused by their type.
bad "column 'state'" "UPDATE backup_jobs SET state = 'qemu_started' WHERE id = 2"
bad "column 'roles'" "$(token b b inspect,root)"

mariadb_as_nobody mariadb --no-defaults --socket="$mariadb_socket" --default-character-set=utf8mb4 -u nobody -NB --force \
    sendense <"$script" >"$TEST_TMP/out" 2>&1
# One line for each statement: what was wanted, and what MariaDB said.
awk '/^(good|bad )/ { if (n++) print want "\t" said; want = $0; said = "accepted"; next }
     /^ERROR/ { said = $0 } END { print want "\t" said }' "$TEST_TMP/out" >"$TEST_TMP/got"

is "$(cut -f1 "$TEST_TMP/got")" "$(cat "$want")" "every statement was tried"
is "$(awk -F'\t' '$1 == "good" && $2 != "accepted"' "$TEST_TMP/got")" "" "all $(grep -c ^good "$want") good rows are accepted"
is "$(awk -F'\t' '$1 != "good" { name = substr($1, 5)
    if (!index($2, "`" name "`") && !index($2, "\047" name "\047") && !index($2, name)) print }' "$TEST_TMP/got")" "" \
    "all $(grep -c ^bad "$want") bad ones are refused, each by its own constraint"

# No constraint without its line.
is "$(comm -23 <(mariadb_sql -e "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'sendense'
    AND CONSTRAINT_NAME <> 'PRIMARY' AND TABLE_NAME <> 'schema_migrations'
    AND CONSTRAINT_NAME NOT IN ('backup_jobs_place', 'backup_disks_chain', 'backup_disks_job_and_id')" | LC_ALL=C sort -u) \
    <(sed -n 's/^bad //p' "$want" | LC_ALL=C sort -u))" "" "every constraint was violated once"
done_testing
