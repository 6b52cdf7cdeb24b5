#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A machine boots without MariaDB, and it comes later, empty: the hub is up all the while, and has its database
# without anybody's hand, migrations included.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready

hub systemctl --quiet mask --now mariadb
hub rm -rf /var/lib/mysql/mysql
ok "reboot" lab reboot hub
is "$(unit sendense-hub ActiveState)" active "without MariaDB the hub is up"
ok "and says what it lacks" wait_prop "$patience_sec" DatabaseState 's "unreachable"'
in_hub 'rm -rf /var/lib/mysql/*; systemctl --quiet unmask mariadb; systemctl start mariadb'
figure "ready after MariaDB's first start, migrations included" "$(wait_prop "$patience_sec" DatabaseState 's "ready"')" 5000
is "$(unit sendense-hub NRestarts)" 0 "without a restart of the hub"

done_testing
