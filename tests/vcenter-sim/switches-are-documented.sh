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
# shellcheck disable=SC2016 # the backquotes are the README's
documented=$(sed -n 's/^| `\([a-z0-9-]*\)` |.*/\1/p' "$simdir/README.md" | sort)
is "$documented" "$switches" 'the README names exactly these'
proved=$(sed -n '/^# Switches:/,/^$/p' "$simdir"/*.sh | sed 's/^# Switches://; s/^#//' | tr ' ' '\n' | grep . | sort)
is "$proved" "$switches" 'each is claimed by exactly one test'
unused=
for f in "$simdir"/*.sh; do
    code=$(sed '/^#/d' "$f")
    while read -r s; do
        grep -q -e "$s" <<<"$code" || unused+="$s in ${f##*/}; "
    done < <(sed -n '/^# Switches:/,/^$/p' "$f" | sed 's/^# Switches://; s/^#//' | tr ' ' '\n' | grep .)
done
is "$unused" '' 'and used where it is claimed'
verbs=$(grep -o '`simctl [a-z]*' "$simdir/README.md" | cut -d' ' -f2 | sort -u)
unknown=
help=$(simctl help)
for verb in $verbs; do
    grep -q "simctl .*\b$verb\b" <<<"$help" || unknown+="$verb "
done
is "$unknown" '' 'every verb in the README is in the help'
is "$(simctl settings | jq -r 'keys[]')" "$(simctl switches | awk -F'\t' '$2 == "set" {print $1}' | sort)" 'settings are those of the list'
refused=
while read -r name; do
    out=$(simctl fault "$name" nonsense=1 2>&1)
    case $out in *'unknown parameter nonsense'*) ;; *) refused+="$name: $out; " ;; esac
done < <(simctl switches | awk -F'\t' '$2 == "fault" {print $1}')
is "$refused" '' 'every fault of the list is known to the control interface'
done_testing
