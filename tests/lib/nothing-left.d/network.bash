# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Probes of who listens: TCP ports of exports and reverse forwards, unix sockets below /run/sendense. The tunnel, its
# sshd and the APIs listen for as long as they run; whatever else does is of a job, or in its way.

STANDING_LISTENERS=' sendense-tunnel.socket sendense-tunnel.service sendense-sshd.service sendense-hub-api.socket
    sendense-hub-api.service sendense-node-api.socket sendense-node-api.service '

# listener_owner INODE ADDRESS: sets REPLY to "who|unit". A socket that PID 1 holds belongs to its .socket unit.
listener_owner() {
    local path pid unit address
    path=$(find /proc/[0-9]*/fd -mindepth 1 -maxdepth 1 -lname "socket:\[$1\]" -print 2>/dev/null |
        sort -t/ -k3,3nr | head -n 1)
    REPLY="nobody that can be seen|"
    [ -n "$path" ] || return 0
    pid=${path#/proc/}
    pid=${pid%%/*}
    if [ "$pid" = 1 ]; then
        unit=$(timeout 10 systemctl list-sockets --all --full --plain --no-legend --no-pager 2>/dev/null |
            awk -v address="$2" '$1 == address { print $2 }' | head -n 1)
        REPLY="${unit:-systemd}|$unit"
        return
    fi
    unit_of "$pid"
    unit=$REPLY
    process_name "$pid"
    REPLY="$REPLY${unit:+ of $unit}|$unit"
}

# port_ranges: fills RANGES from the options or from hub.conf.
port_ranges() {
    local range
    RANGES=("${PLACE_PORTS[@]}")
    if [ ${#RANGES[@]} -eq 0 ]; then
        RANGES=("$(setting Exports Ports 10100-10200)" "$(setting Tunnel ReversePorts 9081-9180)")
    fi
    for range in "${RANGES[@]}"; do
        [[ $range =~ ^[0-9]+-[0-9]+$ ]] || {
            cannot "'$range' in $PLACE_CONFIG is no range of ports"
            return 1
        }
    done
}

# tcp_address HEX:PORT: sets REPLY to the address as systemd prints it.
tcp_address() {
    local hex=${1%:*} port=$((16#${1#*:}))
    case $hex in
    ????????) REPLY="$((16#${hex:6:2})).$((16#${hex:4:2})).$((16#${hex:2:2})).$((16#${hex:0:2})):$port" ;;
    00000000000000000000000000000000) REPLY="[::]:$port" ;;
    00000000000000000000000001000000) REPLY="[::1]:$port" ;;
    *) REPLY="[$hex]:$port" ;;
    esac
}

look_listeners() {
    local local_address state inode port range address
    port_ranges || return 0
    [ -r /proc/net/tcp ] || {
        cannot "/proc/net/tcp cannot be read"
        return 0
    }
    while read -r _ local_address _ state _ _ _ _ _ inode _; do
        [ "$state" = 0A ] || continue
        port=$((16#${local_address##*:}))
        for range in "${RANGES[@]}"; do
            [[ $port -ge ${range%-*} && $port -le ${range#*-} ]] || continue
            tcp_address "$local_address"
            address=$REPLY
            listener_owner "$inode" "$address"
            [[ -n ${REPLY#*|} && $STANDING_LISTENERS =~ [[:space:]]"${REPLY#*|}"[[:space:]] ]] ||
                leftover "${REPLY%|*} listens on $address" "ss -ltnp sport = :$port"
            break
        done
    done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}

look_sockets() {
    local file inode
    [ -r /proc/net/unix ] || {
        cannot "/proc/net/unix cannot be read"
        return 0
    }
    [ -d /run/sendense ] || return 0
    while IFS= read -r file; do
        inode=$(awk -v path="$file" '$8 == path { print $7; exit }' /proc/net/unix)
        if [ -z "$inode" ]; then
            leftover "$file, which nobody listens on" "ls -l $file"
            continue
        fi
        listener_owner "$inode" "$file"
        # A standing service of ours, with its socket unit or without.
        [[ ${REPLY#*|} == sendense-* && ! ${REPLY#*|} =~ ^$JOB_UNIT$ ]] ||
            leftover "$file of ${REPLY%|*}" "ss -xlp src $file"
    done < <(find /run/sendense -type s 2>/dev/null)
}
