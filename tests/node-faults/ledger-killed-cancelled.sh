#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The node is killed before and after each step of each write of its ledger that a cancelled backup passes. Systemd brings it back, the hub
# repeats what was not answered: the backup ends as if nothing had been, with one snapshot taken and none left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/node/node-lab.bash"
. "$(dirname "$0")/ledger-killed.bash"

ledger_killed cancelled
done_testing
