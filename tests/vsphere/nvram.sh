#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The variables of an EFI: a snapshot brings what the VM has at that moment, an import puts it back before the VM is switched on for the
# first time, and what cannot be had or put back is named and stops neither.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
# shellcheck source=tests/vsphere/import.bash
. "$(dirname "$0")/import.bash"
vsphere_start -zoo

sum_of() { simctl vm nvram vm="$1" "${@:2}" | jq -r .sha256; } # VM [K=V…]
taken() { res '.hardware.nvram.gzip' | base64 -d | gunzip | sha256sum | cut -d' ' -f1; }
nothing=$(sha256sum </dev/null | cut -d' ' -f1)
warned() { res '[.warnings[] | select(test("NVRAM"))] | join(" ")'; }

# At a backup.
uuid=$(uuid_of mixed)
ok 'a snapshot' take
is "$(taken) $(warned)" "$(sum_of mixed) " 'brings the variables that the VM has, in a form that gunzip reads'
is "$(res '[.hardware.nvram.sha256, .hardware.nvram.bytes] | join(" ")')" "$(sum_of mixed) 270840" 'with their sum and size'
ok 'packed into little room' test "$(res '.hardware.nvram.gzip | length')" -lt 20000
was=$(sum_of mixed)
simctl vm nvram vm=mixed seed=3 >/dev/null
take
is "$(taken)" "$(sum_of mixed)" 'those of this moment'
ok 'which are others now' test "$(taken)" != "$was"
uuid=$(uuid_of 'odd & ü [x] a%2fb')
take
is "$(taken) $(warned)" "$(sum_of 'odd & ü [x] a%2fb') " 'of a VM with a name of every kind'
release
uuid=$(uuid_of twin Sites/DC1)
twin=$(simctl vm list | jq -r --arg u "$uuid" '.[] | select(.instance_uuid == $u).vm')
simctl vm nvram vm="$twin" seed=9 >/dev/null
take
is "$(taken)" "$(sum_of "$twin")" 'and of the one of two twins that it is'
release
uuid=$(uuid_of mixed)
simctl fault session-killed method=NvramGet >/dev/null
simctl fault drop-connection method=NvramGet at=3 count=2 >/dev/null
take
is "$(taken) $(warned)" "$(sum_of mixed) " 'through a session that dies and connections that drop'
simctl faults clear >/dev/null

# What costs it, and no backup.
without() { # NAME TEXT
    is "$(res '.result, (.hardware.nvram // "none")' | paste -sd' ')" 'ok none' "$1: the snapshot is held, without them"
    like "$(warned)" "NVRAM.* not in the backup: .*$2" "$1: and says why"
}
simctl fault http-503 method=NvramGet count=0 >/dev/null
take
without 'a vCenter that gives no file' 'HTTP 503'
simctl faults clear >/dev/null
simctl vm nvram vm=mixed seed=4 content=200K >/dev/null
take
without 'more than goes into a record' 'its 270840 bytes cannot be packed'
simctl vm nvram vm=mixed seed=4 size=5M >/dev/null
take
without 'far more than that' 'it has more than 4194304 bytes'
simctl vm nvram vm=mixed gone=1 >/dev/null
take
without 'a file that is not there' 'HTTP 404'
simctl vm nvram vm=mixed seed=6 plain=0 >/dev/null
take
without 'ciphertext' 'the file is encrypted by vSphere'
simctl vm nvram vm=mixed seed=5 >/dev/null
release
simctl vm encrypted vm=loner >/dev/null
uuid=$(uuid_of loner)
take
without 'a VM that is encrypted' 'the file is encrypted by vSphere'
is "$(res '[.hardware.encrypted, .hardware.disks[].encrypted] | map(tostring) | join(" ")')" 'true true true' 'a VM that is encrypted: the record says it'
release
simctl vm add name=new disks=16M on=0 >/dev/null
uuid=$(uuid_of new)
take
is "$(res '.result, (.hardware.nvram // "none")' | paste -sd' ') $(warned)" 'ok none ' 'a VM that was never switched on has none, and misses none'
release
clean 'at a backup'

# At a restore.
hardware=$(hardware_of mixed)
want=$(sum_of mixed)
vms_before=$(vms)
back() { # NAME JQ SUM: the VM as it is made, and once it was switched on
    simctl calls clear >/dev/null
    ok "$1" import ".networks = {gone: \"VM Network\"} | $2" || diag "$(cat "$TEST_TMP/result")"
    is "$(sum_of "$(res '.path | split("/") | last')")" "$3" "$1: with these variables"
}
left() { res '[.left_out[] | select(.type == "NVRAM").label] | join(" ")'; }
back 'a VM' . "$want"
is "$(left) $(res '.warnings | join(" ")')" ' ' 'nothing of it is left out'
simctl vm power vm='back again' on=1 >/dev/null
is "$(sum_of 'back again')" "$want" 'it starts with them'
simctl vm remove vm='back again' >/dev/null
back 'a VM that is switched on at once' '.power_on = true' "$want"
is "$(simctl calls | jq -r '[.[].method | select(. == "NvramPut" or . == "MoveDatastoreFile_Task" or . == "PowerOnVM_Task")] | join(" ")')" \
    'NvramPut MoveDatastoreFile_Task PowerOnVM_Task' 'they were there before'
simctl vm remove vm='back again' >/dev/null
back 'with an odd name, on a datastore with a blank' '.name = "a & ü [x] <y>" | .datastore = "fast disks"' "$want"
simctl vm remove vm='a & ü [x] <y>' >/dev/null
back 'in another datacenter' '.folder = "Sites/DC1/vm" | .name = "far"' "$want"
simctl vm remove vm=far >/dev/null
simctl fault session-killed method=NvramPut >/dev/null
simctl fault drop-connection method=NvramGet >/dev/null
back 'through a session that dies' . "$want"
simctl faults clear >/dev/null
simctl vm remove vm='back again' >/dev/null
partials() { jq -r '.datastores[].dir' "$sim/ready" | xargs -d '\n' -I{} find {} -name '*.partial'; } # what is on its way to its place
named() { # NAME TEXT
    is "$(partials)" '' "$1: nothing of them lies about"
    is "$(left)" 'variables of its EFI' "$1: named as left out"
    like "$(res '.warnings | join(" ")')" "NVRAM.* not put back: .*$2" "$1: with the reason"
    simctl faults clear >/dev/null
    simctl vm remove vm='back again' >/dev/null
}
simctl fault http-503 method=NvramPut count=0 >/dev/null
back 'a vCenter that takes no file' . "$nothing"
named 'a vCenter that takes no file' 'HTTP 503'
simctl fault cut-upload method=NvramPut bytes=100000 count=2 >/dev/null
back 'through connections that break while they are sent' . "$want"
is "$(left) $(res '.warnings | join(" ")')$(partials)" ' ' 'once all of it has arrived nothing else is there'
simctl faults clear >/dev/null
simctl vm remove vm='back again' >/dev/null
simctl fault cut-upload method=NvramPut bytes=100000 count=0 >/dev/null
back 'one that always breaks off' . "$nothing"
simctl vm power vm='back again' on=1 >/dev/null
is "$(simctl vm nvram vm='back again' | jq -r .size)" 270840 'one that always breaks off: the VM begins with new ones instead of with half'
simctl vm power vm='back again' on=0 >/dev/null
named 'one that always breaks off' ''
simctl fault cut-answer method=NvramGet bytes=1000 count=0 >/dev/null
back 'one that cannot be read back' . "$nothing"
named 'one that cannot be read back' ''
simctl fault soap-fault method=MoveDatastoreFile_Task fault=NoPermission >/dev/null
back 'a vCenter that does not move it' . "$nothing"
named 'a vCenter that does not move it' 'Fault on order'
simctl fault cut-answer method=MoveDatastoreFile_Task bytes=-1 >/dev/null
back 'a move without an answer' . "$want"
is "$(left) $(res '.warnings | join(" ")')$(partials)" ' ' 'a move without an answer: it is seen that it was done'
simctl faults clear >/dev/null
simctl vm remove vm='back again' >/dev/null
simctl fault cut-upload method=NvramPut bytes=100000 count=0 >/dev/null
simctl fault soap-fault method=DeleteDatastoreFile_Task fault=NoPermission >/dev/null
back 'half a file that cannot be removed' . "$nothing"
like "$(res '.warnings | join(" ")')" 'NVRAM.* not put back: .*back again/sendense.nvram.partial is left, .*Fault on order' 'half a file that cannot be removed: named, with the reason'
is "$(partials | wc -l)" 1 'half a file that cannot be removed: it does lie there'
simctl faults clear >/dev/null
simctl calls clear >/dev/null
import_end "$(res .instance_uuid)"
is "$(simctl calls | jq -r '[.[].method | select(. == "DeleteDatastoreFile_Task" or . == "Destroy_Task")] | join(" ")') $(partials)" \
    'DeleteDatastoreFile_Task Destroy_Task ' 'who gives the VM up removes it first: with it in there the folder would stay'
back 'a record that lies' '.hardware.nvram.sha256 = ("0" * 64)' "$nothing"
named 'a record that lies' 'not what its SHA-256 says'
simctl vm nvram vm=mixed seed=8 plain=0 >/dev/null
sealed=$(jq -r '.datastores[] | select(.dc == "DC0" and .name == "datastore1").dir' "$sim/ready")/mixed/mixed.nvram
old=$(jq -nc --arg sum "$(sha256sum <"$sealed" | cut -d' ' -f1)" --arg gzip "$(gzip -9c "$sealed" | base64 -w0)" '{bytes: 270840, sha256: $sum, gzip: $gzip}')
back 'a record of before, with ciphertext' ".hardware.nvram = $old" "$nothing"
named 'a record of before, with ciphertext' 'the backup has them as vSphere had encrypted them'
back 'a record that says it is encrypted' '.hardware.encrypted = true' "$nothing"
named 'a record that says it is encrypted' 'the backup has them as vSphere had encrypted them'
back 'a record without them' 'del(.hardware.nvram)' "$nothing"
is "$(left)" 'variables of its EFI' 'a record without them: named as left out'
simctl vm remove vm='back again' >/dev/null
back 'a VM with a BIOS' '.hardware.firmware = "bios" | del(.hardware.nvram)' "$nothing"
is "$(left)" '' 'a VM with a BIOS: nothing is left out'
simctl vm remove vm='back again' >/dev/null
nothing_new 'at a restore'
done_testing
