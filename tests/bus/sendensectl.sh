#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl and the real hub understand each other: what one says on the bus is what the other shows.
# Everything a hub may say or fail to say is tested against a peer in tests/unit/ctl.sh.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

ctl=$SENDENSE_BUILD/cli/sendensectl
private_bus_start "$hub_policy" || exit 1
hub_config '[Exports]' 'Ports=10300-10310'
hub_start || exit 1
ok "the hub sees that it has no database" eventually 30 hub_property_is State 's "degraded"'

out=$("$ctl" status)
is "$?" 3 "status of a hub without a database: exit status 3"
like "$out" "^ +Hub: degraded, process $hub_pid, since 2[0-9]{3}-" "state, process, start"
ok "version, commit and build id are those of its --version" \
    grep -qF "Version: $("$hub_program" --version | cut -d' ' -f2-)" <<<"$out"
like "$out" "^ +Database: unreachable, the hub needs schema [0-9]+\$" "state of the database"
like "$out" "^ +.*no-mysqld.sock" "and why"
like "$out" "^ +Exports: ports 10300-10310\$" "ports"
is "$("$ctl" status --json | jq -c '[.State, .DatabaseSchema, .ExportPorts, .ProcessId]')" \
    "[\"degraded\",0,[10300,10310],$hub_pid]" "the same as JSON"

is "$("$ctl" log-level debug)" debug "log-level says what it set"
ok "and the hub has it" hub_property_is LogLevel 's "debug"'
out=$("$ctl" log-level loud 2>&1)
is "$?" 1 "a level that is none: exit status 1"
like "$out" "must be one of emerg, alert" "the hub's own words"
is "$("$ctl" database probe)" unreachable "database probe shows the state after the try"

# The running hub is its file; after the file was replaced, it is not.
root=$TEST_TMP/root
bin=$root$(sed -nE 's/^#define SENDENSE_BIN_DIR "(.*)"$/\1/p' "$SENDENSE_BUILD/build-config.h")
libexec=$root$(sed -nE 's/^#define SENDENSE_LIBEXEC_DIR "(.*)"$/\1/p' "$SENDENSE_BUILD/build-config.h")
mkdir -p "$bin" "$libexec"
cp "$ctl" "$bin/sendensectl"
cp "$hub_program" "$libexec/sendense-hub"
out=$("$ctl" version --root="$root")
is "$?" 0 "version of a hub that runs from its file: exit status 0" || diag "$out"
like "$out" "^sendense-hub .* same\$" "it says so"
cp "$ctl" "$libexec/sendense-hub"
out=$("$ctl" version --root="$root")
is "$?" 3 "version when the file was replaced: exit status 3"
like "$out" "^DIFFERS sendense-hub: .*systemctl restart sendense-hub.service\$" "cause and remedy"

# A user without a right, and no polkit on this bus to ask.
cp "$ctl" "$private_bus_dir/sendensectl"
chmod 0755 "$private_bus_dir/sendensectl"
out=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$private_bus_dir/sendensectl" status 2>&1)
is "$?" 77 "status as nobody: exit status 77" || diag "$out"
like "$out" "^sendensectl: .*Be root, or get the right from polkit" "cause and remedy"

hub_stop
out=$("$ctl" status 2>&1)
is "$?" 69 "status without a hub: exit status 69"
like "$out" "the hub does not run\. Start it: systemctl start sendense-hub\.service" "cause and remedy"
done_testing
