#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed before and after each commit of a transaction of a backup of three disks: from the row that makes the
# job to the one that completes it.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-hub
mapfile -t commits < <(grep '^store\.commit\.' <<<"$hits")
ok "there are enough places to die at" test "${#commits[@]}" -ge 16
rounds completed sendense-hub "${commits[@]}"
done_testing
