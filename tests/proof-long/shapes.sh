#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# VMs of further shapes, a full backup and an increment of each: one disk, twelve on two controllers, names of every
# strange character, 107 GiB that are nearly empty.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof/proof.bash"
. "$SENDENSE_SRC/tests/proof/shapes.bash"

proof_machine
strange='Dät% 25 (2) "q" %5c $(x) `y` '"'z'"' & <t>;|*?#'
vcenter_up -datastore "$strange"

# changes: a few pieces of each disk, its ends among them, and zeroes over data.
changes() {
    local key at
    for key in "${keys[@]}"; do
        for at in 0 700416 $((capacity_of[$key] - 512)); do
            head -c 512 /dev/urandom | simctl disk write vm="$vm" key="$key" offset="$at" >/dev/null
        done
        head -c 131072 /dev/zero | simctl disk write vm="$vm" key="$key" offset=65024 >/dev/null
    done
}

both() { # NAME [JQ]
    good full "$1, in full" "${2:-.}"
    changes
    good incremental "$1, by its changes" "${2:-.}"
    is "$(of_copy '[.disks[].backup_type] | unique')" '["incremental"]' "$1: that is how" || diag "$(task .)"
}

vm_add name=web01 disks=$(((8 << 20) + 512)):fill=3M
both "a single disk"
simctl vm remove vm="$vm" >/dev/null

bus=$(printf ',6M:pvscsi1:fill=2M%.0s' {1..6})
vm_add name=web01 disks="$(printf ',6M:fill=2M%.0s' {1..6} | cut -c2-)$bus"
is "${keys[*]}" '2000 2001 2002 2003 2004 2005 2016 2017 2018 2019 2020 2021' "twelve disks on two controllers"
both "twelve disks"
simctl vm remove vm="$vm" >/dev/null

# A / stands for %2f in names, a \ for %5c, a % for %25, as vCenter shows them.
for name in 'a%2fb%5cc%25d' 'Größe "π" — 磁盘' "it's \$(a) \`b\` ; & | < > * ? [x] {y} !" 'two  spaces' '-rf --' '%' '..'; do
    vm_add name="$name" folder="F: $name" dc=Sites/DC1 ds="$strange" disks=8M:fill=3M,4M:nvme:fill=1M ||
        { fail "a VM '$name' can be made"; continue; }
    both "'$name'" ".vm_name = $(jq -Rs 'rtrimstr("\n")' <<<"$name") | .vm_path = $(jq -Rs 'rtrimstr("\n")' <<<"Sites/DC1/vm/F: $name/$name")"
    simctl vm remove vm="$vm" >/dev/null
done

# Huge and nearly empty: only what was ever written is read, and images are compared by their extents.
vm=$(simctl vm list | jq -r '.[] | select(.name == "pgtest1").vm')
uuid=$(simctl vm list | jq -r '.[] | select(.name == "pgtest1").instance_uuid')
known_image=() known_uuid=() known_capacity=() known_id=()
vm_look
is "${capacity_of[2000]} ${capacity_of[2001]}" "$((102 << 30)) $((5 << 30))" "pgtest1: 102 GiB and 5 GiB"
since=$EPOCHREALTIME
both pgtest1 '.vm_name = "pgtest1" | .vm_path = "DC0/vm/Prod/pgtest1"'
diag "$(of_copy '[.disks[] | del(.digest)]')" "two backups and their comparison: $(jq -n "$EPOCHREALTIME - $since | floor") s"
ok "pgtest1: no zeroes were read" test "$(of_copy '[.disks[].bytes_read] | add')" -lt $((64 << 20))
is "$(jq '[.disks[].bytes_read] | add < 67108864' /var/lib/sendense-node/ledger/$((job - 1)).result)" true "nor in full"
is "$(wrong_points)" '' "every restore point still is what it was"
done_testing
