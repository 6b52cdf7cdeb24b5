#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The machine goes down and comes back, politely and by a power cut: the hub is up again by itself, with its database.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready
schema=$(prop DatabaseSchema)
boot=$(hub cat /proc/sys/kernel/random/boot_id)
hub mariadb sendense -e 'CREATE TABLE test_kept (a INT)'

for how in reboot crash; do
    ok "$how" lab "$how" hub
    was=$boot
    boot=$(hub cat /proc/sys/kernel/random/boot_id)
    ok "it is another boot" test "$boot" != "$was"
    is "$(hub systemctl is-system-running)" running "after $how the machine is running"
    ok "after $how the hub is ready" wait_prop "$patience_sec" DatabaseState 's "ready"'
    is "$(prop DatabaseSchema)" "$schema" "the schema is the same"
    ok "the data are there" hub mariadb sendense -e 'SELECT * FROM test_kept'
    is "$(unit sendense-hub NRestarts)" 0 "it was started once"
done
is "$(lab journal hub -b -1 -q -u sendense-hub -o cat MESSAGE_ID="$(message_id hub-stopping)" | wc -l)" 0 \
    "the power cut left no farewell in the journal"
is "$(lab journal hub -b -2 -q -u sendense-hub -o cat MESSAGE_ID="$(message_id hub-stopping)" | wc -l)" 1 \
    "the reboot did"

is "$(lab journal hub -b -2 -q -u sendense-hub -p warning -o cat)" "" "and no complaint"

done_testing
