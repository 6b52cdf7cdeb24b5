#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions of the store for vCenters: what they change, what they refuse, and what they never show.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"
. "$SENDENSE_SRC/tests/lib/public-key.bash"

store_ready
sealed=$(printf '%0100d' 7)
pin=$(printf 'ab%.0s' {1..32})

add_json() { # NAME [MORE]
    jq -cn --arg name "$1" --arg sealed "$sealed" --argjson more "${2:-{\}}" \
        '{Name: $name, Host: "vc.example", Port: 443, User: "administrator@vsphere.local", PasswordSealed: $sealed, NowUSec: 1000000} + $more'
}
node() { # NAME SEED
    store_do node_add "$(jq -cn --arg name "$1" --arg key "$(public_key "$2")" \
        '{Name: $name, TokenKey: $key, FirstPort: 9081, LastPort: 9090, ExpiresUSec: 2000000, NowUSec: 1000000}')"
}

# Added, listed, shown.
store_do vcenter_list
is "$answer" '{"Vcenters":[]}' "there is none at first"
node far 1
store_do vcenter_add "$(add_json b)"
is "$(got .Id)" 1 "the first has the id 1"
store_do vcenter_add "$(add_json a "{\"CertificateSha256\":\"$pin\",\"Node\":\"far\",\"Port\":8443}")"
is "$(got .Id)" 2 "the next has another"
store_do vcenter_add "$(add_json a)"
refused EEXIST 'Exists There is a vCenter named a already' "a name that is taken is refused"
store_do vcenter_add "$(add_json c '{"Node":"nowhere"}')"
refused ENOENT "NotFound There is no node 'nowhere'" "so is a node that is not there"
store_do vcenter_list
is "$(got '[.Vcenters[].Name] | join(" ")')" "a b" "the list is by name"
is "$(got '.Vcenters[0] | tojson')" \
    "{\"CertificateSha256\":\"$pin\",\"ChangedUSec\":1000000,\"CreatedUSec\":1000000,\"Host\":\"vc.example\",\"Id\":2,\"Name\":\"a\",\"Node\":\"far\",\"NodeId\":1,\"Port\":8443,\"User\":\"administrator@vsphere.local\",\"Vms\":0}" \
    "a row says where it is, who logs in, through which node, and no password"
is "$(got '.Vcenters[1] | keys | join(" ")')" "ChangedUSec CreatedUSec Host Id Name Port User Vms" "what is not pinned and not of one node says neither"
store_do vcenter_show '{"Vcenter":"b"}'
is "$(got '[.Id, .PasswordSealed] | tojson')" '[1,null]' "shown alone it has no password either"
store_do vcenter_get '{"Vcenter":"1"}'
is "$(got '[.Name, .PasswordSealed] | join(" ")')" "b $sealed" "who logs in gets it by its id, sealed"
store_do vcenter_get '{"Vcenter":"3"}'
refused ENOENT "NotFound There is no vCenter '3'" "what is not there is said so"

# Rotated: what is not given stays.
other=$(printf '%0100d' 8)
store_do vcenter_rotate "{\"Vcenter\":\"a\",\"PasswordSealed\":\"$other\",\"NowUSec\":2000000}"
is "$(got '[.Id, .Name] | join(" ")')" "2 a" "a rotation says whose it was"
store_do vcenter_get '{"Vcenter":"a"}'
is "$(got '[.PasswordSealed, .User, .CertificateSha256, .CreatedUSec, .ChangedUSec] | join(" ")')" \
    "$other administrator@vsphere.local $pin 1000000 2000000" "the password is another; the user and the pin are not"
store_do vcenter_rotate "{\"Vcenter\":\"a\",\"PasswordSealed\":\"$sealed\",\"User\":\"root\",\"CertificateSha256\":\"${pin//ab/cd}\",\"NowUSec\":3000000}"
store_do vcenter_get '{"Vcenter":"a"}'
is "$(got '[.User, .CertificateSha256] | join(" ")')" "root ${pin//ab/cd}" "unless they are given"
store_do vcenter_rotate "{\"Vcenter\":\"a\",\"PasswordSealed\":\"00\",\"NowUSec\":4000000}"
is "$(got .error)" EINVAL "nothing that is too short to be sealed gets in"

# VMs of it.
vms_json() { # ENTER VM...
    jq -cn --argjson enter "$1" --argjson id 2 '{Enter: $enter, CredentialId: $id, NowUSec: 1700000000000000, Vms: [inputs]}' <<<"${*:2}"
}
store_do vcenter_vms "$(vms_json false "$(vm_json lone 3)")"
is "$answer" '{"Contexts":{}}' "a VM that is only looked for is not entered"
store_do vcenter_vms "$(vms_json true "$(vm_json twin 4)" "$(vm_json twin 5)" "$(vm_json lone 3)")"
is "$(got '.Contexts | to_entries | map(.value) | unique | length')" 3 "VMs are entered, also two of one name in one second"
store_do vm_list
is "$(got '[.Vms[] | .Vcenter + .Name] | sort | join(" ")')" "alone atwin atwin" "as VMs of this vCenter"
store_do vcenter_vms "$(vms_json false "$(vm_json lone 3)")"
like "$(got '.Contexts | tojson')" '000000000003":"ctx-lone-' "and are known then"
store_do vm_set "$(vm_json lone2 3)"
store_do vm_get '{"Vm":"lone2"}'
is "$(got '[.Vcenter, .CredentialId, .Name] | tojson')" '["a",2,"lone2"]' "one that is set by hand stays with its vCenter"
store_do vcenter_of_vm '{"Vm":"lone2"}'
is "$(got '[.Name, .InstanceUuid, .NodeId, .Vcenter.Name, .Vcenter.PasswordSealed] | tojson')" \
    "[\"lone2\",\"50000000-0000-0000-0000-000000000003\",1,\"a\",\"$sealed\"]" "who looks at it, and with which login"
store_do vm_set "$(vm_json hand 6)"
store_do vcenter_of_vm '{"Vm":"hand"}'
refused EPERM 'NotAllowed hand is of no vCenter; sendensectl vm discover VCENTER --enter enters' "one that was entered by hand has none"
rows 'DELETE FROM vm_disks; DELETE FROM vm_replication_contexts'

# However many have names that give one context id but for the second.
many() { # NAME FROM TO: entered in one second
    local vms
    vms=$(jq -cn --arg name "$1" --argjson from "$2" --argjson to "$3" '{Enter: true, CredentialId: 2, NowUSec: 1700000000000000,
        Vms: [range($from; $to + 1) | {Name: "\($name)\(. % 7)", Path: "/DC/vm/\($name)\(.)", Disks: [],
        InstanceUuid: "50000000-0000-0000-0001-\(1000000000000 + . | tostring | .[1:])"}]}')
    store_do vcenter_vms "$vms"
}
contexts() { rows "SELECT COUNT(*), COUNT(DISTINCT context_id), MIN(created_usec) = MAX(created_usec), MIN(context_id), MAX(context_id)
    FROM vm_replication_contexts WHERE context_id LIKE '$1%'"; }
longest=$(printf 'long%.0s' {1..10})
many "$longest" 101 170
is "$(got '.Contexts | length') $(contexts ctx-long)" "70 70 70 1 ctx-$longest-20231114-221320 ctx-$longest-20231114-221429" \
    "70 of names that begin alike for long are entered at once, each with an id of its own"
many "$longest" 171 240
is "$(got '.Contexts | length') $(contexts ctx-long)" "70 140 140 1 ctx-$longest-20231114-221320 ctx-$longest-20231114-221539" "and 70 more"
store_do vm_set "$(vm_json vm-20231114 7)"
for uuid in 1 2; do store_do vm_set "$(vm_json 東京 $uuid)"; done
is "$(contexts ctx-vm-)" "3 3 1 ctx-vm-20231114-20231114-221320 ctx-vm-20231114-221321" "one whose name looks like the end of an id is not counted"
rows "INSERT INTO vm_replication_contexts (context_id, instance_uuid, vm_name, vm_path, created_usec)
    VALUES ('ctx-vm-99999999-999999', '50000000-0000-0000-0000-0000000000ff', 'x', 'x', 1)" >/dev/null
store_do vm_set "$(vm_json 京都 8)"
is "$(got .ContextId)" ctx-vm-20231114-221322 "nor one of a time that is none"
rows 'DELETE FROM vm_disks; DELETE FROM vm_replication_contexts'

# Removed.
store_do node_remove '{"Node":"far","NowUSec":5}'
store_do vcenter_show '{"Vcenter":"a"}'
is "$(got 'has("NodeId")')" false "its node is removed: any node may reach it"
store_do vm_set "$(vm_json mail 1)"
store_do vm_set "$(vm_json web 2)"
rows "UPDATE vm_replication_contexts SET credential_id = 2 WHERE vm_name = 'mail'"
store_do vcenter_show '{"Vcenter":"a"}'
is "$(got .Vms)" 1 "how many VMs are of it is counted"
store_do vcenter_remove '{"Vcenter":"a"}'
refused EBUSY 'Busy VMs of vCenter a are known: ctx-mail-' "one with VMs is not removed"
store_do vcenter_remove '{"Vcenter":"b"}'
is "$(got '[.Id, .Vms] | tojson')" '[1,0]' "one without is"
store_do vcenter_remove '{"Vcenter":"a","Force":true}'
is "$(got '[.Id, .Vms] | tojson')" '[2,1]' "and with force, any"
is "$(rows 'SELECT COUNT(*) FROM vmware_credentials; SELECT COUNT(*) FROM vm_replication_contexts WHERE credential_id IS NOT NULL' | paste -sd' ')" \
    "0 0" "no password is left, and the VMs are as if entered by hand"

done_testing
