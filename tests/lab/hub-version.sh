#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What runs is what was built, or somebody says so: the file on disk is replaced under a running hub.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

program=$(find "$SENDENSE_BUILD/busd" -name sendense-hub -type f -perm -1)
command -v objcopy >/dev/null || skip_all "objcopy is missing (package binutils)"

hub_lab_up
hub_ready
target=$(hub systemctl cat sendense-hub | sed -n 's/^ExecStart=\([^ ]*\).*/\1/p')
ok "all is well: sendensectl version ends with 0" hub sendensectl version

# The same program with another build id, as a later build has it.
objcopy -O binary --only-section=.note.gnu.build-id "$program" "$TEST_TMP/note"
old_id=$(prop BuildId | cut -d '"' -f 2)
like "$old_id" '^[0-9a-f]{40}$' "the running hub says its build id"
last=5a
[ "${old_id: -2}" != 5a ] || last=a5
head -c -1 "$TEST_TMP/note" >"$TEST_TMP/note.new"
printf '%b' "\\x$last" >>"$TEST_TMP/note.new"
objcopy --update-section ".note.gnu.build-id=$TEST_TMP/note.new" "$program" "$TEST_TMP/sendense-hub"
ok "replace the hub's file" lab copy-in hub "$TEST_TMP/sendense-hub" "$target"

out=$(hub sendensectl version 2>&1)
rc=$?
ok "sendensectl version ends with a failure" test "$rc" -ne 0
like "$out" "sendense-hub" "it names the program"
like "$out" "systemctl restart sendense-hub" "it names the remedy"
diag "$out"
ok "the remedy" hub systemctl restart sendense-hub
ok "helps" hub sendensectl version
is "$(prop BuildId)" "s \"${old_id%??}$last\"" "the hub runs the new file"

# A hub that hangs cannot be compared, and that is not "all is well".
hub systemctl kill -s STOP sendense-hub
out=$(hub timeout 60 sendensectl version 2>&1)
rc=$?
is "$rc" 3 "with a hub that hangs, sendensectl version ends with 3"
like "$out" "DIFFERS sendense-hub: gave no answer" "and says why"
hub systemctl kill -s CONT sendense-hub

# Settings are checked as the hub will read them: root's private file is none of them.
in_hub 'umask 077; mkdir -p /etc/sendense/hub.conf.d; printf "[Hub]\nLogLevel=info\n" >/etc/sendense/hub.conf.d/private.conf'
out=$(hub sendensectl config check 2>&1)
is "$?" 78 "root's config check refuses a file that the hub cannot read"
like "$out" "hub.conf.d/private.conf: cannot be read: Permission denied" "and names it"
ok "the hub's own check of that file by name is root's business" hub sendensectl config check /etc/sendense/hub.conf.d/private.conf
hub chmod 644 /etc/sendense/hub.conf.d/private.conf
ok "readable, it is good" hub sendensectl config check
in_hub 'mkdir -p /etc/sendense/node.conf.d; printf "[Copy]\nTransport=pigeon\n" >/etc/sendense/node.conf.d/wrong.conf'
out=$(hub sendensectl config check --json)
is "$? $(jq -c '[.[].valid]' <<<"$out")" '78 [true,false]' "the node's settings are checked beside the hub's"
in_hub 'umask 077; printf "[Node]\n" >/etc/sendense/node.conf.d/wrong.conf; chmod 600 /etc/sendense/node.conf.d/wrong.conf'
like "$(hub sendensectl config check --node 2>&1)" "node.conf.d/wrong.conf: cannot be read: Permission denied" "and as the node will read them"

done_testing
