# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The network of a lab, all of it in the holder's own network namespace: one bridge, one namespace and one veth per
# machine, addresses set before the boot, so that no machine waits for a network. Faults are made on the bridge's side
# of the veth, out of the machine's reach. There is no way out: the lab's bridge has no uplink.

LAB_NET=10.99.0
LAB_GATEWAY=$LAB_NET.254 # the holder's own address, called "lab" in every machine

network_address() { # INDEX, from 1
    echo "$LAB_NET.$1"
}

network_make() {
    local name i=0
    ip link set lo up || return 1
    ip link add lab0 type bridge || return 1
    ip addr add "$LAB_GATEWAY/24" dev lab0 || return 1
    ip link set lab0 up || return 1
    for name in "${LAB_NAMES[@]}"; do
        i=$((i + 1))
        ip netns add "$name" || return 1
        ip link add "v-$name" type veth peer name eth0 netns "$name" || return 1
        ip link set "v-$name" master lab0 up || return 1
        ip -n "$name" -batch - <<-X || return 1
			link set lo up
			addr add $(network_address $i)/24 dev eth0
			link set eth0 up
		X
    done
}

network_hosts() { # the /etc/hosts of machine NAME
    local name i=0
    echo "127.0.0.1 localhost"
    echo "$LAB_GATEWAY lab"
    for name in "${LAB_NAMES[@]}"; do
        i=$((i + 1))
        echo "$(network_address $i) $name"
    done
}
