#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nodes at a hub as it is installed: its master key, the files that sshd's command reads, the user who may enrol, and the unit
# that cuts sessions, which the hub starts through polkit. What the methods do in detail is in tests/bus/nodes.sh.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"
. "$SENDENSE_SRC/tests/lib/public-key.bash"

hub_lab_up
hub_ready
key_file=/var/lib/sendense-key/master-key
files=/var/lib/sendense-nodes

call() { # METHOD SIGNATURE [ARGUMENT...]: in $answer
    answer=$(hub busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" "$@" 2>&1)
}
add() { call AddNode 'ssa{sv}' "$1" "$(public_key "$2")" 0; }
enrol() { call EnrolNode 'ssa{sv}' "$(public_key "$1")" "$(public_key "$2")" 0; }
remove() { call RemoveNode 'sa{sv}' "$1" 0; }
as_user() { hub setpriv --reuid="$1" --regid="$1" --init-groups -- "${@:2}"; }

# The master key.
is "$(hub stat -c '%a %U %s' /var/lib/sendense-key "$key_file" | cut -d' ' -f1,2 | paste -sd,)" "700 root,600 root" "the first boot made a master key, root's alone"
is "$(hub stat -c %s "$key_file")" 32 "of 32 bytes"
not_ok "the hub's user cannot read it where it lies" as_user sendense cat "$key_file"
made=$(hub sha256sum "$key_file")
hub systemctl restart sendense-key.service sendense-hub.service
ok "after a restart of both" wait_prop "$patience_sec" DatabaseState 's "ready"'
is "$(hub sha256sum "$key_file")" "$made" "it is the same"

# The files, and the real user.
add edge1 1
like "$answer" '^o "/com/sendense/Hub1/node/[0-9]+"$' "a node is added"
enrol 1 11
like "$answer" '^sqss "edge1" 9081 "10100-10200" "[0-9a-f]{64}"$' "and enrolled"
is "$(hub stat -c '%a %U:%G' "$files" "$files/keys" "$files/tokens" | paste -sd,)" \
    "2750 sendense:sendense-tunnel,640 sendense:sendense-tunnel,640 sendense:sendense-tunnel" "sshd's command may read its files"
like "$(as_user sendense-tunnel cat "$files/keys")" "^edge1 9081 $(public_key 11 | sed 's/[+]/\\+/g')$" "and does"
not_ok "nobody else may" as_user nobody cat "$files/keys"
is "$(hub getent passwd sendense-enroll | cut -d: -f7),$(hub getent shadow sendense-enroll | cut -d: -f2)" "/bin/sh,*" \
    "the user of enrolments has a shell and no password"
add edge2 2
answer=$(as_user sendense-enroll busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" EnrolNode 'ssa{sv}' "$(public_key 2)" "$(public_key 12)" 0 2>&1)
like "$answer" '^sqss "edge2" 9082' "and may enrol"
for other in "ListNodes a{sv} 0" "GetStatus a{sv} 0"; do
    # shellcheck disable=SC2086 # words
    like "$(as_user sendense-enroll busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" $other 2>&1)" 'Access denied|Rejected|rejected' \
        "but not ${other%% *}"
done
like "$(as_user sendense-enroll busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartUnit ss cron.service replace 2>&1)" \
    'Access denied|Rejected|rejected' "nor anything of systemd"

# The sweep: a unit of the test in the place of the real one, which tests/tunnel is about.
in_hub 'cat >/etc/systemd/system/sendense-sshd-sweep.service <<Y
[Service]
Type=oneshot
ExecStart=sh -c "while test -e /run/sweep-waits; do sleep 0.05; done; grep -v ^# /var/lib/sendense-nodes/keys | cut -d\" \" -f1 | paste -sd, >>/run/swept; test ! -e /run/sweep-fails"
Y
systemctl daemon-reload; rm -f /run/swept'
remove edge1
is "$answer" '' "a node is removed"
is "$(hub cat /run/swept)" edge2 "when the call is answered, sessions were looked at, and its key was gone then"
hub touch /run/sweep-fails
remove edge2
like "$answer" "cannot be cut: sendense-sshd-sweep.service: .*tries again" "a sweep that fails is told"
hub rm /run/sweep-fails
ok "and is tried again by itself" eventually "$patience_sec" in_hub 'journalctl -u sendense-hub | grep -q "as the database has them again"'
hub journalctl -q --sync
is "$(hub journalctl -q -u sendense-hub -o cat --output-fields=SENDENSE_NODE MESSAGE_ID=60f170d84ff141569b0df7a9647e3a28 | paste -sd,)" edge1,edge2 \
    "the journal names them"
# Somebody stops the sweep while it runs: systemd takes the start back.
add edge8 8
hub touch /run/sweep-waits
hub rm /run/swept
remove edge8 &
sweep_waits() { [ "$(unit sendense-sshd-sweep.service ActiveState)" = activating ]; }
ok "another is removed, and its sweep runs" eventually "$patience_sec" sweep_waits
hub systemctl stop sendense-sshd-sweep.service
wait $!
hub rm /run/sweep-waits
ok "a sweep that systemd cancels is tried again by itself" eventually "$patience_sec" hub test -e /run/swept
hub journalctl -q --sync
is "$(hub journalctl -q -u sendense-hub -o cat | grep -c 'start job canceled')" 0 \
    "and is no complaint, as at the end of the machine"

# No master key, and a broken one.
add edge3 3
for how in missing empty; do
    hub systemctl mask --runtime --quiet sendense-key.service
    in_hub 'mv "$1" "$1.away"; [ "$2" = missing ] || touch "$1"; systemctl restart sendense-hub.service' "$key_file" "$how"
    ok "a $how master key: the hub starts" wait_prop "$patience_sec" DatabaseState 's "ready"'
    add edge4 4
    like "$answer" 'cannot use its master key' "a $how master key: adding a node is refused"
    call ListNodes 'a{sv}' 0
    like "$answer" edge3 "a $how master key: all else works"
    hub journalctl -q --sync
    hub journalctl -q --rotate
    is "$(hub journalctl -q -u sendense-hub -b -p warning -o cat MESSAGE_ID=cbe134f8d82547a097bf9d65538978d6 | tail -n 1 | cut -c1-40)" \
        "The hub cannot use its master key (there" "a $how master key: the journal says so"
    hub systemctl unmask --runtime --quiet sendense-key.service
    if [ "$how" = empty ]; then
        hub systemctl restart sendense-key.service
        is "$(hub stat -c %s "$key_file")" 0 "a broken one is not replaced by itself"
    fi
    hub mv -f "$key_file.away" "$key_file"
done
hub systemctl restart sendense-hub.service
ok "with the key back" wait_prop "$patience_sec" DatabaseState 's "ready"'
enrol 3 13
like "$answer" '"edge3"' "nodes are enrolled"
done_testing
