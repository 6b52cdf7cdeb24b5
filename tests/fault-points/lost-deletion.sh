#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A deletion has passed its point of no return, the hub dies, and its database is lost with all that it knew of it. A scan of the
# repository brings back every other backup, each can be restored, and the deletion can be asked for again and comes to its end.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
keys="2000 2001 2002"
ids=()
# shellcheck disable=SC2016 # expanded in the machine
require "disks of which a layer can be told to be theirs" in_hub 'jq ".disks |= map(.backing_uuid = \"b\(.key)\")" /srv/vm.json >/srv/told.json &&
    sendensectl vm set /srv/told.json && for id in $(machine-backup backups); do sendensectl backup delete "$id" --force --wait || exit 1; done >/run/emptied.out 2>&1'
chain_is() { # N: so long is the chain of each disk
    is "$(hub sendensectl backup tree small --json | jq '[.[] | select(.ParentBackupId)] | length')" $((($1 - 1) * 3)) "a chain of $1"
}
keep() { # what the newest backup holds
    ids+=("$(backup backups | tail -n 1)")
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'install -d /srv/kept && for key in $2; do cp --sparse=always "/srv/src/$key.raw" "/srv/kept/$1-$key.raw"; done' "${ids[-1]}" "$keys"
}
ok "a full backup" backup start --type=full --wait
keep
for n in 2 3; do
    ok "and an incremental above it" backup again
    keep
done
chain_is 3

restored() { # ID...: which disks of these are not what they were
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for id in "${@:2}"; do
            for key in $1; do
                sendensectl restore disk "$id" "$key" /srv/back.raw --force --wait >/run/restore.out 2>&1 &&
                    qemu-img compare -q -f raw -F raw "/srv/kept/$id-$key.raw" /srv/back.raw || echo "$id, disk $key: $(</run/restore.out)"
            done
        done' "$keys" "$@"
}
scan() { hub sendensectl repository scan 1 --json; }
listed() { hub sendensectl backup list small --json | jq -r '[.[].BackupId] | reverse | join(" ")'; }
lose_database() {
    hub systemctl kill -s KILL sendense-hub 'sendense-delete-*'
    hub systemctl stop sendense-hub
    hub mariadb -e 'DROP DATABASE sendense'
    backup instruct
    hub systemctl restart sendense-migrate
    hub systemctl start sendense-hub
    hub_ready
}

# lost_at POINT: the oldest backup, a full, is deleted, and all is lost there.
lost_at() {
    local doomed=${ids[0]} answer
    local stay=("${ids[@]:1}")
    backup instruct "$1:1:stop" sendense-image
    hub sendensectl backup delete "$doomed" >/dev/null
    require "$1: the deletion has come so far" backup until_true 60 fired sendense-image
    lose_database
    answer=$(scan)
    is "$(jq -c '[.Added, .Strays]' <<<"$answer")" "[${#ids[@]},[]]" "$1: all are adopted by one scan" || diag "$answer"
    is "$(jq -c .Problems <<<"$answer")" "[\"the deletion of $doomed was begun and is not at its end; sendensectl backup delete $doomed ends it\"]" "$1: it says what ends the deletion"
    is "$(listed)" "${ids[*]}" "$1: and listed"
    like "$(hub sendensectl backup show "$doomed" --json | jq -c .Problems)" 'its deletion was begun, and is not at its end; deleting it again ends it' "$1: nobody takes what is deleted for a sound one"
    is "$(restored "${stay[@]}")" "" "$1: every other one is restored"
    # Nothing builds on it any more by the last of the records.
    hub sendensectl backup verify "${ids[-1]}" --wait >"$TEST_TMP/out" 2>&1
    [ "$1" = delete.record.after ] ||
        like "$(<"$TEST_TMP/out")" "the deletion of $doomed has begun and not ended; delete it again, then verify" "$1: a verification says it, too"
    ok "$1: the deletion comes to its end" hub sendensectl backup delete "$doomed" --wait
    is "$(scan | jq -c '[.Added, .Problems, .Strays]')" '[0,[],[]]' "$1: the catalog is what the records say"
    is "$(listed)" "${stay[*]}" "$1: the others are there"
    is "$(hub sendensectl backup list small --json | jq '[.[] | select(.Damaged)] | length')" 0 "$1: and nothing is said against them"
    ok "$1: they are read back" hub sendensectl backup verify "${ids[-1]}" --wait
    is "$(restored "${stay[@]}")" "" "$1: each is restored again"
    ids=("${stay[@]}")
    ok "$1: the next backup goes on above them" backup again
    keep
    chain_is 3
}
lost_at delete.mark.after
lost_at merge.manifest.after
lost_at delete.record.after
ok "nothing is left" nothing_left
done_testing
