# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # its variables are read by those who source it
#
# For the tests of the runner: makes fake suites below TEST_TMP and runs tests/run on them.
# Sourced by the scripts of this folder after tap.sh.

fakes=$TEST_TMP/suites

# fake_suite NAME [LINE...]: a suite with further suite.conf lines.
fake_suite() {
    mkdir -p "$fakes/$1"
    printf '%s\n' "description=\"fake $1\"" default=yes build=none limit_sec=20 "${@:2}" >"$fakes/$1/suite.conf"
}

# fake_test SUITE/NAME: a test whose script is read from stdin.
fake_test() {
    { echo '#!/bin/bash' && cat; } >"$fakes/$1"
    chmod +x "$fakes/$1"
}

# fake_run OPTION...: runs the fakes; sets out, err, last (the last line) and status.
fake_run() {
    "$SENDENSE_SRC/tests/run" --tests-dir "$fakes" --no-install --grace-sec 1 "$@" \
        >"$TEST_TMP/run.out" 2>"$TEST_TMP/run.err" <&-
    status=$?
    out=$(<"$TEST_TMP/run.out")
    err=$(<"$TEST_TMP/run.err")
    last=${out##*$'\n'}
}

fake_forget() { rm -rf "$fakes"; }
