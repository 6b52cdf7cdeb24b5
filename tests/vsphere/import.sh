#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A VM comes back as what it was: its disks equal the source at the places where they were, and controllers, cards and settings are as
# recorded. What cannot be is refused before vCenter is asked for anything, and what is left out is named.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
# shellcheck source=tests/vsphere/import.bash
. "$(dirname "$0")/import.bash"
vsphere_start -zoo
before=$(hardware_of mixed)
hardware=$(jq '.secure_boot = true | .cores_per_socket = 2 | .networks = [
    {key: 4000, type: "VirtualVmxnet3", network: "VM Network", mac: "00:50:56:01:02:03", mac_type: "manual"},
    {key: 4001, type: "VirtualE1000", network: "gone", mac: "00:50:56:01:02:04", mac_type: "assigned"}]
    | .others = [{type: "VirtualCdrom", label: "CD/DVD drive 1"}, {type: "VirtualTPM", label: "Virtual TPM"}]' <<<"$before")
sizes=(25165824 5292032 104857600)
names=(one two three)
i=0
for key in $(jq '.disks[].key' <<<"$hardware"); do
    disk "${names[$i]}" "${sizes[$i]}"
    serve "${names[$i]}"
    disks=$(jq -c --arg s "$(source_of "${names[$i]}")" --argjson k "$key" --argjson n "${sizes[$i]}" \
        '. + [{disk_key: $k, capacity_bytes: $n, source: $s}]' <<<"$disks")
    i=$((i + 1))
done
vms_before=$(vms)

# The good case; the URLs of the lease come in another order than the disks.
simctl set lease-reversed=1 >/dev/null
ok 'a VM with three disks at three kinds of controllers' import '.networks = {gone: "VM Network"} | .keep_macs = true | .keepalive_msec = 10'
is "$(res '.result + " " + .path + " " + .power_state')" 'ok DC0/vm/Prod/back again poweredOff' 'is there, under its name, and switched off'
is "$(res '[.disks[].disk_key] | join(" ")')" '2000 16000 32000' 'each disk is told by its old key'
is "$(res '[.disks[].bytes] | join(" ")')" "${sizes[*]}" 'with its size'
ok 'and less was sent than it holds' test "$(res '[.disks[].sent_bytes] | add')" -lt 5000000
is "$(res '.left_out | tojson')" \
    '[{"label":"CD/DVD drive 1","type":"VirtualCdrom"},{"label":"Virtual TPM","type":"VirtualTPM"}]' \
    'what was not made anew is named'
is "$(simctl left | jq -c '[.sessions, .leases, .tasks] | flatten')" '[]' 'no session, no lease, no task stays'
back=$(hardware_of 'back again')
is "$(shape_of "$back" | jq -c '{version, guest_id, firmware, cpus, cores_per_socket, memory_mb, secure_boot}')" \
    "$(shape_of "$hardware" | jq -c '{version, guest_id, firmware, cpus, cores_per_socket, memory_mb, secure_boot}')" 'version, guest, firmware, processors, memory are as recorded'
is "$(shape_of "$back" | jq -c .controllers)" "$(shape_of "$hardware" | jq -c .controllers)" 'so are the controllers with their bus numbers'
is "$(shape_of "$back" | jq -c .disks)" "$(shape_of "$hardware" | jq -c .disks)" 'and the disks with their places and modes'
is "$(jq -c '[.networks[] | {type, network, mac}]' <<<"$back")" \
    '[{"type":"VirtualVmxnet3","network":"VM Network","mac":"00:50:56:01:02:03"},{"type":"VirtualE1000","network":"VM Network","mac":"00:50:56:01:02:04"}]' \
    'the cards have their kinds and addresses, one of them at another network'
# Which of the new disks is which: by where it hangs.
at() { # ADDRESS: the new key of the disk there
    jq -r --arg a "$1" '. as $h | .disks[] | . as $d | ($h.controllers[] | select(.key == $d.controller_key)) as $c
        | select("\($c.type)\($c.bus_number):\(.unit_number)" == $a).key' <<<"$back"
}
i=0
for address in ParaVirtualSCSIController0:0 VirtualAHCIController0:0 VirtualNVMEController0:0; do
    is "$(hash_at 'back again' "$(at $address)")" "$(simctl hash "$TEST_TMP/${names[$i]}.raw")" "the disk at $address holds what ${names[$i]}.raw does"
    i=$((i + 1))
done
ok 'the lease was kept alive' test "$(calls_of HttpNfcLeaseProgress)" -ge 2

# Twice the same name.
vms_before=$(vms)
import
is "$(res .error_name)" com.sendense.Error.Exists 'a second one of that name: Exists'
like "$(res .error_text)" "'back again' in that folder" 'and says so'
nothing_new 'a name that exists'
simctl vm remove vm='back again' >/dev/null
vms_before=$(vms)

# Names that are not there. Nothing is made for any of them.
not_there() { # NAME ERROR TEXT JQ
    simctl calls clear >/dev/null
    import "$4"
    is "$(res .error_name)" "com.sendense.Error.$2" "$1: $2"
    like "$(res .error_text)" "$3" "$1: says what"
    is "$(calls_of ImportVApp)" 0 "$1: vCenter was asked for nothing"
    nothing_new "$1"
}
not_there 'a datastore' NotFound "no datastore 'nowhere'" '.datastore = "nowhere" | .force = true'
not_there 'a network' NotFound "no network 'gone'.*00:50:56:01:02:04" .
not_there 'a network that is named instead' NotFound "no network 'lost'" '.networks = {gone: "lost"}'
not_there 'a folder' NotFound "no folder 'DC0/vm/Nope'" '.folder = "DC0/vm/Nope" | .force = true'
not_there 'a folder that is a VM' NotFound 'no folder but a VirtualMachine' '.folder = "DC0/vm/mixed" | .force = true'
not_there 'a host' NotFound "no host 'DC0/host/x'" '.host = "DC0/host/x" | .force = true'
not_there 'a pool' NotFound "no resource pool 'DC0/host/x'" '.resource_pool = "DC0/host/x" | .force = true'
not_there 'a pool that is a folder' NotFound 'no resource pool, cluster or host but a Folder' '.resource_pool = "DC0/vm/Prod" | .force = true'
not_there 'no folder, and two datacenters' InvalidArgument 'several datacenters' 'del(.folder) | .force = true'
not_there 'a disk of another size' SourceFailed 'has 25165824 bytes, and the disk 2048' '.disks[0].capacity_bytes = 2048'
not_there 'an export that is not there' SourceFailed 'disk 2000 cannot be read' '.disks[0].source = "nbd+unix:///?socket=/nonexistent"'
not_there 'a source that is no URI' InvalidArgument 'no NBD URI' '.disks[0].source = "/dev/sda"'
not_there 'a disk that no record knows' InvalidArgument 'nothing of the disk 2007' '.disks[0].disk_key = 2007'
not_there 'a disk twice' InvalidArgument 'there twice' '.disks[1] = .disks[0]'
not_there 'a size that is no KiB' InvalidArgument 'counts in KiB' '.disks[0].capacity_bytes = 512'
not_there 'a disk at no controller' InvalidArgument 'controller that is not there' '.hardware.controllers = []'
not_there 'a type that is XML' InvalidArgument 'controller number 3' '.hardware.controllers[2].type = "a\"><b"'
not_there 'a MAC that is none' InvalidArgument 'a MAC that is none' '.hardware.networks[0].mac = "00:50:56:01:02:0x"'
not_there 'an unknown member' InvalidArgument 'colour' '.colour = "red"'

# Where it goes: by a host of the datastore, by a pool, a cluster, a host, the only datacenter's folder of one of these.
goes() { # NAME JQ WANTED-PATH
    ok "$1" import ".force = true | $2" || diag "$(cat "$TEST_TMP/result")"
    is "$(res .path)" "$3" "$1: is where it is to be"
    is "$(simctl disk hash vm="$(basename "$3")" key="$(simctl vm list vm="$(basename "$3")" | jq '.disks[0].key')" | jq -r .hash)" "$(simctl hash "$TEST_TMP/one.raw")" "$1: with its disk"
    simctl vm remove vm="$(basename "$3")" >/dev/null
    nothing_new "$1"
}
disks=$(jq -c '.[:1]' <<<"$disks")
login >/dev/null
host=$(props ClusterComputeResource "$(by_path DC0/host/DC0_C0)" host | xall ManagedObjectReference | head -n 1)
host=$(props HostSystem "$host" name | xget val)
logout >/dev/null
goes 'a card without its network is left out when that is forced' . 'DC0/vm/Prod/back again'
is "$(res '[.left_out[] | select(.type == "VirtualE1000").label] | join(" ")')" gone 'and named'
goes 'one that was encrypted' '.hardware.encrypted = true | .hardware.disks[].encrypted = true' 'DC0/vm/Prod/back again'
is "$(res '[.left_out[] | select(.type == "encryption").label] | join("; ")')" "$(jq -r '.disks[0].label' <<<"$hardware"); the VM's own files" 'which is told, of what was brought back'
goes 'below a cluster' '.resource_pool = "DC0/host/DC0_C0" | del(.folder)' 'DC0/vm/back again'
goes 'below a resource pool' '.resource_pool = "DC0/host/DC0_C0/Resources"' 'DC0/vm/Prod/back again'
goes 'on a host' ".host = \"DC0/host/DC0_C0/$host\"" 'DC0/vm/Prod/back again'
# A host that takes nothing new: another one is chosen, or the user is told which and why.
simctl host add name=DC0-esx1 >/dev/null
simctl host state host=DC0-esx0 maintenance=1 >/dev/null
goes 'on the second host when the first is in maintenance mode' . 'DC0/vm/Prod/back again'
simctl host state host=DC0-esx0 connection=notResponding >/dev/null
goes 'on the second host when the first does not answer' . 'DC0/vm/Prod/back again'
simctl host state host=DC0-esx0 maintenance=1 >/dev/null
not_there 'a host in maintenance mode' TargetFailed 'the host DC0-esx0 is in maintenance mode, and takes no new VM; end that' '.host = "DC0/host/DC0_C0/DC0-esx0" | .force = true'
simctl host state host=DC0-esx1 connection=disconnected >/dev/null
not_there 'no host that takes one' TargetFailed "no host .*'datastore1' takes a new VM now: the host DC0-esx0 is in maintenance mode; end that, or name" '.force = true'
simctl host state host=DC0-esx0 >/dev/null
simctl host state host=DC0-esx1 >/dev/null
goes 'in another datacenter, on a datastore of an equal name' '.folder = "Sites/DC1/vm"' 'Sites/DC1/vm/back again'
goes 'with an odd name, on a datastore with a blank' '.name = "a & ü [x] <y>" | .datastore = "fast disks"' 'DC0/vm/Prod/a & ü [x] <y>'
ok 'without any disk' import '.disks = [] | .force = true | .power_on = true'
is "$(res '.power_state')" poweredOn 'and switched on'
is "$(res '[.left_out[] | select(.type == "VirtualDisk").label] | length')" 3 'its disks are named as left out'
simctl vm remove vm='back again' >/dev/null
simctl fault task-error method=PowerOnVM_Task fault=InsufficientResourcesFault >/dev/null
ok 'one that cannot be switched on is there all the same' import '.force = true | .power_on = true'
like "$(res '.warnings[0]')" 'could not be switched on.*InsufficientResourcesFault' 'with a warning'
simctl vm remove vm='back again' >/dev/null

# Given up: it goes, unless somebody has used it since.
ok 'one that is given up' import '.force = true'
import_end "$(res .instance_uuid)"
is "$(res .result)" ok 'is removed'
nothing_new 'one that is given up'
ok 'one that is inaccessible' import '.force = true'
new=$(res .instance_uuid) moref=$(res .vm_moref)
simctl vm inaccessible vm='back again' >/dev/null
import_end "$new" "$moref"
is "$(res .error_name)" com.sendense.Error.VmNotUsable 'is not gone'
like "$(res .error_text)" "the VM 'back again' .* inaccessible" 'and why is told'
simctl vm inaccessible vm='back again' on=0 >/dev/null
import_end "$new" "$moref"
is "$(res '.result + " " + (.vm_missing | tostring)')" 'ok true' 'when it is back, it goes'
nothing_new 'one that was inaccessible'
ok 'one that has another UUID since' import '.force = true'
new=$(res .instance_uuid) moref=$(res .vm_moref)
simctl vm same-uuid vm='back again' as="$(simctl vm list | jq -r '[.[].name | select(. != "back again")][0]')" >/dev/null
import_end "$new" "$moref"
is "$(res .error_name)" com.sendense.Error.VmLeft "is somebody's"
like "$(vms)" 'back again' 'and there'
simctl vm remove vm='back again' >/dev/null
import_end "$new" "$moref"
is "$(res .result)" ok 'until it is gone'
ok 'one that somebody has suspended since' import '.force = true'
simctl vm suspended vm='back again' >/dev/null
import_end "$(res .instance_uuid)"
is "$(res .error_name)" com.sendense.Error.VmLeft 'is not'
like "$(vms)" 'back again' 'it is there'
simctl vm remove vm='back again' >/dev/null
nothing_new 'one that was suspended'

# The host of the uploads has a name and a certificate of its own, which vCenter tells.
simctl set lease-host=1 >/dev/null
goes 'uploaded to a host whose certificate vCenter names' . 'DC0/vm/Prod/back again'
simctl set lease-host=2 >/dev/null
import '.force = true'
is "$(res .error_name)" com.sendense.Error.CertificateChanged 'a host with another certificate: CertificateChanged'
nothing_new 'another certificate'
done_testing
