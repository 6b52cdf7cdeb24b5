#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# MariaDB answers and takes no writes for a while, as with a full disk or made read-only. A job that must write then waits, says so
# once with MariaDB's words, and goes on by itself: it is neither failed nor stuck until somebody restarts the hub.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk
backup web --type=full
hub_before=$(unit sendense-hub MainPID)

read_only() { require "MariaDB has read_only=$1" hub mariadb -e "SET GLOBAL read_only = $1"; }
at_end 'hub mariadb -e "SET GLOBAL read_only = 0"'

warnings() {
    hub journalctl --quiet --sync
    lab journal hub --quiet -o cat SENDENSE_JOB="$JOB" MESSAGE_ID="$(message_id database-refuses)"
}
phase_is() { [ "$(hub busctl get-property "$HUB_NAME" "$HUB_PATH/job/$JOB" "$HUB_NAME.Job" Phase)" = "s \"$1\"" ]; }
# met WHAT STATE: the job has met a database that takes no writes, in that state, and has tried again since.
met() {
    ok "$1: the job waits, and says for what" eventually "$patience_sec" phase_is "waits: the database takes no writes"
    is "$(job_state)" "$2" "$1: it is $2 still"
    like "$(warnings)" "^The database does not take what job $JOB must write: MariaDB: .*read-only.* See to its disk" \
        "$1: the journal has MariaDB's words, and what to see to"
    is "$(prop DatabaseState)" 's "ready"' "$1: the database answers all the while"
}
# goes_on WHAT STATE: once the database takes writes again.
goes_on() {
    read_only 0
    is "$(wait_job)" "$2" "$1: the job ends by itself once it may" || diag "$(job_error)"
    is "$(warnings | wc -l)" 1 "$1: it was said once"
    keep web
    unharmed "$1"
}

# While it finishes: what a healthy job has done is not given up.
change web
hold image finish
start web || fail "a backup starts" "$ANSWER"
ok "the step finish waits" eventually "$patience_sec" held image finish
read_only 1
release
met "finishing" finishing
start web
is "$JOB" "" "no other backup starts meanwhile"
like "$ANSWER" 'read-only' "and it is said why, in MariaDB's words"
JOB=$(hub mariadb --skip-column-names --batch sendense -e "SELECT MAX(id) FROM backup_jobs")
goes_on "finishing" completed

# In its last write.
change web
hold image commit
start web || fail "a backup starts" "$ANSWER"
ok "the step commit waits" eventually "$patience_sec" held image commit
read_only 1
release
met "committed" finishing
goes_on "committed" completed

# While it is undone: its end is decided and written, and nothing else would ever look at it again.
change web
start_held web
hold image undo
ok "it is cancelled" hub sendensectl job cancel "$JOB"
ok "the step undo waits" eventually "$patience_sec" held image undo
read_only 1
release
met "undone" copying
goes_on "undone" cancelled
rate web ""

# A cancellation that cannot be written is not promised, and done when it can.
change web
start_held web
read_only 1
answer=$(hub sendensectl job cancel "$JOB" 2>&1)
is "$?" 1 "a cancellation that cannot be written is not promised"
like "$answer" 'The database does not take the cancellation now .*; it is done when it does' "and it is said what becomes of it"
met "cancelled" copying
goes_on "cancelled" cancelled
rate web ""

is "$(unit sendense-hub MainPID)" "$hub_before" "it is the same hub all the while"
change web
backup web
unharmed "all of it"
done_testing
