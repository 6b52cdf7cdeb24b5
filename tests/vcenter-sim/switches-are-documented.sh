#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One list of switches: the program's own. The README names exactly these, and
# each is named in the head of a test that proves it.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -empty
switches=$(simctl switches | cut -f1 | sort)
ok 'the program has a list of switches' test "$(wc -l <<<"$switches")" -gt 30
documented=$(sed -n 's/^| `\([a-z0-9-]*\)` |.*/\1/p' "$simdir/README.md" | sort)
is "$documented" "$switches" 'the README names exactly these'
proved=$(sed -n '/^# Switches:/,/^$/p' "$simdir"/*.sh | sed 's/^# Switches://; s/^#//' | tr ' ' '\n' | grep . | sort)
is "$proved" "$switches" 'each is claimed by exactly one test'
for f in "$simdir"/*.sh; do
    for s in $(sed -n '/^# Switches:/,/^$/p' "$f" | sed 's/^# Switches://; s/^#//'); do
        sed '/^#/d' "$f" | grep -q -e "$s" || fail "${f##*/} claims $s and does not use it"
    done
done
pass 'and used where it is claimed'
unlike "$(sed -n 's/.*`simctl \([a-z]*\).*/\1/p' "$simdir/README.md" | sort -u | while read -r verb; do
    simctl help | grep -q "simctl.* $verb" || echo "unknown $verb"
done)" unknown 'every verb in the README exists'
is "$(simctl settings | jq -r 'keys[]')" "$(simctl switches | awk -F'\t' '$2 == "set" {print $1}' | sort)" 'settings are those of the list'
while read -r name; do
    out=$(simctl fault "$name" nonsense=1 2>&1)
    case $out in *'unknown parameter nonsense'*) ;; *) fail "fault $name is accepted by the control interface" "$out" ;; esac
done < <(simctl switches | awk -F'\t' '$2 == "fault" {print $1}')
pass 'every fault of the list is known to the control interface'
done_testing
