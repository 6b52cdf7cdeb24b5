#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A test whose server had an accident of its own runs once more, and the accident is told; a test of ours that
# fails does not get a second try, nor does a second accident.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/fake.sh"

export TRIES=$TEST_TMP/tries
fake_suite peer
fake_test peer/once.sh <<'EOF'
echo once >>"$TRIES"
echo 1..1
[ "$(grep -c once "$TRIES")" -eq 1 ] || { echo "ok 1 - fine"; exit 0; }
echo "the peer fell over" >"$TEST_ACCIDENT"
echo "not ok 1 - fine"
exit 1
EOF
fake_test peer/twice.sh <<'EOF'
echo twice >>"$TRIES"
[ ! -e half-made ] || echo "in the folder of the first run" >>"$TRIES"
echo "again" >"$TEST_ACCIDENT"
touch half-made
echo 1..1
echo "not ok 1 - never"
exit 1
EOF
fake_test peer/ours.sh <<'EOF'
echo ours >>"$TRIES"
echo 1..1
echo "not ok 1 - a bug"
exit 1
EOF
fake_run
is "$last" "1 passed, 2 failed, 0 skipped" "counted by the second run"
is "$(sort "$TRIES" | uniq -c | tr -s ' \n' ' ')" " 2 once 1 ours 2 twice " "who got a second try, in a folder of its own"
like "$out" '# this is its second run; in the first:' "the second run is told"
like "$out" '#   the peer fell over' "and why"

# The throw-away MariaDB says so when it ends unasked.
export TEST_ACCIDENT=$TEST_TMP/accident
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
mariadb_is_gone() { [[ "$(sed 's/.*) //' "/proc/$mariadb_pid/stat" 2>/dev/null)" =~ ^(Z|$) ]]; }
mariadb_start "$TEST_TMP/db" && kill -SEGV "$mariadb_pid"
require "MariaDB crashes" eventually 30 mariadb_is_gone
mariadb_kill
ok "that is an accident" grep -q 'mariadbd had ended by itself' "$TEST_ACCIDENT"
ok "told with its last words" grep -q 'signal 11' "$TEST_ACCIDENT"
rm -f "$TEST_ACCIDENT"
mariadb_start "$TEST_TMP/db" && mariadb_kill
mariadb_start "$TEST_TMP/db" && mariadb_stop
ok "an end that the test asked for is none" [ ! -e "$TEST_ACCIDENT" ]
done_testing
