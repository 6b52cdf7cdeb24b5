#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the steps of a node's removal and of an enrolment that come twice, each the second time: the second commit and
# the second file. The first are in fault-points/hub-killed-nodes.sh.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/bus/private-bus.bash"
. "$SENDENSE_SRC/tests/bus/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
. "$SENDENSE_SRC/tests/bus/nodes.bash"
. "$SENDENSE_SRC/tests/fault-points/node-rounds.bash"

node_rounds store.commit.before:2 store.commit.after:2 small-file.write.before:2 small-file.sync.before:2 small-file.rename.before:2 \
    small-file.rename.after:2 small-file.sync-folder.after:2
done_testing
