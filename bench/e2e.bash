# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # tap_failed and lab_options are e2e.bash's, bench_dir is lib.bash's
#
# Hub, node and vCenter as booted machines for benchmarks of whole backups: source it after bench_start.

packages_ensure build run lab test || exit 2
packages_ensure_names nbdkit libnbd-bin qemu-utils curl jq || exit 2
export SENDENSE_SRC=$bench_src SENDENSE_BUILD=${SENDENSE_BUILD:-$bench_src/build} TEST_TMP=$bench_dir
[ -x "$SENDENSE_BUILD/busd/hub/sendense-hub" ] || bench_die "no build in $SENDENSE_BUILD: ninja -C $SENDENSE_BUILD"

# tests/e2e/e2e.bash boots hub, node and vCenter; it wants the words of TAP.
fail() { bench_die "$*"; }
skip_all() { bench_die "$*"; }
at_end() { bench_at_end+=("$1"); }
diag() { printf '# %s\n' "$@" >&2; }
tap_failed=0
require() { "${@:2}" >"$bench_dir/required" 2>&1 || bench_die "not so: $1: $(tail -n 3 "$bench_dir/required")"; }
eventually() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do [ "$SECONDS" -lt "$end" ] || return 1; done
}
# shellcheck source=tests/e2e/e2e.bash
. "$bench_src/tests/e2e/e2e.bash"
# What a server writes to a tmpfs counts as its memory, which is bounded.
lab_options=--disk
bench_at_end+=('lab_end >/dev/null 2>&1')
