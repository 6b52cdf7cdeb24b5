#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The catalog is lost, and the folder of the repository is there: after a scan all that can be done with backups is done with these.
# Then some steps by chance, as the suite walk-long takes many.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/walk/walk.bash"

walk_up 1
for kind in incremental incremental lose verify restore mount "delete ${ids[0]}" incremental prune incremental; do
    # shellcheck disable=SC2086 # words
    step $kind && pass "$kind"
done
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "the chain goes on as if nothing had happened"
walk 3
unharmed "all of it"
done_testing
