#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl backup files: which backup a VM's name stands for, and that it is said.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers
answer ListBackups 'aa{sv}' '[{"BackupId": "backup-web-2", "Job": 8, "Vm": "web", "CreatedUSec": 1763702276000000}]'
refuse ListFiles com.sendense.Error.ToolMissing "There is no appliance"
refuse GetFiles com.sendense.Error.ToolMissing "There is no appliance"
run "a VM's name" 1 backup files ls web /etc
like "$(asked ListBackups)" '"vm"; VARIANT "s" \{ STRING "web"; .*"limit"; VARIANT "u" \{ UINT32 1;' "the hub is asked for its newest backup"
like "$(asked ListFiles)" '^s?.*STRING "backup-web-2"; ARRAY "s" \{ STRING "/etc"; ' "of that the files are asked for"
like "$err" '^sendensectl: the newest backup of web is backup-web-2, of 2025-11-21 05:17:56' "and it is said which it is"
is "$out" '' "where it is in nobody's way"
run "the same of files to get" 1 backup files get web /etc --into=/tmp --json
like "$err" 'the newest backup of web is backup-web-2' "says it, too"
run "a backup's id" 1 backup files ls backup-web-1 /etc
like "$(asked ListFiles)" 'STRING "backup-web-1"' "is what it is"
is "$(grep -c newest <<<"$err")" 0 "and nothing is said"
answer ListBackups 'aa{sv}' '[]'
run "a VM without backups" 1 backup files ls web
like "$err" "there is no backup of 'web'" "says so"
done_testing
