#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What callers can pile up in the hub has limits, each tested at its value and one beyond, and the
# API reference tells them.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_start || exit 1

limit() { # NAME FILE: of an enum
    sed -n "s/^ *$1 = \([0-9]*\),.*/\1/p" "$(ls "$SENDENSE_SRC"/busd/{,hub/}bus/"$2" 2>/dev/null)"
}
in_all=$(limit AUTHORISE_PENDING_MAX authorise.h)
per_caller=$(limit AUTHORISE_PENDING_PER_CALLER_MAX authorise.h)
per_user=$(limit AUTHORISE_PENDING_PER_USER_MAX authorise.h)
users=$(limit AUTHORISE_PENDING_USERS_MAX authorise.h)
probes=$(limit HUB_PROBES_MAX bus-manager.h)
reference=$(tr '\n' ' ' <"$SENDENSE_SRC/docs/API_REFERENCE.md")
like "$reference" "At most $in_all calls wait for a decision at a time, $per_caller of one connection, $per_user of one user and $users of all users" \
    "the API reference has the limits of open decisions"
like "$reference" "At most $probes probes are under way at a time" "and of probes"

# dbus-daemon lets a message on a system bus carry 16 descriptors, and the hub needs some of its own.
descriptors=$(sed -n 's/^LimitNOFILE=\([0-9]*\)$/\1/p' "$SENDENSE_SRC/units/sendense-hub.service")
ok "the unit has descriptors for all waiting calls, twice over ($descriptors)" test "$descriptors" -ge $((2 * 16 * in_all))

flood() { "$SENDENSE_BUILD/tests/fuzz/bus-flood" "$hub_pid" "$@" 2>&1 </dev/null; }
is "$(flood 1 "$per_caller")" "answered $per_caller busy 0 other 0" "one connection: $per_caller calls at once are answered"
is "$(flood 1 $((per_caller + 1)))" "answered $per_caller busy 1 other 0" "one connection: one more is refused as Busy"
# As few connections as can hold them all below the limit of each.
connections=8 calls=$((in_all / 8))
is "$(flood "$connections" "$calls")" "answered $in_all busy 0 other 0" "all connections: $in_all calls at once are answered"
is "$(flood "$connections" $((calls + 1)))" "answered $in_all busy $connections other 0" \
    "all connections: $connections more are refused as Busy"
is "$(flood 1 1)" "answered 1 busy 0 other 0" "afterwards all places are free again"

kept() { find "/proc/$hub_pid/fd" -mindepth 1 -lname '*memfd:bus-descriptor*' | grep -q .; }
is_gone() { ! kept; }
is "$("$SENDENSE_BUILD/tests/fuzz/bus-descriptor")" org.freedesktop.DBus.Error.InvalidArgs \
    "a method that takes no descriptor refuses one"
ok "and the hub does not keep it" eventually 10 is_gone

# A refused user cannot fill the journal.
logged() { grep -c 'uid:65534 may not call' "$hub_log"; }
calls=()
for _ in {1..25}; do
    as_nobody busctl --system call "$hub_name" "$hub_path" "$hub_manager" GetStatus 'a{sv}' 0 2>/dev/null &
    calls+=($!)
done
wait "${calls[@]}"
ok "of 25 refusals at once at most 20 are logged ($(logged))" test "$(logged)" -le 20 -a "$(logged)" -ge 1
done_testing
