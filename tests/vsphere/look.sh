#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is looked at: the certificate, the vCenter itself, its VMs with every kind of name, place, controller and
# disk. After each verb no session is left.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -zoo

port=$(jq -r .port <<<"$vcenter")
vsphere certificate "{host: \"127.0.0.1\", port: $port, ca_file: \"$ca\"}"
is "$(res .sha256)" "$(simctl ready sha256)" 'certificate: SHA-256, as openssl has it'
is "$(res .sha1)" "$(simctl ready sha1)" 'and SHA-1'
is "$(res .verified)" true 'verified by its CA'
like "$(res '.names | join(" ")')" 'localhost.*127\.0\.0\.1' 'with its names'
vsphere certificate "{host: \"127.0.0.1\", port: $port}"
is "$(res '"\(.verified) \(.why)"')" 'false unable to get local issuer certificate' 'and by no other'
is "$(simctl calls | jq length)" 0 'nobody logged in for that'

ok 'test: it is a vCenter' vsphere test
is "$(res '.api_type + " " + .version')" 'VirtualCenter 6.5.0' 'of a version'
clean test

ok 'discover lists all' vsphere discover
clean discover
is "$(res '.vms | length')" 9 'nine VMs'
is "$(res '[.vms[].path] | sort | join("\n")')" "$(printf '%s\n' 'DC0/vm/Prod/pgtest1' 'DC0/vm/Pröd & Test/odd & ü [x] a%2fb' DC0/vm/golden \
    DC0/vm/kept DC0/vm/loner DC0/vm/mapped DC0/vm/mixed DC0/vm/twin Sites/DC1/vm/twin | LC_ALL=C sort)" 'each with its path, escaped as VMware does it'
is "$(res '[.vms[] | select(.name == "twin").disks[0] | .datacenter + " " + .datastore_path] | sort | join("; ")')" \
    'DC0 [datastore1] twin/twin.vmdk; Sites/DC1 [datastore1] twin/twin.vmdk' 'equal datastore names are told apart by their datacenters'
is "$(res '[.vms[] | select(.name == "mixed").disks[] | "\(.disk_key) \(.controller):\(.unit_number)"] | join(", ")')" \
    '32000 nvme0:0, 16000 sata0:0, 2000 scsi0:0' 'NVMe, SATA and SCSI disks with their keys and places'
verdict() { res ".vms[] | select(.name == \"$1\" and .datacenter == \"DC0\").disks[] | \"\\(.disk_key) \\(.verdict) \\(.reason)\""; }
like "$(verdict loner)" '2001 no it is independent' 'an independent disk cannot be backed up'
like "$(verdict loner)" '2000 full ' 'the disk beside it can'
like "$(verdict mapped)" '2001 no it is a physical raw device' 'nor can a physical raw device'
is "$(res '.vms[] | select(.name == "loner") | [.firmware, (.disks | sort_by(.disk_key)[].mode)] | join(" ")')" 'efi persistent independent_persistent' 'firmware and modes are told'
like "$(verdict golden)" '2000 no the VM is a template' 'nor a template'
like "$(verdict kept)" "2000 no its file holds only what was written since a snapshot, which needs VDDK" "nor a disk above a user's snapshot over HTTPS"
vsphere discover '.transport = "vddk"'
like "$(verdict kept)" '2000 full changes are not tracked, and cannot be at present' 'by VDDK it can, in full'
is "$(res '[.vms[].disks[] | select(.backing_uuid == "" or .capacity_bytes < 1)] | length')" 0 'every disk has a UUID and a capacity'

# One VM.
uuid=$(res '.vms[] | select(.name == "mixed").instance_uuid')
vsphere discover ".instance_uuid = \"${uuid^^}\""
is "$(res '.vms | length') $(res '.vms[0].name')" '1 mixed' 'one VM by its instance UUID'
vsphere discover '.path = "DC0/vm/Pröd & Test/odd & ü [x] a%2fb"'
is "$(res '.vms[0].name')" 'odd & ü [x] a%2fb' 'by a path with every strange character'
vsphere discover '.path = "/Sites/DC1/vm/twin"'
is "$(res '.vms[0].datacenter')" Sites/DC1 'by a path whose datacenter is in a folder'
simctl vm add name='100%25 full' disks=16M >/dev/null
vsphere discover '.path = "DC0/vm/100% full"'
is "$(res '.vms[0].name // .error_text')" '100%25 full' 'a plain % in a path is understood'
simctl vm same-uuid vm=mixed as=loner >/dev/null
vsphere discover ".instance_uuid = \"$(res empty)$(uuid_of loner)\""
refused VmAmbiguous 'several VMs' 'two VMs of one instance UUID'
simctl vm cbt vm=pgtest1 on=1 >/dev/null
vsphere discover '.path = "DC0/vm/Prod/pgtest1"'
is "$(res '[.vms[0].cbt_enabled, .vms[0].disks[].verdict] | join(" ")')" 'true incremental incremental' 'a tracked VM: incremental'

# One that vCenter shows as no VM can be.
all=$(vsphere discover && res '.vms | length')
simctl disk lost vm=mixed key=16000 >/dev/null
ok 'a VM whose disk has lost its datastore is no error of the list' vsphere discover
is "$(res '.vms | length')" "$all" 'all are there'
is "$(res '[.vms[] | select(.unusable) | .name, .unusable, (.disks | length)] | map(tostring) | join(": ")')" \
    'mixed: vCenter shows disk 16000 without a capacity: 0' 'this one with its reason'
vsphere discover '.path = "DC0/vm/mixed"'
refused VmNotUsable 'the VM DC0/vm/mixed: vCenter shows disk 16000 without a capacity' 'asked for alone'
simctl disk lost vm=mixed key=16000 on=0 >/dev/null
vsphere discover
is "$(res '[.vms[] | select(.unusable)] | length')" 0 'and when it is back nothing is odd'

# One with many layers, which stand within each other in vCenter's answer.
all=$(vsphere discover && res '.vms | length')
simctl vm add name=layers disks=1M:fill=64K on=0 >/dev/null
for _ in {1..60}; do simctl vm user-snapshot vm=layers >/dev/null; done
is "$(simctl vm list vm=layers | jq '.disks[0].files | length')" 61 'a VM with 60 layers above the base of its disk'
ok 'is no error of the list' vsphere discover
is "$(res '.vms | length')" "$((all + 1))" 'it and all others are there'
is "$(res '.vms[] | select(.name == "layers") | [.unusable, (.disks | length)] | map(tostring) | join(" ")')" 'null 1' 'with its disk'
simctl vm remove vm=layers >/dev/null

# In pages, and the session dies between two of them.
before=$(vsphere discover && res '[.vms[].moref] | sort | join(" ")')
simctl set property-page=2 >/dev/null
simctl calls clear >/dev/null
vsphere discover
is "$(res '[.vms[].moref] | sort | join(" ")')" "$before" 'property-page: all pages are read'
ok 'there were some' test "$(calls_of ContinueRetrievePropertiesEx)" -ge 4
simctl fault session-killed method=ContinueRetrievePropertiesEx at=2 >/dev/null
vsphere discover
is "$(res '[.vms[].moref] | sort | join(" ")')" "$before" 'a session that dies between pages: all, and none twice'
clean 'discovery in pages'
done_testing
