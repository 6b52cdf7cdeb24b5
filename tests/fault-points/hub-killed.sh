#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the first hit of each of its fault points that a backup of three disks passes. Systemd brings it
# back: the job completes, nothing is left, earlier backups are untouched, and the next incremental works. Commits of the
# database worker have a test of their own, and so have the points of a cancellation.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-hub
mapfile -t first < <(grep -E ':1$' <<<"$hits" | grep -v '^store\.commit\.')
ok "there are enough places to die at" test "${#first[@]}" -ge 25
rounds completed sendense-hub "${first[@]}"
done_testing
