# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2016 # variables of node-lab.bash; what is in '' is expanded in the machine
#
# For backup.sh: a machine with hub and node in which everything is written down where a password could show. The
# passwords lie in /srv/secret, what was written down in /srv/found.

# shellcheck disable=SC2034 # for node-lab.bash
machine=hub
# shellcheck source=tests/node/node-lab.bash
. "$SENDENSE_SRC/tests/node/node-lab.bash"
# shellcheck disable=SC2034 # for backup.sh
kinds=(cmdline environ processes bus journal database transient cores state run tmp answers)

# password_new NAME: one with everything in it that XML, URLs, JSON and shells mind, and a marker of its own.
password_new() {
    printf '&<>"'\''$ü%s&<>"'\''$ü\n' "Mk$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')" |
        in_node 'umask 077 && mkdir -p /srv/secret && cat >"/srv/secret/$1"' "$1"
}
password_of() { node cat "/srv/secret/$1"; }

# Whoever dies leaves a core dump, if it is up to the limits of its unit.
cores_hook() {
    cat >"$TEST_TMP/cores-hook" <<'X'
#!/bin/bash
set -e
for unit in sendense-copy-.service sendense-vsphere-.service sendense-node.service sendense-node-api.service sendense-hub.service; do
    install -D -m 644 /dev/stdin "$2/etc/systemd/system/$unit.d/90-core.conf" <<'Y'
[Service]
LimitCORE=infinity
WorkingDirectory=/srv/cores
ReadWritePaths=/srv/cores
Y
done
printf '[Tunnel]\nHealthSec=1s\n' | install -D -m 644 /dev/stdin "$2/etc/sendense/hub.conf.d/60-often.conf"
mkdir -p "$2/srv/found/cores" "$2/srv/found/proc"
install -d -m 1777 "$2/srv/cores"
X
    chmod +x "$TEST_TMP/cores-hook"
}

secrets_up() {
    cores_hook
    node_up '' --hook "$TEST_TMP/cores-hook"
    require "the hub has its database" eventually "$patience_sec" in_node \
        '[ "$(busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager DatabaseState)" = "s \"ready\"" ]'
    password_new right
    password_new wrong
    password_new planted
    # Not as a service: nspawn lets nothing in a machine watch files. It ends with the machine.
    node "/srv/build/tests/secrets/exec-watch" /srv/found/proc >"$TEST_TMP/watching" 2>&1 &
    require "each program that starts is looked at" eventually "$patience_sec" grep -q ready "$TEST_TMP/watching"
    require "the whole bus is written down" in_node '
        systemd-run -q --unit=bus-capture -p StandardOutput=file:/srv/found/bus -- busctl --system --size=16777216 capture
        until [ -s /srv/found/bus ]; do systemctl -q is-active bus-capture || exit 1; sleep 0.05; done'
}

# die NAME PID: that process, as by an error of its own; its core dump, if there is one, is kept.
die() {
    diag "$1 dies: process ${2:-none}" >&2
    in_node '[ "${2:-0}" -gt 1 ] || exit 1
        kill -SEGV "$2" && { kill -CONT "$2" 2>/dev/null; tail --pid="$2" -f /dev/null; }
        [ ! -e /srv/cores/core ] || mv /srv/cores/core "/srv/found/cores/$1"' "$@"
}
main_pid() { node systemctl show --value -p MainPID "$1"; }
runs() { [ "$(main_pid "$1")" != 0 ]; }

# processes_now: what every process shows of itself at this moment.
processes_now() {
    in_node 'for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do cat "$f" 2>/dev/null; echo; done >>/srv/found/processes'
}

# say METHOD PATH [BODY]: as api, and what is answered is kept.
say() { api "$@" | in_node 'tee -a /srv/found/answers'; }

# search PASSWORD...: everything that was written down, and our folders.
search() {
    # Of /var/tmp only what our units have there: the rest is the files of the host.
    in_node '/srv/src/tests/lib/secret-search "$@" -- cmdline=/srv/found/proc/cmdline environ=/srv/found/proc/environ \
        processes=/srv/found/processes bus=/srv/found/bus journal=/srv/found/journal journal=/var/log/journal \
        database=/srv/found/database transient=/run/systemd/transient cores=/srv/found/cores cores=/srv/cores \
        state=/var/lib/sendense state=/var/lib/sendense-node state=/etc/sendense run=/run/sendense run=/run/sendense-node \
        tmp=/tmp $(printf "tmp=%s " $(ls -d /var/tmp/systemd-private-*-sendense-*)) answers=/srv/found/answers' \
        "${@/#//srv/secret/}"
}

# collect: what has to be asked for. The journal's files hold long fields compressed.
collect() {
    in_node 'systemctl stop bus-capture && journalctl --sync && journalctl -o export --all >/srv/found/journal &&
        mariadb-dump --all-databases --hex-blob >/srv/found/database'
}

# plant_all: one leak of each kind, of the planted password.
plant_all() {
    in_node 'cat >/srv/careless' <<'X'
word=$(cat "$CREDENTIALS_DIRECTORY/vcenter")
touch /srv/cores/holds
sleep 300
: "$word"
X
    in_node '
        set -e
        word=$(cat /srv/secret/planted)
        /bin/true "$word"
        LEAK=$word /bin/true
        (exec -a "$word" sleep 300) >/dev/null 2>&1 &
        busctl call org.freedesktop.DBus / org.freedesktop.DBus NameHasOwner s "com.sendense.${word//[^A-Za-z0-9]/}" >/dev/null
        { head -c 1500 /dev/zero | tr "\0" " " && echo "$word"; } | systemd-cat
        printf "CREATE TABLE sendense.planted AS SELECT 0x%s AS word\n" "$(od -An -v -tx1 /srv/secret/planted | tr -d " \n")" | mariadb
        systemd-run -q --unit=planted --description="$word" sleep 300
        # A unit of the name of a copy, of a program that takes no care.
        systemd-run -q --unit=sendense-copy-99999 -p LoadCredential=vcenter:/srv/secret/planted -- bash /srv/careless
        until [ -e /srv/cores/holds ]; do sleep 0.05; done
        cp /srv/secret/planted /var/lib/sendense-node/planted
        cp /srv/secret/planted /run/sendense/planted
        cp /srv/secret/planted /tmp/planted
        cat /srv/secret/planted >>/srv/found/answers'
    die careless "$(main_pid sendense-copy-99999)"
    node systemctl stop sendense-copy-99999
    processes_now
}
