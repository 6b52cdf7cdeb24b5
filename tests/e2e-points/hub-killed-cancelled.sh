#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at each of its fault points in a whole backup that is cancelled.
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/e2e/e2e.bash"
. "$(dirname "$0")/points.bash"

hub_killed cancelled
done_testing
