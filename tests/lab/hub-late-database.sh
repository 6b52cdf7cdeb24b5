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
is "$(prop DatabaseState)" 's "unreachable"' "and says what it lacks"
in_hub 'rm -rf /var/lib/mysql/*; systemctl --quiet unmask mariadb; systemctl start mariadb'
msec=$(wait_prop 8 DatabaseState 's "ready"') || msec=8000
diag "after MariaDB came for the first time, ready in $msec ms"
ok "ready within 8 s of MariaDB's first start, migrations included" test "$msec" -lt 8000
is "$(unit sendense-hub NRestarts)" 0 "without a restart of the hub"

done_testing
