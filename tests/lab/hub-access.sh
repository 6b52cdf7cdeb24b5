#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may call the hub: root always, others by polkit, and nobody else when polkit is away.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready
hub useradd --no-create-home --shell /bin/sh -u 4242 tester

as_tester() { hub setpriv --reuid 4242 --regid 4242 --clear-groups "$@"; }
get_status=(busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" GetStatus 'a{sv}' 0)
set_level=(busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" SetLogLevel 'sa{sv}' info 0)

rule() { # JAVASCRIPT-CONDITION: what polkit lets the tester do
    hub install -m 644 /dev/stdin /etc/polkit-1/rules.d/10-test.rules <<X
polkit.addRule(function(action, subject) {
    if (subject.user == "tester" && $1)
        return polkit.Result.YES;
});
X
    hub systemctl restart polkit
}

# Root.
ok "root may look" hub "${get_status[@]}"
ok "root may manage" hub "${set_level[@]}"

# Another user.
like "$(as_tester "${get_status[@]}" 2>&1)" 'AccessDenied|Access denied|[Pp]ermission' "another user may not look"
not_ok "and the call fails" as_tester "${get_status[@]}"
like "$(as_tester busctl get-property "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" Version)" '^s ' \
    "everybody may read the properties"
rule 'action.id == "com.sendense.hub.inspect"'
ok "with a rule for inspect he may look" as_tester "${get_status[@]}"
not_ok "but not manage" as_tester "${set_level[@]}"
rule 'action.id.indexOf("com.sendense.hub.") == 0'
ok "with a rule for all he may manage" as_tester "${set_level[@]}"
hub journalctl --quiet --sync
ok "denials are in the journal" test "$(journal_count access-denied)" -ge 1
like "$(lab journal hub -o json "MESSAGE_ID=$(message_id access-denied)" | jq -r .SENDENSE_PRINCIPAL | sort -u)" \
    '^uid:4242$' "with the user who was denied"

# No polkit.
hub systemctl --quiet mask --now polkit
error=$(as_tester gdbus call --system --dest "$HUB_NAME" --object-path "$HUB_PATH" --method "$HUB_MANAGER.SetLogLevel" info '{}' 2>&1)
like "$error" 'org.freedesktop.DBus.Error.AccessDenied' "without polkit the user with the rule gets AccessDenied"
ok "and root still may" hub "${set_level[@]}"
is "$(journal_count authority-unavailable)" 1 "the journal says once that polkit is away"
hub systemctl --quiet unmask polkit
ok "with polkit back, the rule counts again" as_tester "${set_level[@]}"

# What the bus itself keeps out.
not_ok "nobody else may own the name" as_tester busctl call org.freedesktop.DBus / org.freedesktop.DBus RequestName su "$HUB_NAME" 0
like "$(as_tester busctl set-property "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" LogLevel s debug 2>&1)" \
    'denied|rejected|not authorized|AccessDenied' "nothing can be set as a property"
is "$(prop State)" 's "running"' "the hub has borne it all"

done_testing
