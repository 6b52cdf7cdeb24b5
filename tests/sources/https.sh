#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whole disks over HTTPS: what is read is what the disk was at the snapshot, while its guest goes on writing;
# with strange names, in two datacenters with the same names, in reads of every size; over connections that
# are kept; trusted by CA and by pin. No session stays behind.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
sources_start -zoo

size=$((64 << 20))
simctl vm add name=web disks=64M:fill=40M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
simctl writer start vm=web key=2000 size=64K ms=1 >/dev/null
spec "$file" DC0

simctl calls clear >/dev/null
is "$(read_disk https $size)" ok 'a disk is read while its guest writes'
is_frozen "$snap" 2000 'as it was at the snapshot'
is "$(answer opens)" 1 'in one go'
is "$(simctl calls | jq '[.[] | select(.method == "FolderGet")] | length')" 66 'by one request for each MiB, the descriptor and a probe'
is "$(simctl calls | jq -c '[.[] | select(.method == "FolderGet").status] | unique')" '[200,206]' 'none of which failed'
is "$(simctl calls | jq '[.[] | select(.method == "Login")] | length')" 1 'with one login'
is "$(others)" 1 'and no session is left'
is "$(read_disk https $size odd)" ok 'reads of odd sizes at odd offsets'
is_frozen "$snap" 2000 'make the same disk'
is "$(read_disk https $size reads=40)" ok 'more reads at once than connections wait for their turn'
is_frozen "$snap" 2000 'and lose nothing'
ok 'the guest has written meanwhile' test "$(simctl disk sha256 vm=web key=2000 | jq -r .hash)" != "$(frozen "$snap" 2000)"
simctl writer stop vm=web key=2000 >/dev/null

# Connections: at most as many as were given, all kept.
established() { ss -Htn state established "dport = :$1" | wc -l; }
port=$(simctl ready address)
port=${port##*:}
simctl fault delay method=FolderGet ms=200 count=0 >/dev/null
timeout 100 "$reader" https "$TEST_TMP/spec.json" $size "$TEST_TMP/disk" >"$TEST_TMP/answer" &
pid=$!
most=0
ports=
while kill -0 $pid 2>/dev/null; do
    n=$(established "$port")
    [ "$n" -le "$most" ] || most=$n
    ports+=" $(ss -Htn state established "dport = :$port" | awk '{print $3}' | tr '\n' ' ')"
done
wait $pid
diag "at most $most connections at a time; $(tr ' ' '\n' <<<"$ports" | sort -u | grep -c :) in all"
ok 'connections: more than one; at most 8 and two of the login' test "$most" -gt 1 -a "$most" -le 10
ok 'they are kept: no more than these in all' test "$(tr ' ' '\n' <<<"$ports" | sort -u | grep -c :)" -le 10
simctl reset >/dev/null

# Names: a folder and a machine with every strange character, another datastore.
odd='odd & ü [x] a%2fb'
vm=$(by_path "DC0/vm/Pröd & Test/$odd")
snap=$(snapshot "$vm" 'with <names> & "more"')
file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
capacity=$(simctl vm list vm="$odd" | jq '.disks[0].capacity')
spec "$file" DC0
is "$(read_disk https "$capacity")" ok "names: $file"
is_frozen "$snap" 2000 'is read right'

# The same machine, datastore and path in two datacenters, of which one is in a folder.
for dc in DC0 Sites/DC1; do
    vm=$(by_path "$dc/vm/twin")
    [ "$dc" = DC0 ] || simctl disk fill vm="$vm" key=2000 bytes=64K seed=77 >/dev/null
    snap=$(snapshot "$vm" twin)
    file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
    capacity=$(simctl vm list vm="$vm" | jq '.disks[0].capacity')
    spec "$file" "$dc"
    is "$(read_disk https "$capacity")" ok "datacenter $dc: $file"
    is_frozen "$snap" 2000 'is its own'
done

# Trust: the certificate's pin instead of a CA.
sha256=$(simctl ready sha256)
spec "$file" Sites/DC1 "{\"vcenter\": {\"pin_sha256\": \"$sha256\"}}"
jq 'del(.vcenter.ca_file)' "$TEST_TMP/spec.json" >"$TEST_TMP/spec" && mv "$TEST_TMP/spec" "$TEST_TMP/spec.json"
is "$(read_disk https "$capacity")" ok 'a pinned certificate needs no CA'
is_frozen "$snap" 2000 'and brings the same'
is "$(others)" 1 'no session is left by any of them'
done_testing
