#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-image is killed between any two durable steps of the commit of a three-disk VM, so between its renames too. The
# hub finds a step that ended without a word and runs it again, which goes on where the one before has stopped.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-image
# From the first manifest on: what is before belongs to making and checking the images.
mapfile -t commit < <(sed -n '/^small-file\./,$p' <<<"$hits")
ok "the commit passes many points" test "${#commit[@]}" -ge 25
is "$(grep -c '^seal.rename.before:' <<<"$hits")" 3 "it renames three layers"
rounds completed sendense-image "${commit[@]}"
done_testing
