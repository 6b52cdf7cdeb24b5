#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Ports for exports: a range that is used up, ports that strangers hold, and what becomes of the jobs beside them.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

# stranger PORT [ADDRESS]: a program that is not ours listens there.
stranger() {
    require "a stranger has port $1" hub systemd-run --quiet --unit="stranger-$1" --service-type=exec \
        socat "TCP4-LISTEN:$1,bind=${2:-127.0.0.1},fork,reuseaddr" SYSTEM:cat
    ok "and listens" eventually "$patience_sec" in_hub "ss -Hltn 'sport = $1' | grep -q ."
}

fault_up '[Exports]
Ports=10100-10102'
command -v socat >/dev/null || skip_all "socat is missing (package socat)"
vm small 8
vm broad 4 4
vm wide 1 1 1 1
backup small

# A range that is used up, by one job alone and by two.
start wide
failed "more disks than ports" '^PortsExhausted: Disk 200[0-3]: no port of 10100-10102 is free\. Widen \[Exports\] Ports=, or lower'
unharmed "more disks than ports"
hold broad
start broad
broad=$JOB
ok "a backup holds two of three ports" wait_state copying
start wide
failed "more disks than ports are left" '^PortsExhausted: '
is "$(job_state "$broad")" copying "the other job does not notice"
change small
backup small
is "$(job '.Disks[0].State')" completed "and a third takes the port that is left"
release broad
JOB=$broad
finish_backup broad
unharmed "a range that was used up"

metric_moves "a range that is used up" hub sendense_export_ports_failed_total 0
failed_ports=$(metric hub sendense_export_ports_failed_total)
hub systemctl stop sendense-hub-api.service # whose descriptors nobody has counted

# One port is a stranger's, by its address or by all addresses.
stranger 10100
stranger 10101 0.0.0.0
change small
hold small
start small
ok "beside strangers a backup copies" wait_state copying
is "$(hub sendensectl port list --json | jq -c '[.[].Port]')" "[10102]" "on the port that nobody has"
release small
finish_backup small
hub journalctl --quiet --sync
like "$(lab journal hub -o cat "MESSAGE_ID=$(message_id port-taken)" "SENDENSE_JOB=$JOB")" 'Port 1010[01] .*not ours .*ss -ltnp' \
    "the journal says which port is a stranger's, and how to find him"
metric_moves "a port that a stranger has" hub sendense_export_ports_failed_total "$failed_ports"
hub systemctl stop sendense-hub-api.service
unharmed "a port that a stranger has" listeners

# All are.
stranger 10102
start small
failed "all ports are strangers'" '^PortTaken: Disk 2000: .*10100-10102.* not ours.*ss -ltnp'
for port in 10100 10101 10102; do
    is "$(hub systemctl is-active "stranger-$port")" active "the stranger on $port is left alone"
done
unharmed "strangers on all ports" listeners
hub systemctl stop stranger-10100 stranger-10101 stranger-10102
change small
backup small
unharmed "the strangers have gone"

done_testing
