#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-image is killed between any two durable steps of the commit of a three-disk VM, so between its renames too, and
# of the undoing. The hub finds a step that ended without a result: the job is undone, or completes when its record is
# there; files that could not be removed stay an obligation till they are.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-image
# From the first manifest on: what is before belongs to making and checking the images.
mapfile -t commit < <(sed -n '/^small-file\./,$p' <<<"$hits")
ok "the commit passes many points" test "${#commit[@]}" -ge 25
is "$(grep -c '^seal.rename.before:' <<<"$hits")" 3 "it renames three layers"
rounds any sendense-image "${commit[@]}"
hits_of cancelled sendense-image
mapfile -t undo < <(sed -n '/^layers\.unlink\./,$p' <<<"$hits")
ok "the undoing passes many points" test "${#undo[@]}" -ge 10
rounds cancelled sendense-image "${undo[@]}"
done_testing
