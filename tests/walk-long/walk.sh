#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A random walk with a fixed seed (WALK_SEED names another, WALK_STEPS another length): after each step every restore point that
# remains reads back as what its VM held then. A failure prints seed and step, and what was done until then.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/walk/walk.bash"

walk_up "${WALK_SEED:-20261122}"
walk "${WALK_STEPS:-200}"
unharmed "the walk"
done_testing
