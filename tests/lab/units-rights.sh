#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may have units run: the hub's user by polkit's rule, none of our other users and nobody else; what is said
# when polkit is away; and that a signal which PID 1 did not send changes nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/units-lab.bash"

units_up
images 2000

# start_as USER NAME: asks PID 1 to run /bin/true as root.
start_as() {
    hub setpriv --reuid "$1" --regid "$(hub id -g "$1")" --init-groups busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
        org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' "$2" fail \
        1 ExecStart 'a(sasb)' 1 /bin/true 1 true false 0
}
refused='[Aa]ccess denied|AccessDenied|[Aa]uthentication|[Nn]ot authorized'

ok "the hub's user may have a unit made" start_as sendense sendense-image-1-test.service
say "stop sendense-image-1-test.service"
expect '^done stop .*: ok' "and have it stopped"
for user in sendense-export sendense-copy nobody; do
    like "$(start_as "$user" "sendense-image-1-$user.service" 2>&1)" "$refused" "$user may not"
    is "$(unit "sendense-image-1-$user.service" LoadState)" not-found "and nothing was made for $user"
done

# manage_as USER VERB UNIT
manage_as() { hub setpriv --reuid "$1" --regid "$(hub id -g "$1")" --init-groups systemctl --no-ask-password "$2" "$3" 2>&1; }
for what in "stop dbus.service" "restart systemd-journald.service" "stop sendense-hub.service" "start rescue.target" \
    "stop sendense-image-1.mount" "stop xsendense-image-1-a.service"; do
    # shellcheck disable=SC2086 # a verb and a unit
    like "$(manage_as sendense $what)" "$refused" "the rule does not reach as far as: $what"
done
ok "the hub's user may start a slice of its own" hub runuser -u sendense -- systemctl start sendense-jobs-1.slice
ok "and stop it" hub runuser -u sendense -- systemctl stop sendense-jobs-1.slice
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "an export serves"
for user in sendense-export sendense-copy nobody; do
    like "$(manage_as "$user" stop sendense-export-7-2000.service)" "$refused" "$user may not stop it"
done
is "$(unit sendense-export-7-2000.service ActiveState)" active "it runs"

# Somebody else's signals, sent straight to the listener.
pid=$(hub pgrep -x unit-probe)
peer=$(hub busctl list --no-legend | awk -v pid="$pid" '$2 == pid { print $1; exit }')
like "$peer" '^:1\.[0-9]+$' "the listener has a name on the bus"
emit_as_nobody() {
    hub setpriv --reuid nobody --regid nogroup --clear-groups gdbus emit --system --dest "$peer" "$@"
}
before=$(wc -l <"$units_log")
ok "anybody may send it a signal: a change" emit_as_nobody \
    --object-path /org/freedesktop/systemd1/unit/sendense_2dexport_2d7_2d2000_2eservice \
    --signal org.freedesktop.DBus.Properties.PropertiesChanged \
    org.freedesktop.systemd1.Unit "{'ActiveState': <'failed'>}" "@as []"
ok "a change of what is not looked up again" emit_as_nobody \
    --object-path /org/freedesktop/systemd1/unit/sendense_2dexport_2d7_2d2000_2esocket \
    --signal org.freedesktop.DBus.Properties.PropertiesChanged \
    org.freedesktop.systemd1.Unit "{'ActiveState': <'failed'>}" "@as []"
ok "a removal" emit_as_nobody --object-path /org/freedesktop/systemd1 \
    --signal org.freedesktop.systemd1.Manager.UnitRemoved sendense-export-7-2000.service "objectpath '/x'"
ok "and an end of PID 1" emit_as_nobody --object-path /org/freedesktop/DBus \
    --signal org.freedesktop.DBus.NameOwnerChanged org.freedesktop.systemd1 "$peer" ""
say "get sendense-export-7-2000.service"
expect '^got .* active/running ' "a question is answered as before"
is "$(tail -n "+$((before + 1))" "$units_log" | grep '^unit ')" "" "and none of it was told"
stop_all 7 2000

# Without the rule, and without polkit.
hub mv /usr/share/polkit-1/rules.d/60-sendense-hub.rules /root/
hub systemctl restart polkit
say_export export 7 2000 10100
expect '^done export 2000: EACCES .*is its rule 60-sendense-hub.rules installed' "without the rule a start is refused, and the text says what to look for"
diag "$REPLY"
hub mv /root/60-sendense-hub.rules /usr/share/polkit-1/rules.d/
hub systemctl --quiet mask --now polkit
say_export export 7 2000 10100
expect '^done export 2000: EACCES .*is polkit running' "without polkit too"
diag "$REPLY"
hub systemctl --quiet unmask polkit
hub systemctl start polkit
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "with polkit back it works at once"
stop_all 7 2000
nothing_left "nothing is left"
probe_end

done_testing
