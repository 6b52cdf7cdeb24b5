#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The whole copy client with sources at vCenter: disks on three kinds of controllers at once, while the guest
# writes and a session dies; and its results when they cannot be read: named errors, nothing written.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed'
sources_start

simctl vm add name=web disks=48M:fill=30M,16M:sata:fill=9M,8M:nvme:fill=8M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
keys=$(simctl vm list vm=web | jq -r '.disks[].key')
spec '' DC0
disks='[]'
for key in $keys; do
    size=$(simctl vm list vm=web | jq ".disks[] | select(.key == $key).capacity")
    target "$key" "$size" || exit
    disks=$(jq -c --argjson key "$key" --argjson size "$size" --arg uri "$(target_uri "$key")" \
        --arg path "$(disk_file VirtualMachineSnapshot "$snap" "$key")" '. + [{disk_key: $key, capacity_bytes: $size,
        target: $uri, read: "all", source: {kind: "https", datastore_path: $path, datacenter: "DC0"}}]' <<<"$disks")
    simctl writer start vm=web key="$key" size=64K ms=2 >/dev/null
done
jq -c --argjson disks "$disks" --arg vm "$vm" --arg snap "$snap" '{job: 7, disks: $disks, vcenter: .vcenter, vm: {moref: $vm, snapshot_moref: $snap}}' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"
copy() { timeout 100 "$client" copy <"${1:-$TEST_TMP/copy.json}" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"; }

# What cannot be begun.
failed() { # FILTER ERROR PATTERN NAME
    jq -c "$1" "$TEST_TMP/copy.json" >"$TEST_TMP/bad.json"
    not_ok "$4 fails" copy "$TEST_TMP/bad.json"
    copy "$TEST_TMP/bad.json"
    is "$(answer error_name)" "com.sendense.Error.$2" "$4: $2"
    like "$(answer error_text)" "$3" "$4: says why"
}
pin=$(printf '%064d' 7 | sed 's/../&:/g; s/:$//')
failed ".vcenter.pin_sha256 = \"$pin\"" CertificateChanged "pinned $pin, now $(simctl ready sha256)" 'a wrong pin'
failed '.vcenter.user = "nobody"' VCenterLogin . 'a wrong user'
failed 'del(.vcenter)' InvalidArgument vcenter 'no vCenter'
failed 'del(.vm.snapshot_moref)' InvalidArgument snapshot_moref 'no snapshot to ask for at the end'
failed '.disks[1].source.datastore_path = "[datastore1] web/nothing.vmdk"' SourceFailed 'no such file.*nothing was written' 'a disk that is not there'
is "$(answer disk_key)" "$(sed -n 2p <<<"$keys")" 'by its key'
simctl disk descriptor vm=web key=2000 type=vsan >/dev/null
failed . SourceFailed 'VDDK.*vSAN.*nothing was written' 'a disk of vSAN'
# The same, asked of live disks before there is a snapshot.
check() { jq -c '{vcenter, disks: [.disks[] | {disk_key, capacity_bytes, datastore_path: .source.datastore_path, datacenter: "DC0"}]}' \
    "$TEST_TMP/copy.json" | "$client" check >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"; }
not_ok 'check finds it, too' check
check
is "$(answer error_name) $(answer disk_key)" 'com.sendense.Error.SourceFailed 2000' 'and names it'
simctl disk descriptor vm=web key=2000 type=vmfs >/dev/null
ok 'check is content with flat disks' check
is "$(answer result)" ok 'and says so'
not_ok 'a spec that is none' sh -c "echo '{}' | '$client' check"
for key in $keys; do
    is "$(qemu-img map --output=json -U "$TEST_TMP/$key.qcow2" | jq '[.[] | select(.data)] | length')" 0 "nothing was written to disk $key"
done

simctl calls clear >/dev/null
simctl fault session-killed method=FolderGet at=20 >/dev/null
ok 'three disks are copied at once, while their guest writes and a session dies' copy || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(answer result)" ok 'the result says so'
is "$(jq '[.disks[] | select(.digest.blocks)] | length' "$TEST_TMP/answer")" 3 'with the digests of three disks'
is "$(simctl calls | jq '[.[] | select(.method == "Login")] | length')" 2 'three disks have one login, and one new one'
targets_end
for key in $keys; do
    is "$(image_hash "$key")" "$(frozen "$snap" "$key")" "disk $key is as it was at the snapshot"
done
logout >/dev/null
is "$(simctl sessions | jq length)" 0 'no session is left' || diag "$(simctl sessions)"
done_testing
