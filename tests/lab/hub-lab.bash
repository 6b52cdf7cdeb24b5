# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of a hub on a booted machine: source it after tap.sh, call hub_lab_up, then hub_is, prop,
# journal_has and friends. One machine called hub, with the project's build, a MariaDB of its own, and
# everything that is enabled by default started by its boot. Called by hub-*.sh.

# shellcheck source=tests/lab/with-lab.bash
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

HUB_NAME=com.sendense.Hub1
HUB_PATH=/com/sendense/Hub1
HUB_MANAGER=com.sendense.Hub1.Manager

# hub_lab_up: boots it; the hub is started by the boot, but its database may come later.
hub_lab_up() {
    [ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"
    command -v mariadbd >/dev/null || skip_all "mariadbd is missing (package mariadb-server)"
    lab_up --names hub --install "$SENDENSE_BUILD" --hook "$SENDENSE_SRC/tests/lab/hub-machine"
}

hub() { on hub "$@"; }

# in_hub SCRIPT [ARG...]: a piece of bash in the machine. Entering costs more than most commands, and what
# measures time must not measure that.
in_hub() { on hub bash -c "$1" in_hub "${@:2}"; }

# How long a test waits for what should happen soon.
patience_sec=60

# prop NAME: the value of one property of the Manager, as busctl prints it: s "ready".
prop() { hub busctl get-property "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" "$1"; }

# unit NAME PROPERTY: one property of a unit, as systemd has it.
unit() { hub systemctl show --value -p "$2" "$1"; }

# wait_prop SECONDS NAME VALUE: asks every 20 ms inside the machine; prints the milliseconds it took.
wait_prop() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub '
        begin=${EPOCHREALTIME/[.,]/}
        until [ "$(timeout 2 busctl get-property "$4" "$5" "$6" "$2" 2>&1)" = "$3" ]; do
            [ $((${EPOCHREALTIME/[.,]/} - begin)) -lt $(($1 * 1000000)) ] || exit 1
            sleep 0.02
        done
        echo $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))' \
        "$1" "$2" "$3" "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER"
}

# hub_ready: the state every test starts from.
hub_ready() {
    require "the hub is ready after the boot" wait_prop "$patience_sec" DatabaseState 's "ready"'
}

# figure NAME MILLISECONDS PROMISED: how long something took that has happened; "" when it never did. A busy
# machine may take longer than the hub promises, so that is told and only what never happens is a failure.
figure() {
    ok "$1" test -n "$2"
    diag "$1: ${2:-not within $patience_sec s} ms, promised $3 ms$([ "${2:-0}" -le "$3" ] || echo ' (OVER)')"
}

# message_id NAME: the id of an event, from the one table that has them.
message_id() {
    tr -d '\n' <"$SENDENSE_SRC/lib/message-id.c" | grep -oP "\"$1\",\s*\"\K[0-9a-f]{32}"
}

# journal_count NAME: how many lines of that event the machine's journal has.
journal_count() {
    hub journalctl --quiet --sync
    lab journal hub --quiet -o cat "MESSAGE_ID=$(message_id "$1")" | wc -l
}
