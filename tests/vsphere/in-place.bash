# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of vsphere.bash and import.bash, and of those who source it
#
# For tests of a restore into the VM that is there: source it after import.bash. The steps are those of a node's task, with the same specs.

# web_up: the VM "web" of three disks on two datastores; $hardware is its record, $uuid its identity, $disks what a backup would bring back.
web_up() {
    local key i=0 task
    simctl vm add name=web folder=Prod disks=24M:fill=4M,8M:sata:fill=2M on=0 >/dev/null
    login >/dev/null
    web=$(by_path DC0/vm/Prod/web)
    task=$(start_task ReconfigVM_Task VirtualMachine "$web" "<spec><deviceChange><operation>add</operation><fileOperation>create</fileOperation><device xsi:type=\"VirtualDisk\"><key>-1</key><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>[fast disks]</fileName><diskMode>persistent</diskMode></backing><controllerKey>1000</controllerKey><unitNumber>4</unitNumber><capacityInKB>6144</capacityInKB></device></deviceChange></spec>")
    [ "$(task_end "$task")" = success ] || fail 'web gets a disk on another datastore' "$(cat "$TEST_TMP/task")"
    simctl disk fill vm=web key=2004 bytes=1M seed=9 >/dev/null
    hardware=$(hardware_of web)
    uuid=$(uuid_of web)
    names=(one two three) sizes=(25165824 8388608 6291456) keys=(2000 16000 2004)
    for key in "${keys[@]}"; do
        disk "${names[$i]}" "${sizes[$i]}"
        serve "${names[$i]}"
        disks=$(jq -c --arg s "$(source_of "${names[$i]}")" --argjson k "$key" --argjson n "${sizes[$i]}" \
            '. + [{disk_key: $k, capacity_bytes: $n, source: $s}]' <<<"$disks")
        i=$((i + 1))
    done
    old_hashes=$(hashes) old_files=$(files_of)
    new_hashes=$(for i in 0 1 2; do echo "${keys[$i]} $(simctl hash "$TEST_TMP/${names[$i]}.raw")"; done | sort)
    vms_before=$(vms)
}
hashes() { for key in 2000 2004 16000; do echo "$key $(simctl disk hash vm=web key="$key" 2>/dev/null | jq -r .hash)"; done | sort; }
files_of() { simctl vm list vm=web | jq -c '[.disks[].files[-1]]'; }
who() { # what must never change
    props VirtualMachine "$web" config.instanceUuid config.uuid config.files.vmPathName | xall val | paste -sd ' '
}

# run VERB FILTER NAME: as vsphere(), with the result also in $TEST_TMP/NAME; run_point: the command that runs it.
verb() {
    vsphere "$1" "$2"
    local r=$?
    cp "$TEST_TMP/result" "$TEST_TMP/$1"
    return "$r"
}
staging=00000000-1111-2222-3333-444444444444
mark=sendense-test-7-1
look() { verb in-place-look ".instance_uuid = \"$uuid\" | .hardware = $hardware | .disks = $disks | .mark = \"$mark\" | ${1:-.}"; }
bring() { # the import of the new disks
    local with
    with=$(jq -c --argjson disks "$disks" '. as $look | [$disks[] | . as $d | . + {datastore: ($look.disks[] | select(.disk_key == $d.disk_key).datastore)}]' "$TEST_TMP/in-place-look")
    verb import ".name = \"sendense-restore-test\" | .instance_uuid = \"$staging\" | .beside = \"$uuid\" | .datastore = $(jq .datastore "$TEST_TMP/in-place-look")
        | .hardware = $hardware | .disks = $with | .undo_sec = 60"
}
# What the node gives the steps that follow. staged: with where the import has made them.
swap_disks() {
    jq -c --slurpfile made "$TEST_TMP/import" '[.disks[] | . as $d | del(.datastore)
        + {staged_file: ($made[0].disks[]? | select(.disk_key == $d.disk_key).datastore_path)}]' "$TEST_TMP/in-place-look"
}
planned_disks() { jq -c '[.disks[] | del(.datastore)]' "$TEST_TMP/in-place-look"; }
swap_filter() { echo ".instance_uuid = \"$uuid\" | .staging_uuid = \"$staging\" | .disks = ${1:-$(swap_disks)}"; }
swap() { verb in-place-swap "$(swap_filter) | ${1:-.}"; }
keep() { verb in-place-end "$(swap_filter) | .keep = true | ${1:-.}"; }
# With what the exchange told, as the node does it: what has told nothing leaves the new disks where they are.
give_up() {
    local version
    version=$(jq -c '.change_version // empty' "$TEST_TMP/in-place-swap" 2>/dev/null)
    verb in-place-end "$(swap_filter "${1:-}") | .keep = false${version:+ | .change_version = $version} | ${2:-.}"
}

# as_it_was NAME, as_restored NAME: the VM is itself, with the old content or the new, and nothing else is there.
is_clean() { [ "$(simctl left | jq -c '[.sessions - [.sessions[] | select(.agent | startswith("curl"))], .tasks, .leases] | flatten')" = '[]' ] && [ "$(vms)" = "$vms_before" ]; }
it_is() { # NAME HASHES LOOSE
    is "$(hashes)" "$2" "$1"
    is "$(who)" "$web_is" "$1: it is the same VM"
    ok "$1: nothing is left at vCenter" is_clean || diag "$(simctl left) $(vms)"
    is "$(simctl left | jq -c .loose_disks)" "$3" "$1: files of no VM"
}
as_it_was() { it_is "$1" "$old_hashes" '[]' && is "$(files_of)" "$old_files" "$1: with its files"; }
