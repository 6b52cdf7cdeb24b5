#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A scan adopts a backup of a year ago, as after an archive was brought back. It is in the catalog, and no newer for that: it stands
# below the others in lists, and the VM's name stands for the newest of before.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/walk/walk.bash"

walk_up 11
step incremental && pass "a chain of two"
first=${ids[0]} newest=${ids[1]} old=backup-web-1700000000
# shellcheck disable=SC2016 # expanded in the machine
require "the full is there once more, as of a year ago" in_hub 'cd "$1"/*/ && for disk in 2000 2001; do
        cp -p "$disk/$2.qcow2" "$disk/$3.qcow2" &&
        jq -j --sort-keys --indent 1 --arg id "$3" ".backup_id = \$id" "$disk/$2.json" >"$disk/$3.json" &&
        chmod --reference="$disk/$2.json" "$disk/$3.json" || exit 1
    done &&
    jq -j --sort-keys --indent 1 --arg from "$2" --arg to "$3" --arg a "$(sha256sum 2000/"$3.json" | cut -d" " -f1)" \
        --arg b "$(sha256sum 2001/"$3.json" | cut -d" " -f1)" ".backup_id = \$to | .created_usec = 1700000000000000 |
        .committed_usec = 1700000009000000 | .disks |= map(.file |= sub(\$from; \$to) | .manifest_sha256 = if .disk_key == 2000 then \$a else \$b end)" \
        "backups/$2.json" >"backups/$3.json" && chmod --reference="backups/$2.json" "backups/$3.json" && chown -R --reference=. 2000 2001 backups' \
    "$fault_repo" "$first" "$old"
answer=$(hub sendensectl repository scan 1 --json)
is "$(jq -c '[.Added, .Known, .Problems, .Strays]' <<<"$answer")" '[1,2,[],[]]' "a scan adopts it"
is "$(hub sendensectl backup list web --json | jq -r '[.[].BackupId] | join(" ")')" "$newest $first $old" "in the list it stands below those that are newer"
is "$(hub sendensectl backup list web --limit=1 --json | jq -r '.[].BackupId')" "$newest" "a page of one has the newest"
is "$(hub sendensectl vm show web --json | jq -r .LastBackup)" "$newest" "the last backup of the VM is the one that it was"
hub sendensectl backup files get web /etc/x --into=/srv/out >/dev/null 2>"$TEST_TMP/err"
like "$(<"$TEST_TMP/err")" "^sendensectl: the newest backup of web is $newest, of " "files of the VM are those of its newest backup, and it is named"
is "$(hub sendensectl job list --json | jq -r 'map(select(.Type == "files"))[0].BackupId // "none"')" "$newest" "by the job, too"
begin_backup incremental
is "$(wait_job)" completed "the next backup" || diag "$(job_error)"
is "$(job '[.Disks[].ParentBackupId] | unique | join(" ")')" "$newest" "builds on the newest"
done_testing
