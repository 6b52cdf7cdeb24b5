#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Hub and node are killed together, at each fault point of the hub in a whole backup.
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/e2e/e2e.bash"
. "$(dirname "$0")/points.bash"

hub_killed committed node
done_testing
