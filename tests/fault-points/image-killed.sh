#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-image is killed at the first hit of each of its fault points in the commit of a three-disk VM, and between any two of its
# renames. The hub finds a step that ended without a word and runs it again, which goes on where the one before has stopped. All hits
# are for the suite fault-all.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-image
# From the first manifest on: what is before belongs to making and checking the images.
mapfile -t commit < <(sed -n '/^small-file\./,$p' <<<"$hits" | grep -E ':1$|^seal\.rename\.')
ok "the commit passes many points" test "${#commit[@]}" -ge 12
is "$(printf '%s\n' "${commit[@]}" | grep -c '^seal.rename.before:')" 3 "it renames three layers"
calm_every=8
rounds completed sendense-image "${commit[@]}"
done_testing
