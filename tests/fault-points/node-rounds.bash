# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154 # variables of the rooms it is sourced after
#
# Rounds of "a node's removal, or its enrolment, in which the hub is killed": source it after the rooms that hub-killed-nodes.sh
# names, call node_rounds. When the hub is back, the files have what the database has, whichever that is, and sessions were looked at.

export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/fault

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
    ok "$name: killed at $point" eventually 30 test -e "$SENDENSE_FAULT_POINT_DIR/fault-point.fired"
    wait "$hub_pid" 2>/dev/null
    ok "$name: both files are whole" bash -c '! grep -vE "^(#.*|[a-z0-9-]+ [0-9]+ ssh-ed25519 [A-Za-z0-9+/]{68})$" "$1/keys" "$1/tokens"' _ "$SENDENSE_NODES_FOLDER"
    before=$(swept)
    nodes_hub
    ok "$name: back, the files have what the database has" eventually 30 agree || diag "$(wanted)" "$(written)"
    ok "$name: and sessions are looked at" eventually 30 swept_is $((before + 1))
}

# node_rounds POINT...: at each once in a node's removal, and once in an enrolment.
node_rounds() {
    local point
    install -d -m 0777 "$SENDENSE_FAULT_POINT_DIR"
    nodes_ready
    for point; do
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
}
