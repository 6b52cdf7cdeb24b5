#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whole backups on the hub alone: a VM with two disks that both say unit 0 gets two of everything, chains read back,
# what the hub says of its exports is true, and disks that do not fit their sources are refused before a byte is written.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

# One of its VMs is far larger than what is in it.
fault_up '[Repositories]
FirstFullPercent=0'
vm twins 16 8

backup twins --type=full
first=$(job .BackupId)
is "$(job '[.Disks[].Key] | sort | map(tostring) | join(" ")')" "2000 2001" "two disks of the same unit number keep their keys"
is "$(job '[.Disks[].File] | unique | length')" 2 "and have two files"
is "$(job '[.Disks[].State] | unique | join(" ")')" completed "both are completed"
change twins
backup twins
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "the next one is an incremental of both"
second=$(job .BackupId)
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'cd "$1" && for key in 2000 2001; do
        qemu-img info --output=json "$3/$key/$2.qcow2" | jq -r ".\"backing-filename\""
    done' "$fault_repo" "$second" "$(uuid_of twins)" | sort -u)" "$first.qcow2" "its layers name those of the first, by a relative link"
unharmed "two backups"

# What it says of its exports while they run.
change twins
hold twins
start twins || fail "a third backup starts" "$ANSWER"
ok "the third backup copies" wait_state copying
ports=$(hub sendensectl port list --json)
is "$(jq '[.[].Port] | unique | length' <<<"$ports")" 2 "two ports are leased"
is "$(jq '[.[].ExportName] | unique | length' <<<"$ports")" 2 "for two exports"
while IFS=$'\t' read -r key pid name; do
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'readlink "/proc/$1/exe"; tr "\0" " " <"/proc/$1/cmdline"; echo
        grep -E "^(NoNewPrivs|Seccomp|CapEff|CapBnd):" "/proc/$1/status" | tr -s "\t" " "
        sed -n "3,\$s/:.*//p" "/proc/$1/net/dev"
        ls -l "/proc/$1/fd" | grep -o "$2/.*"
        nsenter -t "$1" -m bash -c ": >$2/x; : >/var/lib/sendense/x; : >/etc/x; : >/run/sendense/units/x" 2>&1' \
        "$pid" "$fault_repo" >"$TEST_TMP/export"
    image=$fault_repo/$(uuid_of twins)/$key/$(job .BackupId).qcow2
    like "$(sed -n 1p "$TEST_TMP/export")" '/qemu-nbd$' "disk $key: the process $pid of the API is a living qemu-nbd"
    like "$(sed -n 2p "$TEST_TMP/export")" " -x $name .*$image\.partial *\$" "of that very image, by that name"
    like "$(cat "$TEST_TMP/export")" "^$image\.partial\$" "which it has open"
    is "$(unit "sendense-export-$JOB-$key.service" MainPID)" "$pid" "it is the unit's"
    like "$(unit "sendense-export-$JOB-$key.service" LogExtraFields)" "SENDENSE_JOB=$JOB " "whose words belong to the job"
    is "$(grep -E '^(Cap|NoNew|Sec)' "$TEST_TMP/export" | sort | tr '\n' ',')" \
        "CapBnd: 0000000000000000,CapEff: 0000000000000000,NoNewPrivs: 1,Seccomp: 2," "without any power"
    is "$(grep -cE '^ *(lo|host0|eth0)$' "$TEST_TMP/export")" 1 "no network but a loopback of its own"
    is "$(grep -c 'Read-only file system$' "$TEST_TMP/export")" 4 "and nothing else to write to, not even for root"
    is "$(unit "sendense-export-$JOB-$key.service" MemoryMax)" $((512 << 20)) "within its memory"
done < <(jq -r '.[] | [.DiskKey, .ProcessId, .ExportName] | @tsv' <<<"$ports")
is "$(job '[.Disks[] | "\(.Key) \(.Port) \(.ProcessId)"] | sort | join(",")')" \
    "$(jq -r '[.[] | "\(.DiskKey) \(.Port) \(.ProcessId)"] | sort | join(",")' <<<"$ports")" "the job says the same of its disks"
# What its object says of itself. To accept a change: SENDENSE_GOLDEN_UPDATE=1 tests/run fault/whole-backup, and review the diff.
golden=$SENDENSE_SRC/tests/bus/golden/com.sendense.Hub1.Job.xml
hub busctl --xml-interface introspect "$HUB_NAME" "$HUB_PATH/job/$JOB" >"$TEST_TMP/job.xml"
ours=$(xmllint --xpath '//interface[starts-with(@name,"com.sendense.")]' "$TEST_TMP/job.xml")
[ -z "${SENDENSE_GOLDEN_UPDATE:-}" ] || printf '%s\n' "$ours" >"$golden"
is "$(diff "$golden" <(printf '%s\n' "$ours") 2>&1)" '' "the interface of a job is the golden one"
is "$(sed -n '/^### com.sendense.Hub1.Job/,/^### /s/^| \([A-Z][A-Za-z]*\) | `\([^`]*\)` | \([a-z-]*\) .*/\1 \2 \3/p' \
    "$SENDENSE_SRC/docs/API_REFERENCE.md" | sort)" \
    "$(awk -F'"' '/<property / { property = $2 " " $4 }
        /EmitsChangedSignal/ { property = property " " $4; said = 1 }
        /<\/property>|<property .*\/>/ { print property (said ? "" : " emits-change"); said = 0 }' <<<"$ours" | sort)" \
    "and the API reference has its properties"
is "$(hub sendensectl obligation list --json | jq -r '[.[].State] | join(" ")')" "running running" "what it will undo at its end is marked so"
is "$(hub sendensectl obligation list | head -n 1)" "Nothing is to be undone." "and nobody has to care"
release twins
finish_backup twins
is "$(hub sendensectl port list --json | jq length)" 0 "after it no port is leased"

# Its whole story stands in the journal under its number, and in its history.
hub journalctl --quiet --sync
lab journal hub --quiet -o json "SENDENSE_JOB=$JOB" >"$TEST_TMP/story"
said() { jq -r --arg id "$(message_id "$1")" 'select(.MESSAGE_ID == $id) | .MESSAGE' "$TEST_TMP/story"; }
changes="queued>preparing preparing>exporting exporting>copying copying>finishing finishing>completed"
like "$(said job-created)" "^Job $JOB backs up twins .*, asked for by uid:0\$" "the journal of the job: who asked for what"
is "$(said job-state | sed -nE 's/.*: (.*), was (.*)/\2>\1/p' | paste -sd' ')" "$changes" "each state in its order"
is "$(said backup-committed)" "Backup $(job .BackupId) of twins is committed" "its commit record"
like "$(said job-ended)" "^Job $JOB of twins is completed" "and its end"
is "$(job '[.Events[] | select(.From != .To) | "\(.From // "")>\(.To)"] | join(" ")')" ">queued $changes" "its history: from where to where"
is "$(job '[.Events[].Principal] | [first, (.[1:] | unique | join(","))] | join(" ")')" "uid:0 hub" "who"
is "$(job '[.Events[].Reason | select(length < 5)] | length')" 0 "why"
is "$(job '([.Events[].AtUSec] | . == sort) and .Events[0].AtUSec == .CreatedUSec and .Events[-1].AtUSec <= .FinishedUSec + 1000000')" true "when"

# A disk that is left out.
fault_keys[twins]=2000
change twins
backup twins --exclude='2001=scratch space'
is "$(job '.Disks[] | select(.Key == 2001) | "\(.State): \(.Reason)"')" "excluded: scratch space" "an excluded disk is one with its reason"
is "$(hub jq -c '[.disks[].disk_key, (.excluded[] | .disk_key, .reason)]' \
    "$fault_repo/$(uuid_of twins)/backups/$(job .BackupId).json")" '[2000,2001,"scratch space"]' "in the commit record too"
unharmed "a backup without a disk"
fault_keys[twins]="2000 2001"

# Disks and sources that are swapped. The copier is held until the test has a hand on the images.
vm pgtest1 104448:1 5120:1
hub touch /run/hold
hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-import-.service.d/90-hold.conf <<'HOLD'
[Service]
ExecStartPre=sh -c 'while test -e /run/hold; do sleep 0.05; done'
HOLD
hub systemctl daemon-reload
ANSWER=$(hub sendensectl backup start pgtest1 --source='2000=nbd+unix:///?socket=/run/src/pgtest1-2001.sock' \
    --source='2001=nbd+unix:///?socket=/run/src/pgtest1-2000.sock' 2>&1)
JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
ok "a backup with swapped sources comes as far as the copy" wait_state copying
# shellcheck disable=SC2016 # expanded in the machine
ok "the test holds on to its images" in_hub 'for key in 2000 2001; do
        ln "$1/$key/$2.qcow2.partial" "$1/../../held-$key" || exit 1
    done' "$fault_repo/$(uuid_of pgtest1)" "$(job .BackupId)"
hub rm -r /run/hold /run/systemd/system/sendense-import-.service.d
hub systemctl daemon-reload
failed "swapped sources" '^CopyFailed: .*disk 2000 has 109521666048 bytes, but its source 5368709120, as disk 2001 has: are they swapped\?; nothing was written'
for key in 2000 2001; do
    is "$(hub qemu-img map --output=json "/var/lib/sendense/held-$key" | jq '[.[] | select(.data)] | length')" 0 \
        "nothing was written to disk $key"
done
hub sh -c 'rm /var/lib/sendense/held-*'
unharmed "swapped sources"
backup pgtest1
is "$(job '[.Disks[].CapacityBytes] | join(" ")')" "109521666048 5368709120" "the right way round both disks are backed up"
unharmed "a backup of a big disk"

done_testing
