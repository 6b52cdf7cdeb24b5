#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Several clients at once, while guests write: snapshots come and go, disks are
# read, properties and updates are asked for. Every answer is whole, every
# snapshot holds its moment, and at the end nothing is left.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -zoo

client() { # VM-PATH KEY N: four rounds of snapshot, read, compare; prints what went wrong
    jar=$TEST_TMP/jar-$3
    mkdir -p "$TEST_TMP/c$3"
    sim_tmp=$TEST_TMP
    TEST_TMP=$sim_tmp/c$3
    login >/dev/null
    local vm snap file got want
    vm=$(by_path "$1")
    for _ in 1 2 3 4; do
        snap=$(snapshot "$vm" "round of $3") || { echo "client $3: no snapshot: $(cat "$TEST_TMP/task")"; continue; }
        want=$(simctl snapshots | jq -r --arg s "$snap" --argjson k "$2" '.[] | select(.snapshot == $s).disks[] | select(.key == $k).hash')
        file=$(disk_file VirtualMachineSnapshot "$snap" "$2")
        get "$(folder_url "$file" -flat)" >"$TEST_TMP/read" || echo "client $3: cannot read $file"
        got=$(simctl hash "$TEST_TMP/read")
        [ "$got" = "$want" ] || echo "client $3: $snap reads $got, not $want"
        [ "$(unsnapshot "$snap")" = success ] || echo "client $3: $snap stays: $(cat "$TEST_TMP/task")"
    done
    logout >/dev/null
}

looker() { # reads everything again and again, until the file "over" is there
    jar=$TEST_TMP/jar-look
    login >/dev/null
    local n=0
    while [ ! -e "$TEST_TMP/over" ]; do
        for vm in $1; do
            props VirtualMachine "$vm" config snapshot runtime recentTask layoutEx | xmllint --noout - || echo "looker: not XML"
        done
        simctl vm list | jq -e . >/dev/null || echo 'looker: no list'
        n=$((n + 1))
    done
    logout >/dev/null
    [ "$n" -gt 0 ] || echo 'looker: saw nothing'
}

simctl writer start vm=loner key=2000 size=4K ms=1 seed=3 >/dev/null
simctl writer start vm=mixed key=16000 size=64K ms=2 seed=4 >/dev/null
simctl writer start vm=mapped key=2000 size=4K ms=1 seed=5 >/dev/null
client DC0/vm/loner 2000 1 >"$TEST_TMP/out1" 2>&1 &
one=$!
client DC0/vm/mixed 16000 2 >"$TEST_TMP/out2" 2>&1 &
two=$!
client DC0/vm/mapped 2000 3 >"$TEST_TMP/out3" 2>&1 &
three=$!
(
    looker "$(simctl vm list | jq -r '.[].vm')"
) >"$TEST_TMP/out4" 2>&1 &
four=$!
wait "$one" "$two" "$three"
touch "$TEST_TMP/over"
wait "$four"
is "$(cat "$TEST_TMP"/out[1-4])" '' 'three clients and a looker have nothing to complain of'
for p in 'loner 2000' 'mixed 16000' 'mapped 2000'; do
    w=$(simctl writer stop vm="${p% *}" key="${p#* }")
    like "$w" '"writes":[1-9]' "the guest ${p% *} wrote all the while"
    unlike "$w" '"error"' 'without an error'
    f=$sim/data/DC0-ds0/${p% *}/${p% *}.vmdk
    [ "${p#* }" = 2000 ] || f=${f%.vmdk}_1.vmdk
    is "$(simctl hash "${f%.vmdk}-flat.vmdk")" "$(simctl disk hash vm="${p% *}" key="${p#* }" | jq -r .hash)" 'and nothing of it was lost'
done
is "$(simctl left | jq -c '[.[] | length] | add')" 0 'nothing is left'
unlike "$(cat "$sim/log")" 'panic|DATA RACE' 'and the log tells of no accident'
done_testing
