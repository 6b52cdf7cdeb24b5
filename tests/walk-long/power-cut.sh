#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A random walk with a fixed seed (WALK_SEED names another, WALK_STEPS another length) over a repository whose disk loses what was not
# flushed, with the power cut again and again: after each step every restore point that remains reads back as what its VM held then.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/walk/walk.bash"

walk_lossy "${WALK_SEED:-20261122}"
step cut && pass "the power is cut"
walk "${WALK_STEPS:-40}"
unharmed "the walk" descriptors
done_testing
