#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What an operator reads: the journal with our fields and the catalog's texts, sendensectl, and the verdict of
# systemd-analyze security on each of our units as it really runs.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready

# The journal.
hub journalctl --quiet --sync
ready=$(lab journal hub -u sendense-hub -o json "MESSAGE_ID=$(message_id hub-ready)")
is "$(wc -l <<<"$ready")" 1 "one line says that the hub is ready"
is "$(jq -r .SYSLOG_IDENTIFIER <<<"$ready")" sendense-hub "it names the program"
is "$(jq -r ._SYSTEMD_UNIT <<<"$ready")" sendense-hub.service "it belongs to the unit"
is "$(journal_count database-ready)" 1 "one line says that the database is ready"
ok "a log level set by root" hub busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" SetLogLevel 'sa{sv}' debug 0
hub journalctl --quiet --sync
line=$(lab journal hub -u sendense-hub -o json -g 'Log level set')
is "$(jq -r .SENDENSE_PRINCIPAL <<<"$line" | head -n 1)" uid:0 "who did it stands in SENDENSE_PRINCIPAL"

# journalctl -x, in the machine, where the catalog was compiled at install.
explained=$(hub journalctl --no-pager -x -u sendense-hub "MESSAGE_ID=$(message_id hub-ready)")
like "$explained" 'Subject: The Sendense hub' "journalctl -x shows a subject for our event"
catalog=$(hub journalctl --no-pager --list-catalog | grep -i sendense)
mapfile -t names < <(grep -oP '\{ "\K[a-z-]+' "$SENDENSE_SRC/lib/message-id.c")
ok "there are events" test "${#names[@]}" -ge 10
for name in "${names[@]}"; do
    like "$catalog" "^$(message_id "$name") Sendense: " "the catalog explains $name"
done

# sendensectl.
status=$(hub sendensectl status)
ok "sendensectl status ends well" hub sendensectl status
like "$status" 'running' "it says the hub's state"
like "$status" 'ready' "it says the database's state"
commit=$(prop Commit | cut -d '"' -f 2)
version=$(hub sendensectl version)
ok "sendensectl version ends well: everything is what was built" hub sendensectl version
like "$version" "$commit" "it says the commit that the hub says"
like "$(hub sendensectl --version)" "$commit" "sendensectl itself is of that commit"

# Sandboxes, of every unit that is shipped, as it is loaded.
n=0
for file in "$SENDENSE_SRC"/units/*.service; do
    name=$(basename "$file")
    if reason=$(grep -oP '^# Security exception: \K.*' "$file"); then
        skip "$name is at most 2.5" "exception: $reason"
        continue
    fi
    n=$((n + 1))
    exposure=$(hub systemd-analyze security --no-pager "$name" | tail -n 1)
    diag "$name: ${exposure#*: }"
    ok "$name is at most 2.5" hub systemd-analyze security --no-pager --threshold=25 "$name"
done
ok "units were looked at" test "$n" -ge 1
is "$(hub bash -c 'systemd-analyze verify --man=no /lib/systemd/system/sendense-*.service' 2>&1)" "" \
    "systemd-analyze verify has nothing to say about our units"

done_testing
