#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a newcomer does: a clean clone on a Debian that has none of our packages, then the two commands of
# the README, without a terminal and without systemd as PID 1. It clones the last commit, not the work tree.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

[ "$EUID" -eq 0 ] || skip_all "a bare machine takes root"
[ "$(stat -fc %T /)" != overlayfs ] ||
    skip_all "a lab in a bare machine is an overlay on an overlay, and this root file system is one already"
export LAB_BARE_DIR=$TEST_TMP/bare
mkdir "$LAB_BARE_DIR" "$TEST_TMP/out"

# shellcheck disable=SC2016 # for the shell inside
lab bare --bind "$SENDENSE_SRC:/source" --bind "$TEST_TMP/out:/out" bash -c '
    cd /var/tmp || exit
    [ -z "$(command -v gcc meson mariadbd qemu-nbd nbdkit go shellcheck)" ]
    echo $? >/out/bare
    git -c safe.directory="*" clone -q /source sendense && cd sendense || exit
    ./deploy/quickstart >/out/quickstart 2>&1
    echo $? >/out/quickstart.status
    ./tests/run >/out/run 2>&1
    echo $? >/out/run.status' </dev/null
is $? 0 "the machine did what it was told"
is "$(cat "$TEST_TMP/out/bare")" 0 "it had none of our packages"
is "$(cat "$TEST_TMP/out/quickstart.status")" 0 "deploy/quickstart ends well"
[ "$(cat "$TEST_TMP/out/quickstart.status")" = 0 ] || diag "$(tail -n 40 "$TEST_TMP/out/quickstart")"
like "$(<"$TEST_TMP/out/quickstart")" "com.sendense.Hub1" "and shows the hub"
is "$(cat "$TEST_TMP/out/run.status")" 0 "tests/run ends well"
[ "$(cat "$TEST_TMP/out/run.status")" = 0 ] || diag "$(grep -B5 -A5 '^not ok' "$TEST_TMP/out/run")"
last=$(tail -n 1 "$TEST_TMP/out/run")
like "$last" "^[1-9][0-9]* passed, 0 failed, [0-9]+ skipped\$" "its last line says so: $last"
diag "$(sed -n '/^# SKIPPED/,/^#$/p; /^# suite /,/^#$/p' "$TEST_TMP/out/run")"
done_testing
