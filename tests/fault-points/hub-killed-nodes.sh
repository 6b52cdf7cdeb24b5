#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at each durable step of a node's removal and of an enrolment: commits, and the writing of both files. When it
# is back, the files have what the database has, whichever that is, and sessions were looked at.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/bus/private-bus.bash"
. "$SENDENSE_SRC/tests/bus/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
. "$SENDENSE_SRC/tests/bus/nodes.bash"

export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/fault
install -d -m 0777 "$SENDENSE_FAULT_POINT_DIR"
nodes_ready

instruct() { # POINT
    printf '%s\n' "$1" >"$SENDENSE_FAULT_POINT_DIR/.new"
    chmod 666 "$SENDENSE_FAULT_POINT_DIR/.new"
    mv "$SENDENSE_FAULT_POINT_DIR/.new" "$SENDENSE_FAULT_POINT_DIR/fault-point"
}

# What the database lets in, and what the files do.
wanted() {
    rows "SELECT CONCAT('key ', name, ' ', public_key) FROM nodes WHERE public_key IS NOT NULL;
          SELECT CONCAT('token ', name, ' ', token_key) FROM nodes WHERE token_key IS NOT NULL" | sort
}
written() {
    {
        lines "$SENDENSE_NODES_FOLDER/keys" | sed -E 's/^([^ ]+) [^ ]+/key \1/'
        lines "$SENDENSE_NODES_FOLDER/tokens" | sed -E 's/^([^ ]+) [^ ]+/token \1/'
    } | sort
}
agree() { [ "$(wanted)" = "$(written)" ]; }

number=1
# dies NAME POINT CALL...: the hub is killed there while it answers; then all is mended.
dies() {
    local name=$1 point=$2 before
    shift 2
    rm -f "$SENDENSE_FAULT_POINT_DIR/fault-point.fired"
    instruct "$point"
    "$@"
    ok "$name: killed at $point" eventually 10 test -e "$SENDENSE_FAULT_POINT_DIR/fault-point.fired"
    wait "$hub_pid" 2>/dev/null
    ok "$name: both files are whole" bash -c '! grep -vE "^(#.*|[a-z0-9-]+ [0-9]+ ssh-ed25519 [A-Za-z0-9+/]{68})$" "$1/keys" "$1/tokens"' _ "$SENDENSE_NODES_FOLDER"
    before=$(swept)
    nodes_hub
    ok "$name: back, the files have what the database has" eventually 15 agree || diag "$(wanted)" "$(written)"
    ok "$name: and sessions are looked at" eventually 15 swept_is $((before + 1))
}

points=()
for point in store.commit.before store.commit.after small-file.write.before small-file.sync.before small-file.rename.before \
    small-file.rename.after small-file.sync-folder.after; do
    points+=("$point" "$point:2")
done
points+=(node-files.write.before node-files.write.after)

for point in "${points[@]}"; do
    add edge 1
    enrol 1 $((10 + number))
    is "$(keys)" "edge:$((10 + number))" "removal: a node is there"
    dies "removal" "$point" remove edge
    [ "$(nodes)" = '' ] || remove edge
    is "$(nodes)$(written)" '' "removal: at the end nobody is left"

    add edge 1
    is "$(tokens)" edge:1 "enrolment: a node waits"
    dies "enrolment" "$point" enrol 1 $((10 + number))
    enrol 1 $((10 + number))
    like "$answer" "^\('edge', uint16 9081," "enrolment: asked again, it is done"
    is "$(keys)" "edge:$((10 + number))" "enrolment: with its key"
    remove edge
    number=$((number + 1))
done
done_testing
