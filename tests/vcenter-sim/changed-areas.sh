#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Change ids and QueryChangedDiskAreas: what changed between two snapshots is
# named, all of it, over pages and empty pages; and the ways in which the
# answer is a fault or a lie.
# Switches: area-bytes area-page area-page-bytes empty-page file-fault uuid-change wrong-sums

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start
login >/dev/null
vm=$(by_path DC0/vm/Prod/pgtest1)
cap=$((102 << 30))
like "$(props VirtualMachine "$vm" capability.changeTrackingSupported)" '>true<' 'tracking is supported'

# Off: no change id, and a question is a FileFault.
snap=$(snapshot "$vm" off)
is "$(disk_change_id VirtualMachineSnapshot "$snap" 2000)" '' 'without tracking there is no change id'
is "$(areas "$vm" "$snap" 2000 0 '*' | fault_of)" FileFault 'and a question is a FileFault'
unsnapshot "$snap" >/dev/null
is "$(tracking_on "$vm")" success 'tracking is switched on'

snap=$(snapshot "$vm" base)
base_id=$(disk_change_id VirtualMachineSnapshot "$snap" 2000)
like "$base_id" '^([0-9a-f]{2} ){7}[0-9a-f]{2}-([0-9a-f]{2} ){7}[0-9a-f]{2}/1$' 'the change id looks like that of ESXi'
ok 'each disk has its own' test "$base_id" != "$(disk_change_id VirtualMachineSnapshot "$snap" 2001)"
allocated=$(simctl disk hash vm=pgtest1 key=2000 | jq .allocated)
named=$(pages "$vm" "$snap" 2000 '*' $cap | tr ' ' '\n' | awk -F, 'NF == 2 {n += $2} END {print n}')
ok '"*" names what is allocated, in whole blocks' test "$named" -ge "$allocated" -a "$named" -lt $((allocated * 2))
unsnapshot "$snap" >/dev/null

# Three writes, one of them reaching over a blocks own border, one at the very end.
write() { yes "$2" | head -c "$3" | simctl disk write vm=pgtest1 key=2000 offset="$1" >/dev/null; }
write 1073741824 a 64K
write $((50 * 1073741824 + 65024)) b 1K
write $((cap - 512)) c 512
snap=$(snapshot "$vm" next)
next_id=$(disk_change_id VirtualMachineSnapshot "$snap" 2000)
is "${next_id##*/}" 2 'the next change id counts on'
want="1073741824,65536 $((50 * 1073741824)),131072 $((cap - 65536)),65536"
all_areas() { pages "$vm" "$snap" 2000 "$1" $cap | cut -d' ' -f3- | tr ' ' '\n' | grep . | paste -sd' '; }
simctl set area-page-bytes=0 >/dev/null
is "$(all_areas "$base_id")" "$want" 'exactly the changed blocks are named'
is "$(pages "$vm" "$snap" 2000 "$base_id" $cap | wc -l)" 1 'in one page if there is room'
write 0 later 64K
is "$(all_areas "$base_id")" "$want" 'a write after the snapshot is not in it'
simctl set area-page=1 >/dev/null
is "$(pages "$vm" "$snap" 2000 "$base_id" $cap | wc -l)" 3 'area-page=1: three pages'
is "$(all_areas "$base_id")" "$want" 'with the same areas'
simctl set area-page=2000 area-bytes=4096 >/dev/null
is "$(areas "$vm" "$snap" 2000 0 "$base_id" | xall length | grep -cx 4096)" "$(areas "$vm" "$snap" 2000 0 "$base_id" | xall start | wc -l)" \
    'area-bytes: every area is of that many bytes'
ok 'and there are more of them' test "$(areas "$vm" "$snap" 2000 0 "$base_id" | xall start | wc -l)" -gt 3
simctl set area-bytes=0 >/dev/null
simctl set area-page=2000 area-page-bytes=32G >/dev/null
is "$(pages "$vm" "$snap" 2000 "$base_id" $cap | cut -d' ' -f1,2 | head -1)" "0 $((32 << 30))" 'area-page-bytes: a page describes 32 GiB'
is "$(all_areas "$base_id")" "$want" 'with the same areas'
simctl set area-page-bytes=0 empty-page=1 >/dev/null
got=$(pages "$vm" "$snap" 2000 "$base_id" $cap)
is "$(awk '{printf "%s ", NF - 2}' <<<"$got")" '0 1 0 1 0 1 ' 'empty-page: empty ones between the others'
is "$(all_areas "$base_id")" "$want" 'with the same areas'
is "$(awk '{n += $2} END {print n}' <<<"$got")" "$cap" 'and together they describe the whole disk'
simctl set empty-page=0 >/dev/null
is "$(all_areas "$next_id")" '' 'nothing changed since its own change id'

is "$(areas "$vm" "$snap" 2000 $cap "$base_id" | fault_of)" InvalidArgument 'startOffset = capacity is InvalidArgument'
is "$(areas "$vm" "$snap" 2000 -1 "$base_id" | fault_of)" InvalidArgument 'so is a negative one'
is "$(areas "$vm" "$snap" 4711 0 "$base_id" | fault_of)" InvalidArgument 'and an unknown device'
is "$(areas "$vm" "$snap" 2000 0 "$(disk_change_id VirtualMachineSnapshot "$snap" 2001)" | fault_of)" FileFault \
    'the change id of another disk is a FileFault'
is "$(areas "$vm" "$snap" 2000 0 "${next_id%/*}/99" | fault_of)" FileFault 'so is one from the future'
is "$(areas "$vm" snapshot-0 2000 0 '*' | fault_of)" ManagedObjectNotFound 'an unknown snapshot'
logout >/dev/null
is "$(areas "$vm" "$snap" 2000 0 '*' | fault_of)" NotAuthenticated 'and without a session nothing is told'
login >/dev/null

# file-fault at the second page only.
simctl set area-page=1 >/dev/null
simctl fault file-fault at=2 >/dev/null
is "$(areas "$vm" "$snap" 2000 0 "$base_id" | fault_of)" '' 'file-fault at=2: the first page comes'
is "$(areas "$vm" "$snap" 2000 0 "$base_id" | fault_of)" FileFault 'the second does not'
is "$(areas "$vm" "$snap" 2000 0 "$base_id" | fault_of)" '' 'the third does'

# wrong-sums
simctl set area-page=2000 >/dev/null
lie() {
    simctl fault wrong-sums mode="$1" >/dev/null
    areas "$vm" "$snap" 2000 0 "$base_id" | xpath "//*[local-name()='returnval']" |
        sed 's/<changedArea><start>\(-\?[0-9]*\)<\/start><length>\(-\?[0-9]*\)<\/length><\/changedArea>/ \1,\2/g; s/<[^>]*>/ /g' | xargs
}
is "$(lie zero-length)" '0 0' 'wrong-sums: a page of length 0'
like "$(lie beyond-disk)" "^0 $((cap + 65536)) .* $cap,65536\$" 'wrong-sums: an area beyond the disk'
like "$(lie outside-page)" "^0 $((cap / 2)) " 'wrong-sums: an area outside of its page'
like "$(lie overlap)" ' 0,131072 65536,131072$' 'wrong-sums: areas that overlap'
like "$(lie wrong-start)" '^65536 ' 'wrong-sums: another start than asked for'
like "$(lie negative)" ' 0,-65536$' 'wrong-sums: a negative length'
not_ok 'an unknown lie is refused' simctl fault wrong-sums mode=whatever
is "$(all_areas "$base_id")" "$want" 'after them the truth again'
unsnapshot "$snap" >/dev/null

# A block written in two epochs belongs to both.
simctl disk fill vm=pgtest1 key=2001 bytes=64K seed=1 >/dev/null
a=$(snapshot "$vm" a)
a_id=$(disk_change_id VirtualMachineSnapshot "$a" 2001)
unsnapshot "$a" >/dev/null
simctl disk fill vm=pgtest1 key=2001 bytes=64K seed=2 >/dev/null
b=$(snapshot "$vm" b)
b_id=$(disk_change_id VirtualMachineSnapshot "$b" 2001)
simctl disk fill vm=pgtest1 key=2001 bytes=64K seed=3 >/dev/null
is "$(areas "$vm" "$b" 2001 0 "$a_id" | xall start | head -1)" 0 'a block written again later is still named'
unsnapshot "$b" >/dev/null

# uuid-change
simctl cbt reset vm=pgtest1 key=2001 >/dev/null
c=$(snapshot "$vm" c)
c_id=$(disk_change_id VirtualMachineSnapshot "$c" 2001)
ok 'uuid-change: another UUID' test "${c_id%/*}" != "${b_id%/*}"
is "$(areas "$vm" "$c" 2001 0 "$b_id" | fault_of)" FileFault 'old change ids are a FileFault'
is "$(disk_change_id VirtualMachineSnapshot "$c" 2000 | cut -d/ -f1)" "${base_id%/*}" 'the other disk goes on as before'
unsnapshot "$c" >/dev/null

# Off and on again is a new beginning, too.
simctl vm cbt vm=pgtest1 on=0 >/dev/null
simctl vm cbt vm=pgtest1 on=1 >/dev/null
d=$(snapshot "$vm" d)
is "$(areas "$vm" "$d" 2000 0 "$base_id" | fault_of)" FileFault 'tracking off and on: old change ids are void'
is "$(unsnapshot "$d")" success 'done'
done_testing
