#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is refused before anything is made: logins, certificates, VMs that are not there or cannot be backed up,
# specs. Each by its name, and no password stands in any text.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -zoo

# Logins.
vsphere test '.vcenter.user = "somebody@else"'
refused VCenterLogin 'InvalidLogin' 'an unknown user'
printf 'Marker<&"%%5c-wrong' >"$CREDENTIALS_DIRECTORY/wrong"
vsphere test '.vcenter.password_credential = "wrong"'
refused VCenterLogin 'check user and password' 'a wrong password'
unlike "$(cat "$TEST_TMP/result" "$TEST_TMP/stderr")" 'Marker' 'and does not print it'
: >"$CREDENTIALS_DIRECTORY/empty"
vsphere test '.vcenter.password_credential = "empty"'
refused InvalidArgument 'is empty' 'an empty credential'
vsphere test '.vcenter.password_credential = "none"'
refused InvalidArgument 'cannot be read' 'a missing credential'
outside=../credentials/vcenter
vsphere test ".vcenter.password_credential = \"$outside\""
refused InvalidArgument 'cannot be read' 'a credential with a path'
printf 'a\001b' >"$CREDENTIALS_DIRECTORY/control"
vsphere test '.vcenter.password_credential = "control"'
refused InvalidArgument 'UTF-8 without controls' 'a password with a control character'
vsphere test ".vcenter[\"password\"] = \"$user\""
refused InvalidArgument 'no password belongs into a spec' 'a password in the spec'
chmod 0644 "$sim/password"
jq -nc --argjson v "$vcenter" '{vcenter: $v}' | "$vsphere_bin" --password-file="$sim/password" test >"$TEST_TMP/result" 2>/dev/null
refused InvalidArgument 'not private' "a password file that others can read"
chmod 0600 "$sim/password"
ok 'a private one serves a person' sh -c "jq -nc --argjson v '$vcenter' '{vcenter: (\$v | del(.password_credential))}' | '$vsphere_bin' --password-file='$sim/password' test"

# Where, and whom to trust.
vsphere test '.vcenter.port = 1'
refused VCenterUnreachable 'port 443 open' 'nobody listens'
vsphere test '.vcenter.host = "no such/host"'
refused InvalidArgument 'must be a name or an address' 'a host that is none'
vsphere test '.vcenter.ca_file = "/etc/ssl/certs/ca-certificates.crt"'
refused CertificateInvalid 'unable to get local issuer.*pin its SHA-256 [0-9A-F:]*' 'another CA'
vsphere test '.vcenter.ca_file = "/nowhere"'
refused CertificateInvalid "'/nowhere' cannot be read" 'a CA file that is not there'
vsphere test 'del(.vcenter.ca_file)'
refused CertificateInvalid 'unable to get local issuer' "the system's CAs"
pin=$(simctl ready sha256)
ok 'pinned: no chain is asked' vsphere test "del(.vcenter.ca_file) | .vcenter.pin_sha256 = \"$pin\""
ok 'nor capitals' vsphere test "del(.vcenter.ca_file) | .vcenter.pin_sha256 = \"${pin,,}\""
ok 'the pin alone decides' vsphere test ".vcenter.ca_file = \"/nowhere\" | .vcenter.pin_sha256 = \"$pin\""
other=$(tr 01 10 <<<"$pin")
vsphere test ".vcenter.pin_sha256 = \"$other\""
refused CertificateChanged "pinned $other, now $pin.*sendensectl vcenter rotate NAME --accept-certificate" 'a changed certificate'
vsphere test '.vcenter.pin_sha256 = "AA:BB:CC:DD:EE:FF:AA:BB:CC:DD:EE:FF:AA:BB:CC:DD:EE:FF:AA:BB:CC:DD:EE:FF:AA:BB:CC:DD:EE:FF:AA:GG"'
refused InvalidArgument 'no SHA-256' 'a pin that is none'
is "$(calls_of Login)" "$(simctl calls | jq '[.[] | select(.method == "Logout")] | length + 2')" 'whoever is not trusted hears of no password: two logins failed, all others logged out'

# VMs.
uuid=11111111-2222-3333-4444-555555555555
take
refused VmMissing 'knows no VM with the instance UUID' 'an unknown VM'
vsphere discover '.path = "DC0/vm/Prod"'
refused VmMissing "no VM but a Folder" 'a path to a folder'
vsphere discover '.path = "DC0/vm/Prod/nobody"'
refused VmMissing "knows no VM at 'DC0/vm/Prod/nobody'" 'a path to nothing'
refuse_vm() { # VM TEXT [JQ]
    uuid=$(uuid_of "$1")
    take "${3:-.}"
    refused VmNotUsable "$2" "$1"
}
refuse_vm golden 'is a template'
refuse_vm kept 'needs VDDK'
refuse_vm loner 'disk 2001 .*independent' '.disks = [{disk_key: 2001}]'
refuse_vm mapped 'physical raw device' '.disks = [{disk_key: 2001}]'
refuse_vm loner 'no disk with the key 2099' '.disks = [{disk_key: 2000}, {disk_key: 2099}]'
simctl vm add name=bare disks=16M >/dev/null
simctl disk remove vm=bare key=2000 >/dev/null
refuse_vm bare 'has no disk'
simctl vm add name=alone disks=16M:independent >/dev/null
refuse_vm alone 'no disk of .* can be backed up: it is independent'
for kind in passthrough dynamic-passthrough; do
    simctl vm add name=bound-$kind disks=16M,16M on=1 >/dev/null
    simctl vm device vm=bound-$kind kind=$kind >/dev/null
    refuse_vm bound-$kind 'no disk of .* can be backed up: the VM runs with a PCI device of its host.*switch it off'
    refuse_vm bound-$kind 'disk 2001 of .*: the VM runs with a PCI device' '.disks = [{disk_key: 2001}]'
    vsphere discover ".path = \"DC0/vm/bound-$kind\""
    is "$(res '[.vms[0].disks[].verdict] | join(" ")')" 'no no' "$kind: discovery says so, too"
done
is "$(calls_of ReconfigVM_Task)" 0 'and tracking was not switched on for it'
simctl vm add name=shares disks=16M on=1 >/dev/null
for kind in vgpu tpm; do
    simctl vm device vm=shares kind=$kind >/dev/null
done
uuid=$(uuid_of shares)
ok 'a virtual GPU and a TPM are no hindrance' take
ok 'and released' release
simctl vm power vm=bound-passthrough on=0 >/dev/null
uuid=$(uuid_of bound-passthrough)
ok 'nor is a PCI device while the VM is switched off' take
ok 'and this is released' release
made=$(calls_of CreateSnapshot_Task)
is "$made" 4 'and no other made a snapshot'
disks=$(for bus in '' 1 2 3; do for _ in {1..15}; do printf '1M:pvscsi%s,' "$bus"; done; done)1M:sata
simctl vm add name=crowd disks="$disks" >/dev/null
refuse_vm crowd '61 disks, and a backup has at most 60'
uuid=$(uuid_of crowd)
ok 'sixty of them can be named' take '.disks = [range(0; 64) | select(. % 16 != 7) | {disk_key: (2000 + .)}]'
is "$(res '[.disks[].disk_key] | length') $(res '[.disks[14:17][] | "\(.controller):\(.unit_number)"] | join(" ")')" '60 scsi0:15 scsi1:0 scsi1:1' 'with their places on four controllers'
ok 'and released' release
is "$(($(calls_of CreateSnapshot_Task) - made))" 2 'the last made a snapshot, and one to begin tracking'

# Specs.
uuid=$(uuid_of mixed)
take '.name = "mine"'
refused InvalidArgument 'must be sendense-' 'a name that is not ours'
take '.leftover_prefix = "s"'
refused InvalidArgument 'must be sendense-' "a prefix that would match a user's snapshots"
take '.disks = [{disk_key: 2000}, {disk_key: 2000}]'
refused InvalidArgument 'stands twice' 'the same key twice'
take '.quiesce = "yes"'
refused InvalidArgument 'auto, required or no' 'a word nobody knows'
take '.x = 1'
refused InvalidArgument 'x' 'a member nobody knows'
printf '{' | "$vsphere_bin" test >"$TEST_TMP/result" 2>/dev/null
refused InvalidArgument 'not one JSON object' 'no JSON'
"$vsphere_bin" nonsense </dev/null >/dev/null 2>&1
is $? 64 'a verb that nobody knows'

# Certificates that are no good, each of a vCenter of its own.
for kind in expired other-name self-signed; do
    simctl stop
    vsphere_start -cert "$kind"
    vsphere test
    refused CertificateInvalid 'certificate' "a certificate that is $kind"
    is "$(calls_of Login)" 0 'and no login was tried'
    ok 'pinned, it is good enough' vsphere test ".vcenter.pin_sha256 = \"$(simctl ready sha256)\""
done
done_testing
