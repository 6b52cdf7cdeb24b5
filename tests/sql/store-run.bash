# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# Functions of the hub's store against a throw-away MariaDB that is migrated. Source it after tap.sh,
# mariadb.bash and migrate.bash, and call store_ready once.
#
#   store_do FUNCTION [JSON]    one call; its answer, or its refusal, is in $answer
#   got JQ                      what JQ says of $answer
#   refused ERROR TEXT NAME     the last call was refused with this errno's name, and its text matches
#   store_with_node             what a job needs that reads a VM
#   rows SQL                    lines of the database, tabs as blanks
#   rows_count                  how many rows all tables have, to see that nothing changed

store_ready() {
    mariadb_start "$TEST_TMP/db" || exit 1
    migrate_config 300ms 30s # time is not what these tests are about
    require "the migrations apply" migrate
}

# A node that is enrolled, and a vCenter to which every VM belongs that is entered from now on: without them no job is made.
store_with_node() {
    require "a node, and a vCenter" mariadb_sql sendense -e "
        INSERT INTO nodes (id, name, reverse_port, public_key, token_sealed, enrolled_usec, created_usec)
        VALUES (1, 'edge1', 9081, 'ssh-ed25519 AAAA', REPEAT('x', 41), 1, 1);
        INSERT INTO vmware_credentials (id, name, host, user_name, password_sealed, created_usec, changed_usec)
        VALUES (1, 'vc1', 'vc.example', 'backup', REPEAT('x', 41), 1, 1);
        CREATE TRIGGER of_vc1 BEFORE INSERT ON vm_replication_contexts FOR EACH ROW SET NEW.credential_id = 1"
}

store_do() {
    answer=$(mariadb_as_nobody "$SENDENSE_BUILD/tests/sql/store-run" "$TEST_TMP/hub.conf" <<<"$1 ${2:-{\}}" 2>&1)
}

got() { jq -r "$1" <<<"$answer"; }

refused() {
    if [ "$(got .error)" = "$1" ] && [[ "$(got '.name + " " + .text')" =~ $2 ]]; then
        pass "$3"
    else
        fail "$3" "wanted $1 and: $2" "got: $answer"
    fi
}

rows() { mariadb_sql sendense -e "$1" | tr '\t' ' '; }

rows_dump() {
    mariadb-dump --no-defaults --socket="$mariadb_socket" --no-create-info --skip-comments --compact \
        --order-by-primary --skip-extended-insert sendense
}

# An event id from a number.
event() { printf '%032x' "$1"; }

# vm NAME UUID-DIGIT [DISKS-JSON]: enters a VM with two disks of one unit number.
vm_json() {
    jq -cn --arg name "$1" --arg uuid "50000000-0000-0000-0000-00000000000$2" --argjson disks "${3:-null}" \
        '{Name: $name, Path: "/DC/vm/\($name)", InstanceUuid: $uuid, NowUSec: 1700000000000000, Disks: ($disks // [
        {Key: 2000, UnitNumber: 0, Controller: "pvscsi:1000", CapacityBytes: 1048576, BackingUuid: "b0"},
        {Key: 2001, UnitNumber: 0, Controller: "pvscsi:1001", CapacityBytes: 2097152, BackingUuid: "b1"}])}'
}

# create_json VM EVENT SECOND [MORE-JSON]
create_json() {
    jq -cn --arg vm "$1" --arg event "$(event "$2")" --argjson sec "$3" --argjson more "${4:-{\}}" \
        '{Vm: $vm, Repository: "local", BackupType: "incremental", Principal: "uid:0", EventId: $event,
        NodesReachable: [1], NowUSec: ($sec * 1000000)} + $more'
}

# step JOB FROM TO EVENT [MORE-JSON]: advances a job.
step() {
    store_do job_advance "$(jq -cn --argjson id "$1" --arg from "$2" --arg to "$3" --arg event "$(event "$4")" \
        --argjson more "${5:-{\}}" '{Id: $id, From: $from, To: $to, EventId: $event, Principal: "hub", Reason: "test",
        NowUSec: 1700000100000000} + $more')"
}

# finish JOB EVENT: from queued to completed in the shortest way, with files and change ids.
finish() {
    local id=$1 disks
    store_do job_get "{\"Id\":$id}"
    disks=$(got '.BackupId as $b | [.Disks[] | select(.State != "excluded") |
        {Id, File: "u\(.Id)/\(.Key)/\($b).qcow2", SizeBytes: 4096, ChangeId: "52/\(.Id)"}] | tojson')
    step "$id" queued preparing "$2" '{"StartedUSec":1700000001000000}'
    step "$id" preparing exporting "$(($2 + 1))" "{\"Disks\":$disks,\"DiskState\":\"exporting\"}"
    step "$id" exporting copying "$(($2 + 2))" '{"DiskState":"copying"}'
    step "$id" copying finishing "$(($2 + 3))" '{"DiskState":"copied"}'
    step "$id" finishing completed "$(($2 + 4))" '{"DiskState":"completed","FinishedUSec":1700000009000000,"ChangeIds":true}'
}
