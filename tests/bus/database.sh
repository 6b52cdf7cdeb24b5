#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub without a database: it is up, says what is missing and why, and an operator can have it
# try again. What happens when MariaDB comes and goes is tests/sql.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_config
hub_start || exit 1
ok "without MariaDB the state is degraded" eventually 30 hub_property_is State 's "degraded"'
is "$(hub_get DatabaseState)" 's "unreachable"' "the database is unreachable"
like "$(hub_get DatabaseError)" "$TEST_TMP/no-mysqld.sock" "the error names the socket"
like "$(cat "$hub_log")" "Database unreachable: .*$TEST_TMP/no-mysqld.sock" "the journal says so"
is "$(hub_call ProbeDatabase 'a{sv}' 0)" 's "unreachable"' "a probe answers the same"
is "$(grep -c 'Database unreachable' "$hub_log")" 1 "one line for one loss, not one for each attempt"
hub_stop
is $? 0 "it ends on SIGTERM"
done_testing
