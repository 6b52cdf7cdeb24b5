#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A restore's way in: ImportVApp makes a machine and a lease, stream-optimised
# VMDK files (made by qemu-img) are uploaded to the lease's URLs over HTTPS, and
# the new machine's disks hold what was sent. Aborted, cut off and wrong uploads.
# Switches: import-lease lease-polls lease-host lease-reversed host

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
command -v qemu-img >/dev/null || skip_all 'qemu-utils is not installed: nothing makes a stream-optimised VMDK'
sim_start
login >/dev/null
cluster=$(by_path DC0/host/DC0_C0)
pool=$(props ClusterComputeResource "$cluster" resourcePool | xget val)
folder=$(by_path DC0/vm/Prod)

disk_spec() { # UNIT SIZE
    echo "<deviceChange><operation>add</operation><fileOperation>create</fileOperation><device xsi:type=\"VirtualDisk\"><key>-$((10 + $1))</key><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName></fileName><diskMode>persistent</diskMode></backing><controllerKey>1000</controllerKey><unitNumber>$1</unitNumber><capacityInKB>$(($2 / 1024))</capacityInKB></device></deviceChange>"
}
import() { # NAME DISK-SPEC…: the lease
    local name=$1
    shift
    method ImportVApp ResourcePool "$pool" "<spec xsi:type=\"VirtualMachineImportSpec\"><configSpec><name>$name</name><guestId>otherGuest64</guestId><files><vmPathName>[datastore1]</vmPathName></files><deviceChange><operation>add</operation><device xsi:type=\"ParaVirtualSCSIController\"><key>1000</key><busNumber>0</busNumber><sharedBus>noSharing</sharedBus></device></deviceChange>$*</configSpec></spec><folder type=\"Folder\">$folder</folder>" | xget returnval
}
lease_state() { props HttpNfcLease "$1" state | xget val; }
lease_urls() { props HttpNfcLease "$1" info | xpath "//*[local-name()='deviceUrl']/*[local-name()='url']/text()" | sed "s|^https://\*|$base|; s/\[/%5B/g; s/\]/%5D/g"; }
upload() { curl -s --cacert "$ca" -o "$TEST_TMP/out" -w '%{http_code}' -X POST -H 'Content-Type: application/x-vnd.vmware-streamVmdk' --data-binary "@$2" "$1"; }
hash() { simctl disk hash vm="$1" key="$2" | jq -r .hash; }

# Two disks of content: holes, data at both ends, a size that ends inside a grain.
truncate -s 24M "$TEST_TMP/a.raw"
head -c 3M /dev/urandom | dd of="$TEST_TMP/a.raw" bs=1M seek=5 conv=notrunc status=none
yes start | head -c 100K | dd of="$TEST_TMP/a.raw" conv=notrunc status=none
truncate -s $((5 * 1048576 + 24576)) "$TEST_TMP/b.raw"
yes end | head -c 512 | dd of="$TEST_TMP/b.raw" bs=512 seek=$(((5 * 1048576 + 24576) / 512 - 1)) conv=notrunc status=none
for d in a b; do
    qemu-img convert -f raw -O vmdk -o subformat=streamOptimized "$TEST_TMP/$d.raw" "$TEST_TMP/$d.vmdk"
done

lease=$(import 'back again' "$(disk_spec 0 $((24 << 20)))" "$(disk_spec 1 $((5 * 1048576 + 24576)))")
like "$lease" . 'import-lease: ImportVApp gives a lease'
is "$(lease_state "$lease") $(lease_state "$lease")" 'initializing ready' 'lease-polls: it is ready at the second look'
vm=$(by_path 'DC0/vm/Prod/back again')
like "$vm" '^vm-' 'the machine is there'
is "$(simctl leases | jq -r '.[].vm')" 'back again' 'and the lease is listed'
mapfile -t urls < <(lease_urls "$lease")
is "${#urls[@]}" 2 'with an URL for each disk'
is "$(upload "${urls[0]}" "$TEST_TMP/a.vmdk") $(upload "${urls[1]}" "$TEST_TMP/b.vmdk")" '201 201' 'both are uploaded, without a cookie'
mapfile -t keys < <(simctl vm list vm='back again' | jq '.disks[].key')
is "$(hash 'back again' "${keys[0]}")" "$(simctl hash "$TEST_TMP/a.raw")" 'the first disk holds what was sent'
is "$(hash 'back again' "${keys[1]}")" "$(simctl hash "$TEST_TMP/b.raw")" 'the second too, to its last sector'
get "$(folder_url "$(disk_file VirtualMachine "$vm" "${keys[0]}")" -flat)" >"$TEST_TMP/flat"
ok 'and so does the flat file on the datastore' cmp "$TEST_TMP/flat" "$TEST_TMP/a.raw"
is "$(method HttpNfcLeaseProgress HttpNfcLease "$lease" '<percent>100</percent>' | fault_of)" '' 'progress is taken'
is "$(simctl leases | jq -c '.[].uploaded | map_values(. == 1) | [.[]]')" '[true,true]' 'the list knows the uploads'
is "$(simctl left | jq '.leases | length')" 1 'an open lease counts as left behind'
method HttpNfcLeaseComplete HttpNfcLease "$lease" >/dev/null
is "$(status) $(simctl leases)" '200 []' 'completed, the lease is gone'
is "$(upload "${urls[0]}" "$TEST_TMP/a.vmdk")" 404 'and its URLs are dead'
is "$(task_end "$(start_task PowerOnVM_Task VirtualMachine "$vm")")" success 'the machine starts'
tracking_on "$vm" >/dev/null
snap=$(snapshot "$vm" s)
like "$(disk_change_id VirtualMachineSnapshot "$snap" "${keys[0]}")" '/1$' 'and can be backed up'
unsnapshot "$snap" >/dev/null

# What goes wrong
# Names, order and hosts of the URLs; a lease that holds its machine, and ends with its session.
session_lease=$(import held "$(disk_spec 0 $((1 << 20)))" "$(disk_spec 3 $((1 << 20)))")
keys_of() { props HttpNfcLease "$session_lease" info | xall importKey | paste -sd ' '; }
is "$(keys_of)" '/held/ParaVirtualSCSIController0:0 /held/ParaVirtualSCSIController0:3' 'disks are named by their places'
simctl set lease-reversed=1 lease-host=1 >/dev/null
is "$(keys_of)" '/held/ParaVirtualSCSIController0:3 /held/ParaVirtualSCSIController0:0' 'lease-reversed: in another order'
like "$(props HttpNfcLease "$session_lease" info | xall url | head -n 1)" '^https://localhost:[0-9]+/nfc/' 'lease-host: at a host'
is "$(props HttpNfcLease "$session_lease" info | xall sslThumbprint | head -n 1)" "$(simctl ready sha1)" 'whose certificate is named'
simctl set lease-host=2 >/dev/null
like "$(props HttpNfcLease "$session_lease" info | xall sslThumbprint | head -n 1)" '^00:00' 'or another one'
simctl set lease-reversed=0 lease-host=0 >/dev/null
is "$(method Destroy_Task VirtualMachine "$(by_path DC0/vm/Prod/held)" | fault_of)" InvalidState 'a machine that is leased cannot be removed'
logout >/dev/null
is "$(simctl leases)$(simctl vm list | jq '[.[] | select(.name == "held")]')" '[][]' 'the lease ends with its session, and the machine with it'
login >/dev/null

lease=$(import broken "$(disk_spec 0 $((24 << 20)))")
mapfile -t urls < <(lease_urls "$lease")
is "$(upload "${urls[0]}" "$TEST_TMP/b.vmdk")" 500 'a file for another size is refused'
is "$(upload "${urls[0]}" "$TEST_TMP/a.raw")" 500 'so is a raw one'
like "$(cat "$TEST_TMP/out")" 'no sparse VMDK' 'with the reason'
head -c 1000000 "$TEST_TMP/a.vmdk" >"$TEST_TMP/cut.vmdk"
is "$(upload "${urls[0]}" "$TEST_TMP/cut.vmdk")" 500 'and one that is cut off'
like "$(cat "$TEST_TMP/out")" 'cut off' 'with the reason'
is "$(upload "${urls[0]%/*}/other.vmdk" "$TEST_TMP/a.vmdk")" 404 'an unknown disk is 404'
# The other form, as vCenter itself writes it: the directory at the end, an
# end-of-stream marker. Without that marker it is cut off, though every grain is there.
stream() { # RAW EOS: one grain of 64 KiB for each that is not all zeroes
    perl -MCompress::Zlib -e '
        my ($raw, $eos) = @ARGV; open(my $f, "<:raw", $raw) or die; binmode STDOUT; my $n = (-s $raw) / 512;
        my $pad = sub { $_[0] . "\0" x (-length($_[0]) % 512) };
        print $pad->(pack("VVVQ<Q<Q<Q<VQ<Q<Q<Ca4v", 0x564d444b, 3, 0x30001, $n, 128, 0, 0, 512, 0, ~0, 128, 0, "\n \r\n", 1)), "\0" x (127 * 512);
        for (my $at = 0; read($f, my $g, 65536); $at += 128) {
            next if $g !~ /[^\0]/;
            my $z = compress($g); print $pad->(pack("Q<V", $at, length $z) . $z);
        }
        print $pad->(pack("Q<VV", 1, 0, 3)), "\0" x 512, "\0" x 512 if $eos;' "$@"
}
if perl -MCompress::Zlib -e 1 2>/dev/null; then
    stream "$TEST_TMP/a.raw" 0 >"$TEST_TMP/stream"
    is "$(upload "${urls[0]}" "$TEST_TMP/stream")" 500 'a stream without its end marker is cut off'
    stream "$TEST_TMP/a.raw" 1 >"$TEST_TMP/stream"
    is "$(upload "${urls[0]}" "$TEST_TMP/stream")" 201 'with it, it is taken'
    key=$(simctl vm list vm=broken | jq '.disks[0].key')
    is "$(hash broken "$key")" "$(simctl hash "$TEST_TMP/a.raw")" 'and holds what was sent'
else
    skip 'a stream with its directory at the end' 'perl has no Compress::Zlib'
fi
simctl fault http-503 method=NfcUpload >/dev/null
is "$(upload "${urls[0]}" "$TEST_TMP/a.vmdk")" 503 'http-503 acts on uploads'
is "$(upload "${urls[0]}" "$TEST_TMP/a.vmdk")" 201 'and the next one works'
method HttpNfcLeaseAbort HttpNfcLease "$lease" >/dev/null
is "$(by_path DC0/vm/Prod/broken)$(simctl leases)" '[]' 'aborting removes the machine'

# Hosts that take nothing new
pool_import() { # HOST: the fault
    method ImportVApp ResourcePool "$pool" "<spec xsi:type=\"VirtualMachineImportSpec\"><configSpec><name>there</name><guestId>otherGuest64</guestId><files><vmPathName>[datastore1]</vmPathName></files></configSpec></spec><folder type=\"Folder\">$folder</folder>${1:+<host type=\"HostSystem\">$1</host>}"
}
first=$(by_path DC0/host/DC0_C0/DC0-esx0)
simctl host add name=DC0-esx1 >/dev/null
second=$(by_path DC0/host/DC0_C0/DC0-esx1)
is "$(props Datastore "$(props HostSystem "$second" datastore | xall ManagedObjectReference | head -n 1)" host | xall key | paste -sd ' ')" "$first $second" 'host: a further one has the datastores of its cluster'
simctl host state host=DC0-esx0 maintenance=1 >/dev/null
is "$(pool_import "$first" | fault_of) $(props HostSystem "$first" runtime.inMaintenanceMode | xget val)" 'InvalidState true' 'nothing is made on one in maintenance mode'
simctl host state host=DC0-esx1 connection=disconnected >/dev/null
is "$(pool_import "$second" | fault_of) $(props HostSystem "$second" runtime.connectionState | xget val)" 'InvalidState disconnected' 'nor on one that is not connected'
is "$(pool_import | fault_of)" InvalidState 'nor in a pool of such hosts'
simctl host state host=DC0-esx1 >/dev/null
lease=$(pool_import "$second" | xget returnval)
like "$lease" . 'but on one that is well again'
method HttpNfcLeaseAbort HttpNfcLease "$lease" >/dev/null
done_testing
