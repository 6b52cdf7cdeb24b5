#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A machine without an id, as a container or a first boot may be: asking for it is answered, and does not cost the hub
# its connection.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_config
: >"$TEST_TMP/machine-id"
# A machine that has no such file at all has nothing to be hidden.
# shellcheck disable=SC2016 # expanded by the inner shell
hub_start unshare --mount sh -c '[ ! -e /etc/machine-id ] || mount --bind "$0" /etc/machine-id; exec "$@"' \
    "$TEST_TMP/machine-id" || exit 1

ask() {
    gdbus call --system --dest "$hub_name" --object-path "$hub_path" --method "org.freedesktop.DBus.Peer.$1" 2>&1
}
like "$(ask GetMachineId)" 'DBus.Error.Failed: This machine has no id' "asked for the machine's id, the hub says that there is none"
is "$(ask Ping)" "()" "and is still there"
ok "it is the same process" kill -0 "$hub_pid"
hub_stop
is $? 0 "SIGTERM ends it with success"
done_testing
