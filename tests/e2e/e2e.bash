# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # variables of the rooms it sources, and of the tests that source it
#
# For tests of whole backups on three booted machines: source it after tap.sh, call e2e_up. hub has its database and its sshd, node
# is enrolled and has its tunnel up, vc is a vCenter with the VM pgtest1 of two disks. All of it is typed as an operator would.
machine=node
peer=vc

# shellcheck source=tests/node/node-lab.bash
. "$SENDENSE_SRC/tests/node/node-lab.bash"

hub() { on hub "$@"; }
in_hub() { hub bash -c "$1" _ "${@:2}"; }
ctl() { hub sendensectl "$@"; }

# e2e_up [LINES-OF-HUB.CONF [LINES-OF-NODE.CONF]]; further machines in more_nodes are nodes too: edge2, …; lab_options: of `lab up`.
: "${lab_options=}"
e2e_up() {
    command -v go >/dev/null || skip_all "golang-go is not installed: the vCenter peer cannot be built"
    command -v mariadbd >/dev/null || skip_all "mariadbd is missing (package mariadb-server)"
    [ -x /usr/sbin/sshd ] || skip_all "sshd is missing (package openssh-server)"
    require "the vCenter peer is built" "$SENDENSE_SRC/tests/vcenter-sim/simctl" build
    cat >"$TEST_TMP/hook" <<X
#!/bin/bash
set -e
install -D -m 644 /dev/stdin "\$2/etc/sendense/hub.conf.d/50-test.conf" <<'Y'
[Hub]
LogLevel=debug
[Tunnel]
HealthSec=1s
${1:-}
Y
install -D -m 644 /dev/stdin "\$2/etc/sendense/node.conf.d/60-test.conf" <<'Y'
[Node]
LogLevel=debug
${2:-}
Y
printf 'd /run/sendense-test 0777 root root\\nd /run/sendense-test/other 0777 root root\\n' >"\$2/etc/tmpfiles.d/fault.conf"
for unit in sendense-image-.service sendense-repository-.service; do
    install -D -m 644 /dev/stdin "\$2/etc/systemd/system/\$unit.d/fault-points.conf" <<'Y'
[Service]
ReadWritePaths=-/run/sendense-test
Environment=SENDENSE_FAULT_POINT_DIR=/run/sendense-test/other
Y
done
for unit in sendense-hub sendense-node; do
    install -D -m 644 /dev/stdin "\$2/etc/systemd/system/\$unit.service.d/fault-points.conf" <<'Y'
[Service]
ReadWritePaths=-/run/sendense-test
Y
done
X
    chmod +x "$TEST_TMP/hook"
    # shellcheck disable=SC2086 # words
    lab_up $lab_options --names "hub node ${more_nodes:-} vc" --bind "$SENDENSE_SRC:/srv/src" --bind "$SENDENSE_BUILD:/srv/build" --install "$SENDENSE_BUILD" \
        --hook "$SENDENSE_SRC/tests/lab/hub-machine" --hook "$TEST_TMP/hook"
    require "its sshd starts" hub systemctl --quiet enable --now sendense-sshd.service
    require "the hub is ready" eventually "$patience_sec" in_hub 'sendensectl database probe >/dev/null'
    local name n=0
    for name in node ${more_nodes:-}; do
        n=$((n + 1))
        require "edge$n is enrolled, its tunnel up" node_enroll "edge$n" "$name"
        require "the hub sees it" eventually "$patience_sec" node_answers "edge$n"
    done
}
node_enroll() { # NAME MACHINE
    ctl node add "$1" --hub=hub 2>/dev/null | on "$2" sendense-node enroll - >"$TEST_TMP/enroll" 2>&1 || { diag "$(<"$TEST_TMP/enroll")" && return 1; }
}

# Whoever stands before the node's HTTP API, with options of node-peer.py; what it was asked stands in /srv/asked of the node.
node_peer() {
    # shellcheck disable=SC2016 # expanded in the machine
    require "somebody stands before the node" in_node '
        mkdir -p /etc/systemd/system/sendense-node-api.socket.d
        printf "[Socket]\nListenStream=\nListenStream=127.0.0.1:18081\n" >/etc/systemd/system/sendense-node-api.socket.d/peer.conf
        systemctl daemon-reload && systemctl stop sendense-node-api.socket sendense-node-api.service && systemctl start sendense-node-api.socket &&
            systemd-run -q --unit=node-peer -- /srv/src/tests/e2e/node-peer.py "$@" 8081 18081 /srv/asked' "$@"
    ok "the hub has asked it" eventually "$patience_sec" node grep -qs health /srv/asked
}
node_peer_goes() {
    require "it goes" in_node 'systemctl stop node-peer && rm -r /etc/systemd/system/sendense-node-api.socket.d &&
        systemctl daemon-reload && systemctl restart sendense-node-api.socket'
}

node_answers() { ctl --json node show "$1" | jq -e '.Reachable' >/dev/null; }

# vcenter_with_pgtest1 [DISKS]: the vCenter, its VM, and the hub told of both.
vcenter_with_pgtest1() {
    vcenter_up -empty
    simctl vm add name=pgtest1 disks="${1:-48M:fill=20M,8M:fill=3M}" >/dev/null
    uuid=$(simctl vm list | jq -r '.[] | select(.name == "pgtest1") | .instance_uuid')
    mapfile -t keys < <(simctl vm list | jq -r '.[] | select(.name == "pgtest1") | .disks[].key')
    vcenter_port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")
    require "the vCenter is added" vcenter_add
    require "its VM is discovered" ctl vm discover vc1 pgtest1
}
vcenter_add() {
    password | hub install -m 600 /dev/stdin /root/password &&
        ctl vcenter add vc1 "$peer_address" --port="$vcenter_port" --user="$user" --password-file=/root/password --accept-certificate
}

# backup OPTION...: of pgtest1, followed to its end.
backup() { ctl backup start pgtest1 "$@" --wait >"$TEST_TMP/backup" 2>&1 || { diag "$(tail -n 20 "$TEST_TMP/backup")" && return 1; }; }
last_job() { ctl --json job list | jq '.[0].Id'; }
job_field() { ctl --json job show "$1" | jq -r ".$2"; } # JOB JQ
job_is() { [ "$(job_field "$1" State)" = "$2" ]; }      # JOB STATE

# is_the_vm NAME JOB: the images of the job are what the disks were when its snapshot was taken.
was_at_snapshot() { # JOB KEY
    simctl snapshots all=1 | jq -r --arg n "-$1-[0-9]+\$" --argjson k "$2" '[.[] | select(.name | test($n))][-1].disks[] | select(.key == $k).hash'
}
read_back_all() { # JOB: "KEY HASH" of each of its images; entering the machine for each of them costs more than reading it
    # shellcheck disable=SC2016 # expanded in the machine
    ctl --json job show "$1" | jq -r '.Disks[] | "\(.Key) \(.File)"' | in_hub 'while read -r key file; do
        [ -e "$1/$file" ] || continue # one that was left out
        qemu-img convert -f qcow2 -O raw "$1/$file" /srv/back.raw </dev/null &&
            echo "$key $(SENDENSE_BUILD="$2" "$3" hash /srv/back.raw </dev/null | grep -oE "[0-9a-f]{64}")"
        rm -f /srv/back.raw
    done' "${repository:-/var/lib/sendense/repository}" "$inner_build" "$simctl_bin"
}
read_back() { read_back_all "$1" | sed -n "s/^$2 //p"; } # JOB KEY
were_at_snapshot() { # JOB: the same of the VM's disks
    simctl snapshots all=1 | jq -r --arg n "-$1-[0-9]+\$" '[.[] | select(.name | test($n))][-1].disks[] | "\(.key) \(.hash)"'
}
is_the_vm() {
    local key back were
    back=$(read_back_all "$2") were=$(were_at_snapshot "$2")
    for key in "${keys[@]}"; do is "$(grep "^$key " <<<"$back")" "$(grep "^$key " <<<"$were")" "$1: disk $key is what it was at the snapshot's moment"; done
    like "$back" ' [0-9a-f]{64}$' "$1: there is something to compare"
}
holds_the_vm() { # JOB: the same as an answer
    local key back were
    back=$(read_back_all "$1") were=$(were_at_snapshot "$1")
    for key in "${keys[@]}"; do
        grep -qE "^$key [0-9a-f]{64}\$" <<<"$back" && [ "$(grep "^$key " <<<"$back")" = "$(grep "^$key " <<<"$were")" ] || return 1
    done
}

# clean NAME: nothing is left at vCenter, at the node, at the hub.
units_left_at() { on "$1" systemctl list-units --all --plain --no-legend 'sendense-copy-*' 'sendense-vsphere-*' 'sendense-tasks-*.slice' 'sendense-export-*' 'sendense-image-*' 'sendense-jobs-*.slice'; }
nothing_left_anywhere() {
    local at_hub=0 at_node=0 pid
    [ "$(simctl left | jq -c '[.sessions, .snapshots, .tasks] | flatten')" = '[]' ] && [ -z "$(units_left_at hub)$(units_left_at node)" ] || return 1
    "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --without vcenter,descriptors >"$TEST_TMP/left-hub" 2>&1 &
    pid=$!
    "$SENDENSE_SRC/tests/lib/nothing-left" --machine node --without vcenter,descriptors,database,repository,listeners,processes >"$TEST_TMP/left-node" 2>&1 || at_node=1
    wait "$pid" || at_hub=1
    [ "$at_hub$at_node" = 00 ]
}
clean() {
    ok "$1: nothing is left" eventually "$patience_sec" nothing_left_anywhere ||
        diag "$(simctl left)" "$(units_left_at hub)" "$(units_left_at node)" "$(cat "$TEST_TMP/left-hub" "$TEST_TMP/left-node")"
}

# guest_writes KEY OFFSET: the VM writes what comes on stdin.
guest_writes() { on vc env SENDENSE_BUILD="$inner_build" "$simctl_bin" -C /srv/sim disk write vm=pgtest1 key="$1" offset="$2" >/dev/null || fail "the guest writes"; }
