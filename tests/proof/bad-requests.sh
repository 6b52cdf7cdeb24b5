#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Requests that make no sense are refused by the node's HTTP API with an error that names what is wrong; none of them
# becomes a job, and vCenter hears of none. Each row is a line. What is wrong with a backup that makes sense is in the
# suite proof-long.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof/proof.bash"

proof_machine
vcenter_up -empty
vm_add name=web01 disks=8M:fill=3M,6M:nvme:fill=2M

no_sense() { # NAME TEXT FILTER…
    like "$(api POST backup/start "$(request full | "${@:3}")")" "^400 .*com.sendense.Error.InvalidArgument.*$2" "$1"
}
no_sense_jq() { no_sense "$1" "$2" jq -c "$3"; }

job=1
targets='{"2000": "nbd://127.0.0.1:10101/disk-2000", "32000": "nbd://127.0.0.1:10102/disk-32000"}'
simctl calls clear >/dev/null
no_sense "no JSON" 'one JSON object' tr '{' '('
no_sense "half of it" 'one JSON object' head -c 300
no_sense "a list" 'one JSON object' sed 's/.*/[&]/'
no_sense "two of them" 'one JSON object' sed 's/.*/&&/'
no_sense "the same key twice in nbd_targets" 'without repeated keys' sed 's|"2000":"[^"]*"|&,"2000":"nbd://127.0.0.1:10109/x"|'
no_sense_jq "no targets" 'nbd_targets' 'del(.nbd_targets)'
no_sense_jq "an empty list of targets" 'nbd_targets is empty' '.nbd_targets = {}'
no_sense_jq "targets that are a list" 'nbd_targets' '.nbd_targets = ["nbd://127.0.0.1:10101/x"]'
no_sense_jq "61 targets" 'more than 60 disks' '.nbd_targets = ([range(61) | {key: "\(2000 + .)", value: "nbd://127.0.0.1:\(10101 + .)/x"}] | from_entries)'
no_sense_jq "one target for two disks" 'have the same target' '.nbd_targets["32000"] = .nbd_targets["2000"]'
for key in '' x -1 0 2000x ' 2000' 02000 4294967296 2e3; do
    no_sense_jq "a target of disk '$key'" 'nbd_targets: a key' ".nbd_targets[\"$key\"] = \"nbd://127.0.0.1:10109/x\""
done
for target in '' x http://127.0.0.1:10101/x nbds://127.0.0.1/x 'nbd://127.0.0.1:10101/a b' 'nbd://127.0.0.1:10101/a\"b' "nbd://$(printf '%0600d' 0)"; do
    no_sense_jq "the target '${target:0:40}'" 'the target of disk 2000' ".nbd_targets[\"2000\"] = \"$target\""
done
no_sense_jq "a target that is a number" 'the target of disk 2000' '.nbd_targets["2000"] = 10101'
no_sense_jq "no password" 'vcenter_password is missing' 'del(.vcenter_password)'
no_sense_jq "an empty password" 'vcenter_password is missing' '.vcenter_password = ""'
no_sense_jq "a password that is a number" 'vcenter_password is missing' '.vcenter_password = 1'
no_sense_jq "a password with NUL in it" . '.vcenter_password = "a\u0000b"'
for id in 0 -1 '"1"' 1.5 null '[1]' 9223372036854775808; do no_sense_jq "job $id" . ".job_id = $id"; done
no_sense_jq "no attempt" attempt 'del(.attempt)'
no_sense_jq "a type nobody knows" 'full or incremental' '.backup_type = "increment"'
no_sense_jq "a word of quiesce nobody knows" 'auto, required or no' '.quiesce = "yes"'
no_sense_jq "a member nobody knows" 'x' '.x = 1'
for id in x "${uuid^^}" "${uuid}0" "${uuid//-/}"; do no_sense_jq "the VM '$id'" instance_uuid ".instance_uuid = \"$id\""; done
no_sense_jq "the same disk twice" 'the same key twice' '.disks = [{key: 2000, capacity_bytes: 1}, {key: 2000, capacity_bytes: 2}]'
for size in 0 -512 '"8M"' 1e30; do no_sense_jq "a disk of $size bytes" capacity_bytes ".disks = [{key: 2000, capacity_bytes: $size}]"; done
no_sense_jq "61 disks" disks '.disks = [range(61) | {key: (2000 + .), capacity_bytes: 512}]'
no_sense_jq "a change id without an end" change_id ".disks = [{key: 2000, capacity_bytes: 512, change_id: \"$(printf '%0300d' 0)\"}]"
like "$(head -c 1100000 /dev/zero | tr '\0' ' ' | curl -s -H "Authorization: Bearer $(cat /srv/token)" -H 'Expect:' --data-binary @- -w '%{http_code}' http://127.0.0.1:8081/api/v1/backup/start)" 413 "more than a MiB"
is "$(api GET backups | cut -d' ' -f2- | jq -c .backups)" '[]' "none of them is a job"
is "$(ls /var/lib/sendense-node/ledger)" '' "or stands in the ledger"
is "$(simctl calls | jq length)" 0 "and vCenter heard of none"
done_testing
