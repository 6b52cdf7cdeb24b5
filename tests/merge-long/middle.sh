#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# delete and its qemu-img are killed together at any moment, as the kernel or a unit's end does it, again and again: every
# backup reads as before each time, and in the end it is deleted.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/../merge/merge.bash"

ROUNDS=20
chain_mixed
# Something to be in the middle of.
backup "$repo" backup-web-1700000400 $d 'write -P 51 0 20M'
backup "$repo" backup-web-1700000500 backup-web-1700000400 'write -P 52 0 5M' 'write -P 53 7M 9M'
keep base
before=$(contents)
start=${EPOCHREALTIME/[.,]/}
image delete "$(spec_delete $b)"
usec=$((${EPOCHREALTIME/[.,]/} - start))
diag "a deletion takes $((usec / 1000)) ms"

# killed_after USEC BACKUP-ID: 1 when it had ended before
killed_after() {
    local pid
    setsid setpriv --reuid=$HUB_UID --regid=$HUB_UID --groups="$EXPORT_GID" "$image_program" delete <<<"$(spec_delete "$2")" \
        >"$TEST_TMP/out" 2>"$TEST_TMP/err" &
    pid=$!
    read -rt "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))" <>"$TEST_TMP/never" || :
    kill -KILL -- "-$pid" 2>/dev/null || kill -KILL $pid 2>/dev/null
    wait $pid
    [ $? -eq 137 ]
}
mkfifo "$TEST_TMP/never"
bad='' n_killed=0
for ((round = 0; round < ROUNDS; round++)); do
    [ $((round % 2)) -eq 0 ] && id=$b || id=backup-web-1700000400
    back base
    want=$(without "$id" <<<"$before")
    # Three kills one after the other, at moments that wander.
    for part in 1 2 3; do
        killed_after $((usec * ((round * 7 + part * 31) % 97) / 97)) "$id" && n_killed=$((n_killed + 1))
        [ "$(contents | without "$id")" = "$want" ] || bad+=$'\n'"round $round, kill $part: a backup reads otherwise"
    done
    image delete "$(spec_delete "$id")" || bad+=$'\n'"round $round: $out"
    [ "$(contents)" = "$want" ] || bad+=$'\n'"round $round: a backup reads otherwise at the end"
    in_order || bad+=$'\n'"round $round: scan"
done
is "$bad" "" "killed $n_killed times in $ROUNDS rounds: every backup reads as before"
is "$(false_digests)" "" "the digests are true at the end"
ok "some kills came in the middle" test $n_killed -ge 5
done_testing
