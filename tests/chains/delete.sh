#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Backups are deleted by bus, CLI and HTTP: from the middle, the newest, the oldest; each time all others read back as what they
# were made of, and the next backup is right. A deletion that fails leaves the backup; one that has passed the point of no return
# comes to its end, whatever was decided, also under a hub that was killed.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm web 16 8
ids=()
for n in 0 1 2 3 4 5 6; do
    [ $n -eq 0 ] || change web
    backup web
    ids[n]=$(job .BackupId)
done
folder=$fault_repo/$(uuid_of web)

# tree: N<M of the first disk, by the numbers of the backups.
tree() {
    local text n
    text=$(hub sendensectl backup tree web --json | jq -r '[.[] | select(.Key == 2000) | .BackupId + (if .ParentBackupId then "<" + .ParentBackupId else "" end)] | join(" ")')
    for n in "${!ids[@]}"; do text=${text//${ids[n]}/$n}; done
    printf '%s\n' "$text"
}
# in_order: the files say the same as the database: nothing is wrong, nothing new to learn.
in_order() {
    local said
    said=$(hub sendensectl repository scan 1 --json)
    [ "$(jq '[.Added, (.Problems | length), (.Strays | length)] | tojson' <<<"$said")" = '"[0,0,0]"' ] || { echo "$said"; false; }
}
is "$(tree)" "0 1<0 2<1 3<2 4<3 5<4 6<5" "a chain of seven"
like "$(hub sendensectl backup tree web)" "^2000 +└─ ${ids[1]} +${ids[0]} " "shown to people"

# delete N [OPTION...]: must complete
delete() {
    ok "backup $1 is deleted" hub sendensectl backup delete "${ids[$1]}" --wait "${@:2}" || diag "$(hub journalctl -b --no-pager -n 60)"
    unset "ids[$1]"
}

delete 3
is "$(tree)" "0 1<0 2<1 4<2 5<4 6<5" "the middle one is out of the chain"
unharmed "a deletion in the middle"
ok "and the repository is in order" in_order
JOB=$(hub sendensectl job list --limit=1 --json | jq '.[0].Id')
is "$(job '(.WorkResult | fromjson) as $result | [.Type, .State, $result.outcome, ($result.children | length)] | tojson')" '["delete","completed","deleted",1]' "what came of it stands in its job" ||
    diag "$(job .)"

gone=${ids[6]}
# shellcheck disable=SC2016 # expanded in the machine
ok "the files of the newest one are kept" in_hub 'cd "$1" && find . -name "$2.*" -print0 | tar -cf /var/tmp/gone.tar --null -T -' "$folder" "$gone"
delete 6
ok "and the repository is in order" in_order

# Somebody brings its files back, as a snapshot of the storage does.
ids[6]=$gone
ok "they are there again" hub tar -xpf /var/tmp/gone.tar -C "$folder"
said=$(hub sendensectl repository scan 1 --json)
is "$(jq -c '[.Added, (.Problems | length), (.Strays | length)]' <<<"$said")" '[1,0,0]' "a scan takes it in again" || diag "$said"
is "$(tree)" "0 1<0 2<1 4<2 5<4 6<5" "where it was"
is "$(hub sendensectl backup show "$gone" --json | jq -c '[.DeletedUSec, .Damaged, ([.Disks[].VerifiedUSec] | unique)]')" '[null,false,[null]]' "not deleted, and not verified"
ok "it can be" hub sendensectl backup verify "$gone" --wait
unharmed "one came back"
ok "and the repository is in order, too" in_order
delete 6
change web
backup web
ids[6]=$(job .BackupId)
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "after the newest one was deleted the next is an incremental"
is "$(tree)" "0 1<0 2<1 4<2 5<4 6<5" "of the one before it"
unharmed "the newest one was deleted, and another made"

delete 0
is "$(tree)" "1 2<1 4<2 5<4 6<5" "the second stands for itself when the first is gone"
unharmed "the oldest one was deleted"
ok "and the repository is in order" in_order

# By HTTP.
curl_hub() { hub curl -sS --unix-socket /run/sendense/hub-api.sock "$@"; }
is "$(curl_hub "http://hub/api/v1/vms/web/chain" | jq '.layers | map(select(.key == 2000)) | length')" 5 "HTTP shows the chain"
said=$(curl_hub -i -X DELETE "http://hub/api/v1/backups/${ids[4]}")
like "$said" '^HTTP/1.1 202' "HTTP: 202"
JOB=$(sed -nE 's|^[Ll]ocation: /api/v1/jobs/([0-9]+).*|\1|p' <<<"$said")
is "$(wait_job)" completed "and its job completes" || diag "$said"
unset "ids[4]"
is "$(tree)" "1 2<1 5<2 6<5" "and it is out of the chain"
like "$(curl_hub -X DELETE "http://hub/api/v1/backups/backup-web-1?force=maybe")" 'query force.*InvalidArgument' "a force that is none"
like "$(curl_hub -X DELETE "http://hub/api/v1/backups/backup-web-1")" 'NotFound' "a backup that is not there"
hub systemctl stop sendense-hub-api.service

# begun N: starts a deletion that nobody waits for; sets JOB
begun() {
    ANSWER=$(hub sendensectl backup delete "${ids[$1]}" 2>&1)
    JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
    [ -n "$JOB" ] || fail "a deletion begins" "$ANSWER"
}
# Somebody else holds the VM's folder: a deletion can neither go on nor be undone.
hold_folder() {
    # shellcheck disable=SC2016 # expanded in the machine
    hub systemd-run -q --unit=holder -p Type=exec flock "$folder" sleep infinity
    # shellcheck disable=SC2016
    in_hub 'until ! flock -n "$1" true; do sleep 0.05; done' "$folder"
}
release_folder() { hub systemctl stop holder; }
waits_to_be_undone() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $4))
        until [ "$(busctl get-property "$1" "$2" "$1.Job" Phase 2>&1)" = "s \"$3\"" ]; do
            [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1
            sleep 0.05
        done' "$HUB_NAME" "$HUB_PATH/job/$JOB" "waits to be undone" "$patience_sec"
}

hold_folder
begun 5
ok "a deletion that fails and cannot be undone waits" waits_to_be_undone || diag "$(job .)"
held=$JOB
start web && fail "no backup starts beside it"
like "$ANSWER" "Job $held " "and is told why"
JOB=$held
release_folder
is "$(wait_job)" failed "it fails when it can"
like "$(job_error)" '^VmBusy: another process changes the backups' "as it began to"
is "$(tree)" "1 2<1 5<2 6<5" "the backup is there"
unharmed "a deletion that failed"

# Past the point of no return: the record has its other name. The hub is killed meanwhile.
hold_folder
hub mv "$folder/backups/${ids[5]}.json" "$folder/backups/${ids[5]}.deleting"
begun 5
ok "one that has passed the point of no return waits, too" waits_to_be_undone || diag "$(job .)"
# As if it could never go on: somebody says so.
owed() { hub sendensectl obligation list --json | jq -r "$1"; }
is "$(owed '[.[] | [.Job, .Kind, .State]] | tojson')" "[[$JOB,\"units\",\"owed\"]]" "it is owed"
ok "it is forgiven" hub sendensectl obligation forgive "$(owed '.[0].Id')"
is "$(wait_job)" failed "its job ends as it would have" || diag "$(job .)"
is "$(job '.Events[-1].Reason')" "forgiven, and not undone, by uid:0" "and tells who it was"
is "$(owed length)" 0 "nothing is owed any more"
like "$(hub sendensectl backup show "${ids[5]}" --json | jq -c .Problems)" 'its deletion was begun, and given up by hand' "nobody takes the backup for a sound one"
begun 5
ok "and it can be asked for again" waits_to_be_undone || diag "$(job .)"
hub systemctl kill -s KILL sendense-hub
hub_ready
release_folder
is "$(wait_job)" completed "and comes to its end: it completes" || diag "$(job .)"
unset "ids[5]"
is "$(tree)" "1 2<1 6<2" "the backup is out of the chain"
unharmed "a deletion that could not be taken back"
ok "and the repository is in order" in_order

# A file that somebody has brought back is not the hub's to change: that is told only when the layers are merged.
image=$folder/2000/${ids[1]}.qcow2
hub chown root "$image"
begun 1
ok "a deletion that fails past the point of no return waits" waits_to_be_undone || diag "$(job .)"
is "$(hub find "$folder/backups" -name '*.deleting' -printf '%f\n')" "${ids[1]}.deleting" "its record has the other name"
like "$(job_error)" '^RepositoryPermissions: ' "and it says what is in the way"
is "$(owed '[.[] | [.Job, .Kind, .State]] | tojson')" "[[$JOB,\"units\",\"owed\"]]" "it is owed"
hub chown sendense "$image"
is "$(wait_job)" completed "and comes to its end when nothing is in the way" || diag "$(job .)"
unset "ids[1]"
is "$(tree)" "2 6<2" "the backup is out of the chain"
unharmed "a deletion that was held up in the middle"
ok "and the repository is in order" in_order

delete 2
like "$(hub sendensectl backup delete "${ids[6]}" 2>&1)" 'last sound backup' "the last one is not deleted"
is "$(tree)" "6" "it is there"
delete 6 --force
is "$(hub ls "$fault_repo")" "sendense-repository.json" "with force it is, and nothing is left in the repository"
change web
backup web
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" full "the next backup is a full one"
unharmed "all backups were deleted"

# A repository that is away: nothing was begun, so nothing keeps the VM from its backups elsewhere.
hub mv "$fault_repo" "$fault_repo.away"
last=$(hub sendensectl backup list web --json | jq -r '.[0].BackupId')
ANSWER=$(hub sendensectl backup delete "$last" --force 2>&1)
JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
is "$(wait_job)" failed "a deletion in a repository that is away fails" || diag "$ANSWER" "$(job .)"
like "$(job_error)" '^RepositoryMissing: ' "and says so"
hub mv "$fault_repo.away" "$fault_repo"
change web
backup web
done_testing
