# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The network of a lab, all of it in the holder's own network namespace: one bridge, one namespace and one veth per
# machine, addresses set before the boot, so that no machine waits for a network. Faults are made on the bridge's side
# of the veth, out of the machine's reach. There is no way out: the lab's bridge has no uplink.

LAB_NET=10.99.0
LAB_NET6=fd99: # beside it, by number alone: the names in /etc/hosts are IPv4's
LAB_GATEWAY=$LAB_NET.254 # the holder's own address, called "lab" in every machine

network_address() { # INDEX, from 1
    echo "$LAB_NET.$1"
}

network_make() {
    local name i=0
    [ "$LAB_NETWORK" = own ] || return 0
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
			addr add $LAB_NET6:$i/64 dev eth0 nodad
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

# network_resolve NAME|ADDRESS: prints the address; "lab" is the holder.
network_resolve() {
    local address
    case $1 in
    lab) echo "$LAB_GATEWAY" ;;
    [0-9]*) echo "$1" ;;
    *)
        address=$(verb_names | sed -n "s/^$1 //p")
        [ -n "$address" ] || die "there is no machine '$1'" "remedy: $LAB_SELF names lists them"
        echo "$address"
        ;;
    esac
}

network_link() { # NAME up|down
    need_machine "$1"
    case $2 in
    up | down) nsenter -t "$LAB_HOLDER" -n -- ip link set "v-$1" "$2" ;;
    *) die "link takes up or down, not '$2'" ;;
    esac
}

# network_drop NAME on|off. ARP still passes: behind a real router the next hop would not vanish either, and without it
# the kernel would soon answer "no route to host", which is not silence.
network_drop() {
    need_machine "$1"
    need_tool nft nftables
    case $2 in
    on)
        nsenter -t "$LAB_HOLDER" -n -- nft -f - <<-X
			add table bridge drop-$1
			delete table bridge drop-$1
			table bridge drop-$1 {
			    chain from {
			        type filter hook prerouting priority -300
			        iifname "v-$1" ether type != arp drop
			    }
			    chain to {
			        type filter hook postrouting priority -300
			        oifname "v-$1" ether type != arp drop
			    }
			}
		X
        ;;
    off)
        nsenter -t "$LAB_HOLDER" -n -- nft -f - <<-X
			add table bridge drop-$1
			delete table bridge drop-$1
		X
        ;;
    *) die "drop takes on or off, not '$2'" ;;
    esac
}

# network_proxy: sets REPLY to the compiled delay-proxy: the build's, or one made here and now.
network_proxy() {
    local source=$LAB_HERE/delay-proxy.c
    REPLY=${SENDENSE_BUILD:-$LAB_HERE/../../build}/tests/lab/delay-proxy
    [ ! "$REPLY" -nt "$source" ] || return 0
    REPLY=$LAB_STATE/delay-proxy
    [ ! "$REPLY" -nt "$source" ] || return 0
    need_tool cc gcc
    cc -std=gnu17 -D_GNU_SOURCE -O2 -o "$REPLY" "$source" || die "cannot compile $source"
}

# network_delay MS FROM:PORT TO:PORT | off [FROM:PORT]. The proxy runs in the lab's namespaces and ends with the lab.
network_delay() {
    local from to where report line
    need_holder
    if [ "${1:-}" = off ]; then
        network_delay_off "${2:-}"
        return
    fi
    [ $# -eq 3 ] || die "delay needs MS FROM:PORT TO:PORT, or off" "see $LAB_SELF --help"
    where=${2%:*}
    from=$(network_resolve "$where") && to=$(network_resolve "${3%:*}") || exit 1
    from+=:${2##*:}
    to+=:${3##*:}
    # An address is somebody's; the proxy must run where it lives.
    where=$( (verb_names && echo "lab $LAB_GATEWAY") | sed -n "s/ ${from%:*}\$//p")
    [ -n "$where" ] || die "no machine of this lab has the address ${from%:*}"
    network_proxy
    local command=(nsenter -t "$LAB_HOLDER" -m -p -n --)
    [ "$where" = lab ] || command+=(nsenter "--net=/run/netns/$where" --)
    exec {report}< <(exec setsid "${command[@]}" "$REPLY" "$1" "$from" "$to" </dev/null 2>>"$LAB_STATE/delay.log")
    read -r -t 10 -u "$report" line || line=
    exec {report}<&-
    [[ $line == "ready "* ]] || die "the delay from $from to $to did not start" "$(tail -n 1 "$LAB_STATE/delay.log")"
    mkdir -p "/proc/$LAB_HOLDER/root/run/lab/delay" &&
        echo "${line#ready }" >"/proc/$LAB_HOLDER/root/run/lab/delay/$from"
}

network_delay_off() { # FROM:PORT, '' = all
    local file address='' found=
    [ -z "$1" ] || address=$(network_resolve "${1%:*}"):${1##*:}
    for file in "/proc/$LAB_HOLDER/root/run/lab/delay"/*; do
        [ -e "$file" ] || continue
        [ -z "$address" ] || [ "${file##*/}" = "$address" ] || continue
        nsenter -t "$LAB_HOLDER" -m -p -- kill "$(<"$file")"
        rm -f "$file"
        found=1
    done
    [ -z "$address" ] || [ -n "$found" ] || die "no delay begins at $1"
}
