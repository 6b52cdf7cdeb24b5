#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# On a hub as it comes, a user of the machine reaches no disk that is just being backed up, neither to list, nor to read, nor to
# write it, and a whole backup goes on under the rules that keep him away.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

command -v nft >/dev/null || skip_all "nft is missing (package nftables)"
fault_up
is "$(unit sendense-firewall@hub.service ActiveState)" active "the rules came with the hub"
vm guarded 16 8
hold guarded
start guarded || fail "a backup starts" "$ANSWER"
ok "it copies" wait_state copying || diag "$(job_state): $(job_error)"
ports=$(hub sendensectl port list --json)
stranger() { hub setpriv --reuid nobody --regid nogroup --clear-groups timeout 20 "$@" 2>&1; }
while IFS=$'\t' read -r port name; do
    like "$(stranger nbdinfo --list "nbd://127.0.0.1:$port/")" 'Connection refused' "port $port: a stranger cannot ask what is there"
    like "$(stranger nbdinfo "nbd://127.0.0.1:$port/$name")" 'Connection refused' "nor look at a disk whose name he knows"
    like "$(stranger nbdcopy --flush /etc/hostname "nbd://127.0.0.1:$port/$name")" 'Connection refused' "nor write it"
    like "$(hub nbdinfo "nbd://127.0.0.1:$port/$name")" 'export-size' "root can look"
done < <(jq -r '.[] | [.Port, .ExportName] | @tsv' <<<"$ports")
is "$(jq length <<<"$ports")" 2 "there were two disks"
release guarded
finish_backup guarded

# Not the daemon's life, and not a reload, opens a gap.
hub systemctl stop sendense-hub
like "$(stranger nbdinfo nbd://127.0.0.1:10100/x)" 'Connection refused' "they stay when the hub is stopped"
is "$(unit sendense-firewall@hub.service ActiveState)" active "and so does their service"
settings "[Exports]
Ports=30000-30009"
moved() { hub nft list table inet sendense-hub | grep -q 'dport 30000-30009' && ! hub nft list table inet sendense-hub | grep -q 10100; }
ok "they follow the ports of a hub that is started again" eventually "$patience_sec" moved || diag "$(hub nft list ruleset)"
backup guarded
# Without the rules, to see that they were it.
hub systemctl stop sendense-firewall@hub.service
hold guarded
start guarded || fail "a third backup starts" "$ANSWER"
ok "it copies" wait_state copying || diag "$(job_state): $(job_error)"
port=$(hub sendensectl port list --json | jq -r '.[0].Port')
like "$(stranger nbdinfo --list "nbd://127.0.0.1:$port/")" 'export=' "without them a stranger sees the disks"
release guarded
finish_backup guarded
unharmed "all that"
done_testing
