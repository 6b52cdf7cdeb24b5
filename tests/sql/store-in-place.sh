#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A restore in place in the store: it is alone with its VM but for what reads, and no backup builds upon a layer that is older than it,
# in any repository, from the moment when it begins; unless it is known that no disk of the VM was touched.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
store_do vm_set "$(vm_json pgtest1 1)"
store_do job_create "$(create_json pgtest1 1 1700000000)"
finish "$(got .Id)" 16
backup="backup-pgtest1-1700000000"

work() { # TYPE EVENT [TARGET]
    store_do job_work_create "$(jq -cn --arg type "$1" --arg backup "$backup" --arg event "$(event "$2")" --argjson target "${3:-null}" \
        '{Type: $type, BackupId: $backup, Work: {target: $target}, Principal: "uid:0", EventId: $event, NowUSec: 1700000010000000, NodesReachable: [1]}')"
}
in_place='{"kind":"vm","in_place":true}'
end() { step "$1" "${3:-queued}" "${4:-cancelled}" "$2" '{"FinishedUSec":1700000020000000}'; }
decide() { # JOB FROM EVENT UNTOUCHED
    store_do job_decide "$(jq -cn --argjson id "$1" --arg from "$2" --arg event "$(event "$3")" --argjson untouched "$4" \
        '{Id: $id, From: $from, EventId: $event, Ending: "failed", ErrorName: "com.sendense.Error.Failed", ErrorText: "no", Reason: "no",
        Principal: "hub", NowUSec: 1700000015000000, VmUntouched: $untouched}')"
}
# next EVENT SECOND: how a backup would read each disk; it is taken back.
next() {
    store_do job_create "$(create_json pgtest1 "$1" "$2")"
    local id answer_was=$answer
    id=$(got .Id)
    end "$id" $(($1 + 1000))
    jq -r '[.Disks[] | .BackupType, .Reason // ""] | unique | join(" ")' <<<"$answer_was"
}
restored='full the VM was restored in place since its last backup'

is "$(next 420 1700000005 | xargs)" incremental "a backup would build upon the one that is there"
work restore 100 "$in_place"
restore=$(got .Id)
is "$(got .State)" queued "a restore in place is asked for"
is "$(got '.Work | fromjson? // . | .target | [.name, .folder, .vcenter_id] | tojson')" '["pgtest1",null,1]' "into the VM that is there: nothing else is chosen"
work restore 101 "$in_place"
refused EBUSY "VmBusy Job $restore \\(restore\\) of this VM is queued, and a restore in place is alone with its VM" "another one beside it"
store_do job_create "$(create_json pgtest1 621 1700000012)"
refused EBUSY "VmBusy Job $restore of this VM is queued; a VM has one job at a time" "a backup beside it"
work delete 102
refused EBUSY "VmBusy Job $restore \\(restore\\) of this VM is queued, and a deletion is alone" "a deletion beside it"
work verify 103
is "$(got .State)" queued "what reads may be beside it"
end "$(got .Id)" 203
work restore 104 '{"kind":"vm","name":"other"}'
is "$(got .State)" queued "a new VM may be made beside it"
end "$(got .Id)" 204
end "$restore" 200
is "$(next 422 1700000030 | xargs)" incremental "one that never began changes nothing"

store_do job_create "$(create_json pgtest1 623 1700000031)"
backup_job=$(got .Id)
work restore 105 "$in_place"
refused EBUSY "VmBusy Job $backup_job \\(backup\\) of this VM is queued, and a restore in place is alone" "beside a backup none begins"
end "$backup_job" 223

# Refused by its node, or failed before anybody was asked: the VM is what it was.
work restore 106 "$in_place"
restore=$(got .Id)
step "$restore" queued copying 206 '{"StartedUSec":1700000040000000}'
decide "$restore" copying 306 true
end "$restore" 406 copying failed
is "$(next 424 1700000050 | xargs)" incremental "one that is known to have touched nothing changes nothing"

# Nobody knows, or it is done.
work restore 107 "$in_place"
restore=$(got .Id)
step "$restore" queued copying 207 '{"StartedUSec":1700000060000000}'
decide "$restore" copying 307 false
end "$restore" 407 copying failed
is "$(next 425 1700000070)" "$restored" "after one that may have touched it every disk is read whole, and says why"
store_do job_create "$(create_json pgtest1 626 1700000071)"
finish "$(got .Id)" 500
is "$(next 427 1700000080 | xargs)" incremental "the full after it can be built upon"

# A hub whose clock went back, and layers that a scan brings later.
work restore 108 "$in_place"
restore=$(got .Id)
step "$restore" queued copying 208 '{"StartedUSec":1699000000000000}'
step "$restore" copying finishing 308 '{"WorkType":"restore","WorkResult":{"path":"DC/vm/pgtest1"}}'
end "$restore" 408 finishing completed
is "$(next 428 1700000090)" "$restored" "it counts also when the clock went back"
rows "UPDATE backup_jobs SET started_usec = 1700000095000000 WHERE id = $restore"
store_do job_create "$(create_json pgtest1 629 1700000094)"
finish "$(got .Id)" 510
is "$(next 430 1700000099)" "$restored" "a layer of a time before it is none to build upon, whatever its number is"
done_testing
