#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at each durable step of a node's removal and of an enrolment: commits, and the writing of both files, each the
# first time.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/bus/private-bus.bash"
. "$SENDENSE_SRC/tests/bus/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
. "$SENDENSE_SRC/tests/bus/nodes.bash"
. "$SENDENSE_SRC/tests/fault-points/node-rounds.bash"

node_rounds store.commit.before store.commit.after small-file.write.before small-file.sync.before small-file.rename.before \
    small-file.rename.after small-file.sync-folder.after node-files.write.before node-files.write.after
done_testing
