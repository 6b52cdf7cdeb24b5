#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whatever is wrong with a backup, asked for at the node: a VM, a vCenter or a target that is not what it should be, a
# vCenter that lies about what has changed. Each is an error with a name, or a disk that is read whole; each leaves no
# snapshot, no session, no unit, and no file with the password. Each row is a line. Requests that make no sense are in the
# suite proof.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof/proof.bash"

proof_machine
vcenter_up -zoo
vm_add name=web01 disks=8M:fill=3M,6M:nvme:fill=2M

# ── Backups that cannot be ──

has_error() { [ -n "$(task '.error_name // ""')" ]; }
failed() { [[ $(task .state) =~ ^(failed|cancelled)$ ]]; }
# ends NAME ERROR TEXT: the last backup fails so, and leaves nothing.
ends() {
    ok "$1: it fails" eventually "$patience_sec" has_error || diag "$answer" "$(task .)"
    simctl faults clear >/dev/null
    like "$(task '"\(.error_name) \(.error)"')" "^com.sendense.Error.$2 .*$3" "$1: $2"
    ok "$1: and is over" eventually "$patience_sec" failed || diag "$(task .)"
    clean "$1"
}
fails() { # NAME ERROR TEXT [JQ]: of web01, whose targets are there
    job=$((job + 1))
    answer=$(api POST backup/start "$(request full "${4:-.}")")
    ends "$1" "$2" "$3"
}
ask full
is_copied
release abandoned >/dev/null
ok "with nothing wrong it would be copied" eventually "$patience_sec" state_is released || diag "$(task .)"
clean "with nothing wrong"

fails "a wrong password" VCenterLogin . '.vcenter_password = "wrong"'
fails "a user nobody knows" VCenterLogin . '.vcenter_user = "nobody@else"'
fails "nobody listens" VCenterUnreachable . '.vcenter_port = 1'
fails "a CA that did not sign it" CertificateInvalid . '.ca_file = "/etc/ssl/certs/ca-certificates.crt"'
fails "a CA file that is not there" CertificateInvalid /nowhere '.ca_file = "/nowhere"'
fails "a pin that is another's" CertificateChanged pinned "del(.ca_file) | .pin_sha256 = \"$(simctl ready sha256 | tr 01 10)\""
for kind in other-name expired self-signed; do
    "$simctl_bin" start /srv/sim-other -empty -cert "$kind" >/srv/other
    install -m 644 "$(jq -r .ca /srv/other)" /etc/sendense/other.pem
    fails "a certificate that is $kind" CertificateInvalid . \
        ".ca_file = \"/etc/sendense/other.pem\" | .vcenter_port = $(jq -r .url /srv/other | sed -E 's/.*:([0-9]+)\/.*/\1/')"
    is "$("$simctl_bin" -C /srv/sim-other calls | jq '[.[] | select(.method == "Login")] | length')" 0 "a certificate that is $kind: no login was tried"
    "$simctl_bin" -C /srv/sim-other stop
done

fails "a VM nobody knows" VmMissing . '.instance_uuid = "00000000-0000-0000-0000-000000000000"'
fails "a path that is a folder" VmMissing . '.instance_uuid = "00000000-0000-0000-0000-000000000000" | .vm_path = "DC0/vm/Prod"'
# VMs whose disks have their targets, and that cannot be backed up all the same.
images_close
images_drop
web01=$vm
vm_is() { # VM
    vm=$(simctl vm list | jq -r --arg n "$1" '[.[] | select(.name == $n)][0].vm')
    uuid=$(simctl vm list | jq -r --arg vm "$vm" '.[] | select(.vm == $vm).instance_uuid')
    vm_look
    images_new full knowing
}
fails_vm() { # VM ERROR TEXT
    vm_is "$1"
    fails "the VM $1" "$2" "$3"
    images_close
    images_drop
}
fails_vm golden VmNotUsable 'template'
fails_vm kept '(VmNotUsable|SourceFailed)' 'VDDK'
simctl vm add name=alone disks=16M:independent >/dev/null
fails_vm alone VmNotUsable 'independent'
simctl vm add name=raw disks=16M:rdm >/dev/null
fails_vm raw VmNotUsable 'physical raw device'
simctl vm same-uuid vm=alone as=raw >/dev/null
fails_vm raw VmAmbiguous .
simctl vm add name=bare disks=16M >/dev/null
vm_is bare
simctl disk remove vm=bare key=2000 >/dev/null
fails "no disk at all" VmNotUsable 'has no disk'
images_close
images_drop
simctl vm add name=crowd disks="$(for bus in '' 1 2 3; do for _ in {1..15}; do printf '1M:pvscsi%s,' "$bus"; done; done)1M:sata" >/dev/null
uuid=$(simctl vm list | jq -r '.[] | select(.name == "crowd").instance_uuid')
targets=$(simctl vm list | jq -c '[.[] | select(.name == "crowd").disks[:60][] | {key: "\(.key)", value: "nbd://127.0.0.1:\(20000 + .key)/x"}] | from_entries')
fails "61 disks, of which 60 have a target" '(DisksChanged|VmNotUsable)' .
vm=$web01
vm_is web01

fails "a disk without a target" DisksChanged 'Disk 32000' 'del(.nbd_targets["32000"])'
fails "a target without a disk" DisksChanged 'Disk 2001' '.nbd_targets["2001"] = "nbd://127.0.0.1:10109/x"'
fails "a target that is not there" TargetFailed 'disk 2000' '.nbd_targets["2000"] = "nbd://127.0.0.1:10109/x"'
fails "an export of another name" TargetFailed 'disk 2000' '.nbd_targets["2000"] |= sub("disk-2000"; "disk-2001")'
fails "a target that speaks something else" TargetFailed 'disk 2000' '.nbd_targets["2000"] = "nbd://127.0.0.1:8081/disk-2000"'
target_of() { # PORT SIZE [OPTION…]: a further target, which is not what it should be
    qemu-img create -q -f qcow2 /srv/images/other.qcow2 "$2" &&
        systemd-run -q --unit=target-other --collect -- qemu-nbd -t -x disk-2000 -b 127.0.0.1 -p "$1" -f qcow2 "${@:3}" /srv/images/other.qcow2 &&
        eventually "$patience_sec" bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"
}
other='.nbd_targets["2000"] = "nbd://127.0.0.1:10120/disk-2000"'
target_of 10120 $(((8 << 20) - 512))
fails "a target that is smaller" TargetFailed '8388608 bytes, but its target 8388096' "$other"
systemctl stop target-other
target_of 10120 $(((8 << 20) + 512))
fails "a target that is larger" TargetFailed '8388608 bytes, but its target 8389120' "$other"
systemctl stop target-other
target_of 10120 8M -r
fails "a target that is read-only" TargetFailed 'disk 2000' "$other"
systemctl stop target-other

systemd-run -q --unit=target-mute --collect -- socat TCP-LISTEN:10121,bind=127.0.0.1,reuseaddr,fork EXEC:'sleep 60'
fails "a target that says nothing" TargetFailed 'disk 2000' '.nbd_targets["2000"] = "nbd://127.0.0.1:10121/disk-2000"'
systemctl stop target-mute

# ── A vCenter that fails ──

fails_by() { # NAME ERROR TEXT JQ FAULT…
    simctl fault "${@:5}" >/dev/null
    fails "$1" "$2" "$3" "$4"
}
fails_by "a snapshot's task ends in error" SnapshotFailed FileLocked . task-error method='CreateSnapshot*' fault=FileLocked count=0
fails_by "a guest that cannot be quiesced, and must be" QuiesceFailed . '.quiesce = "required"' quiesce-fault count=0
fails_by "no right to make a snapshot" NotAllowed NoPermission . soap-fault method='CreateSnapshot*' fault=NoPermission count=0
fails_by "no right to log in" NotAllowed . . soap-fault method=Login fault=NoPermission count=0
for mode in bomb doctype deep text empty-envelope control; do
    fails_by "an answer of XML that is $mode" '(VCenter[A-Za-z]*|Failed)' . . bad-xml method=FindAllByUuid mode=$mode count=0
done
fails_by "500 without a body, for ever" VCenterUnreachable 500 . empty-500 method=FindAllByUuid count=0
fails_by "answers cut off, for ever" VCenterUnreachable . . cut-answer method=FindAllByUuid bytes=200 count=0
fails_by "connections dropped, for ever" VCenterUnreachable . . drop-connection method=FindAllByUuid count=0
images_close
images_drop

# ── A vCenter that lies about what has changed, and change ids that mean nothing: that disk is read whole ──

first() {
    ask full
    is_copied || diag "$(task .)"
    images_close
    is "$(wrong_disks)" '' "a backup to begin with"
    release committed >/dev/null
    keep
    eventually "$patience_sec" state_is released
}
first
# doubts NAME CHANGE-ID-OF-2000 [FAULT…]: disk 2000 is read whole and says why, the other one by its changes; both are right.
doubts() {
    head -c $((130 * 512)) /dev/urandom | simctl disk write vm="$vm" key=2000 offset=2097152 >/dev/null
    head -c 65536 /dev/zero | simctl disk write vm="$vm" key=2000 offset=0 >/dev/null
    [ $# -lt 3 ] || simctl fault "${@:3}" count=1 >/dev/null
    ask incremental knowing "(.disks[] | select(.key == 2000)).change_id = $(jq -Rs 'rtrimstr("\n")' <<<"$2")"
    is_copied || diag "$answer" "$(task .)"
    images_close
    is "$(wrong_disks)" '' "$1: the disks are right"
    is "$(task '[.disks[] | "\(.backup_type) \(.reason // "" | length > 0)"] | sort | join(", ")')" 'full true, incremental false' \
        "$1: one is read whole, and why is told" || diag "$(task .disks)"
    is "$(jq -c '.disks[] | select(.disk_key == 2000).bytes_read | . > 0 and . < 5242880' "/var/lib/sendense-node/ledger/$job.result")" true \
        "$1: and of it only what was ever written" || diag "$(jq -c 'del(.disks[].digest)' "/var/lib/sendense-node/ledger/$job.result")"
    diag "$(task '.disks[].reason // empty')"
    release committed >/dev/null
    keep
    eventually "$patience_sec" state_is released
    simctl faults clear >/dev/null
    clean "$1"
}
for mode in zero-length beyond-disk outside-page overlap wrong-start negative; do
    doubts "sums that are $mode" "${known_id[2000]}" wrong-sums mode=$mode
done
doubts "a fault" "${known_id[2000]}" file-fault
doubts "the change id of another disk" "${known_id[32000]}"
doubts "the change id of all" '*'
doubts "no change id" ''
doubts "a change id that is none" '52 00; drop'
is "$(wrong_points)" '' "and every restore point still is what it was"

# The password as it is, and as JSON, XML, base64 and addresses have it.
password=$(cat /srv/sim/password)
for form in "$password" "$(jq -Rr 'tojson | .[1:-1]' <<<"$password")" "$(jq -Rr @html <<<"$password")" \
    "$(base64 -w0 <<<"$password" | cut -c1-20)" "$(jq -Rr @uri <<<"$password")"; do
    is "$(grep -rlsF -e "$form" /var/lib/sendense* /run/sendense* /run/systemd/transient /run/log /var/log /tmp /var/tmp /etc/sendense)" '' "the password is in no file, as ${form:0:3}…"
done
done_testing
