# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it sources, and of the tests that source it
#
# For tests of the node on a booted machine: source it after tap.sh, call node_up. The machine runs sendense-node and its
# HTTP API as installed, VMware's simulator beside them, and qemu-nbd for targets. Everything is asked by curl and busctl.
# With peer=vc the simulator and the targets are on a machine of their own, and outlive the node's.

# shellcheck source=tests/lab/with-lab.bash
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

# The tree may lie where a machine has files of its own (/tmp), so it sees it elsewhere.
simctl_bin=/srv/src/tests/vcenter-sim/simctl
inner_build=/srv/build
patience_sec=60
uuid=
job=0
machine=${machine:-node} # "hub": the hub runs beside the node
peer=${peer:-$machine}
peer_address=127.0.0.1

node() { on "$machine" "$@"; }
in_node() { node bash -c "$1" _ "${@:2}"; }
in_peer() { on "$peer" bash -c "$1" _ "${@:2}"; }
simctl() { on "$peer" env SENDENSE_BUILD="$inner_build" "$simctl_bin" -C /srv/sim "$@"; }

# node_up [SETTINGS [OPTION...]]: the machine, with these lines in node.conf, and the lab's options.
node_up() {
    local settings=${1:-}
    [ $# -eq 0 ] || shift
    command -v go >/dev/null || skip_all "golang-go is not installed: the vCenter peer cannot be built"
    [ -d /usr/share/gocode/src/github.com/vmware/govmomi/simulator ] ||
        skip_all "golang-github-vmware-govmomi-dev is not installed: the vCenter peer cannot be built"
    require "the vCenter peer is built" "$SENDENSE_SRC/tests/vcenter-sim/simctl" build
    cat >"$TEST_TMP/hook" <<X
#!/bin/bash
set -e
install -D -m 644 /dev/stdin "\$2/etc/sendense/node.conf.d/50-test.conf" <<'Y'
[Node]
LogLevel=debug
$settings
Y
[ "\$1" = "$machine" ] || exit 0
systemctl --quiet --root="\$2" enable sendense-node.service sendense-node-api.socket
printf 'd /run/sendense-test 0777 root root\\n' >"\$2/etc/tmpfiles.d/fault.conf"
install -D -m 644 /dev/stdin "\$2/etc/systemd/system/sendense-node.service.d/fault-points.conf" <<'Y'
[Service]
ReadWritePaths=-/run/sendense-test
Y
X
    chmod +x "$TEST_TMP/hook"
    local names=$machine
    [ "$peer" = "$machine" ] || names="$machine $peer"
    lab_up --names "$names" --bind "$SENDENSE_SRC:/srv/src" --bind "$SENDENSE_BUILD:/srv/build" --install "$SENDENSE_BUILD" --hook "$SENDENSE_SRC/tests/lab/hub-machine" --hook "$TEST_TMP/hook" "$@"
    require "the node is ready" eventually "$patience_sec" node systemctl is-active sendense-node.service
    # shellcheck disable=SC2016 # expanded in the machine
    require "a token" in_node 'openssl rand -hex 32 >/srv/token &&
        echo "hub $(/usr/lib/sendense/sendense-node-api --hash-token </srv/token)" >/etc/sendense/node-api.tokens'
}

# vcenter_up [OPTION...]: the simulator, and its VM web01 as the VM of the tests.
vcenter_up() {
    if [ "$peer" != "$machine" ]; then
        peer_address=$(lab names | awk -v name="$peer" '$1 == name { print $2 }')
        set -- "$@" -l "$peer_address:0" -san "$peer_address"
    fi
    require "the vCenter peer starts" on "$peer" env SENDENSE_BUILD="$inner_build" "$simctl_bin" start /srv/sim "$@"
    simctl set task-ms=0 >/dev/null
    url=$(simctl ready url)
    ca=$(simctl ready ca)
    user=$(simctl ready user)
}

# api METHOD PATH [JSON]: "STATUS body" of the node's HTTP API.
api() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_node 'curl -s --max-time 30 -X "$1" -H "Authorization: Bearer $(cat /srv/token)" ${3:+--data-binary @-} \
        -w "\n%{http_code}" "http://127.0.0.1:8081/api/v1/$2" | tac | paste -sd" "' "$1" "$2" "${3:+body}" <<<"${3:-}"
}

# vm_new DISKS: the VM of the test (simctl's words for disks), with its keys in keys and its file for the CA.
vm_new() {
    simctl vm add name=web01 disks="$1" >/dev/null
    uuid=$(simctl vm list | jq -r '.[] | select(.name == "web01") | .instance_uuid')
    mapfile -t keys < <(simctl vm list | jq -r '.[] | select(.name == "web01") | .disks[].key')
    on "$peer" cat "$ca" | node install -m 644 /dev/stdin /etc/sendense/ca.pem
}

# targets_up NAME [PARENT]: an image for each disk, in the hub's shape, served as the hub does; PARENT is the layer below. With targets_tls
# by TLS, with the key that is in /srv/secret/nbd-<disk>, or a new one.
targets_tls=
targets_up() {
    local key port=10100 scheme=nbd:// tls=
    targets={} target_keys={}
    for key in "${keys[@]}"; do
        port=$((port + 1))
        if [ "$targets_tls" ]; then
            scheme=nbds://$1-$key@
            tls="--object tls-creds-psk,id=tls,endpoint=server,dir=/srv/keys-$key --tls-creds tls"
            # shellcheck disable=SC2016 # expanded in the machine
            require "a key for disk $key" in_peer 'umask 077 && mkdir -p "/srv/keys-$2" /srv/secret && cp /usr/share/sendense/dh-params.pem "/srv/keys-$2/" &&
                { [ -e "/srv/secret/nbd-$2" ] || openssl rand -hex 32 >"/srv/secret/nbd-$2"; } &&
                printf "%s-%s:%s\n" "$1" "$2" "$(cat "/srv/secret/nbd-$2")" >"/srv/keys-$2/keys.psk"' "$1" "$key"
            target_keys=$(on "$peer" cat "/srv/secret/nbd-$key" | jq -R -c --argjson t "$target_keys" --arg k "$key" '$t + {($k): .}')
        fi
        # shellcheck disable=SC2016 # expanded in the machine
        require "an image for disk $key" in_peer 'cd /srv && qemu-img create -q -f qcow2 -o cluster_size=1M,extended_l2=on ${4:+-b "$2-$4.qcow2" -F qcow2} "$2-$1.qcow2" ${5:+"$5"} &&
            systemd-run -q --unit="target-$2" -p Restart=on-failure -p RestartSec=100ms -p StartLimitIntervalSec=0 --collect -- \
                qemu-nbd -t --shared=10 -x "$1-$2" -D "\${INVOCATION_ID}" -b "$6" -p "$3" -f qcow2 $7 "/srv/$2-$1.qcow2"' \
            "$1" "$key" "$port" "${2:-}" "$(capacity "$key")" "$peer_address" "$tls"
        targets=$(jq -nc --argjson t "$targets" --arg k "$key" --arg v "$scheme$peer_address:$port/$1-$key" '$t + {($k): $v}')
    done
}
targets_down() {
    local key
    for key in "${keys[@]}"; do on "$peer" systemctl stop "target-$key"; done
}
capacity() { simctl vm list | jq -r --argjson k "$1" '.[] | select(.name == "web01") | .disks[] | select(.key == $k) | .capacity'; }

password() { on "$peer" cat /srv/sim/password; }

# request TYPE [JQ]: the body of a start for the next job, changed by the filter.
request() {
    jq -nc --arg type "$1" --argjson job "$job" --arg uuid "$uuid" --arg user "$user" --argjson targets "$targets" \
        --argjson nbd_keys "${target_keys:-{\}}" --arg password "$(password)" --arg host "$peer_address" --argjson port "$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")" \
        "{job_id: \$job, attempt: 1, vm_name: \"web01\", vm_path: \"DC0/vm/web01\", instance_uuid: \$uuid, vcenter_host: \$host,
        vcenter_port: \$port, vcenter_user: \$user, vcenter_password: \$password, ca_file: \"/etc/sendense/ca.pem\",
        backup_type: \$type, nbd_targets: \$targets} + (if \$nbd_keys == {} then {} else {nbd_keys: \$nbd_keys} end) | ${2:-.}"
}
# backup TYPE [JQ]: starts the next job; what the API answers is in answer.
backup() {
    job=$((job + 1))
    answer=$(api POST backup/start "$(request "$@")")
}
task() { api GET "backup/$job" | cut -d' ' -f2- | jq -r "$1"; }
state_is() { [ "$(task .state)" = "$1" ]; }
release() { api POST "backup/$job/release" "{\"outcome\":\"$1\"}"; }

# same NAME: the images are what the disks were at the last snapshot's moment.
same() {
    local key want
    for key in "${keys[@]}"; do
        want=$(simctl snapshots all=1 | jq -r --argjson k "$key" '[.[] | select(.user | not)][-1].disks[] | select(.key == $k).hash')
        # shellcheck disable=SC2016 # expanded in the machine
        is "$(in_peer 'qemu-img convert -U -f qcow2 -O raw "/srv/$2-$1.qcow2" /srv/back.raw && SENDENSE_BUILD="$3" "$4" hash /srv/back.raw | grep -oE "[0-9a-f]{64}"; rm -f /srv/back.raw' \
            "$1" "$key" "$inner_build" "$simctl_bin")" "$want" "disk $key is what it was at the snapshot's moment"
    done
}

# clean NAME: nothing is left at vCenter, no unit, no file of one.
units_left() { node systemctl list-units --all --plain --no-legend 'sendense-copy-*' 'sendense-vsphere-*' 'sendense-tasks-*.slice'; }
nothing_left() {
    [ "$(simctl left | jq -c '[.sessions, .snapshots, .tasks] | flatten')" = '[]' ] && [ -z "$(units_left)" ] &&
        [ -z "$(node ls /run/sendense-node/units)" ] && nothing_left_at_node
}
# What the one check after every fault says of the machine; the targets on it are the test's own.
nothing_left_at_node() {
    "$SENDENSE_SRC/tests/lib/nothing-left" --machine "$machine" --without vcenter,descriptors,database,repository,listeners,processes
}
clean() { ok "$1: nothing is left" eventually "$patience_sec" nothing_left || diag "$(simctl left)" "$(units_left)" "$(nothing_left_at_node 2>&1)"; }

# no_secret NAME: the password is in no file of ours, and in no line of the journal.
no_secret() {
    # shellcheck disable=SC2016 # expanded in the machine
    is "$(password | in_node 'IFS= read -r word; grep -rlF -e "$word" /var/lib/sendense-node /run/sendense-node /run/systemd/transient /etc/sendense
        journalctl -q --no-pager -o cat | grep -cF -e "$word"')" 0 "$1: the password is in no file and no line of ours"
}

simctl_write() { # KEY OFFSET: the guest writes what comes on stdin
    on "$peer" env SENDENSE_BUILD="$inner_build" "$simctl_bin" -C /srv/sim disk write vm=web01 key="$1" offset="$2" >/dev/null
}
