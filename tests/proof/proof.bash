# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it sources, and of the tests that source it
#
# For proofs of data: source it after tap.sh, call proof_machine first. The node, the vCenter peer and qemu-nbd run on a
# booted machine, and so does the rest of the test that called, because a call into a machine costs more than most of
# what is asked there. What a hub knows of the last good backup is kept here, disk by disk, and each backup is asked for
# as a hub does: one image for each disk, on top of the last good one, and what is known of it in disks[].

# shellcheck source=tests/node/node-lab.bash
. "$SENDENSE_SRC/tests/node/node-lab.bash"

vm=
keys=()
declare -A capacity_of=() uuid_of=() image_of=() known_image=() known_uuid=() known_capacity=() known_id=()
points=() # "IMAGE HASH": what every restore point must be for ever

# proof_machine NAME…: boots a machine, runs the calling test in it with these variables of the environment, and ends with
# it. In the machine: returns.
proof_machine() {
    local inner=/srv/src/${0#"$SENDENSE_SRC/"} name env=()
    if [ -n "${PROOF_INSIDE:-}" ]; then
        tap_n=$PROOF_INSIDE
        on() { shift && "$@"; }
        nothing_left_at_node() { :; } # looks into a lab, and this is inside of it
        return
    fi
    for name; do [ -z "${!name:-}" ] || env+=("$name=${!name}"); done
    node_up
    node env PROOF_INSIDE="$tap_n" SENDENSE_SRC=/srv/src SENDENSE_BUILD="$inner_build" TEST_TMP=/srv "${env[@]}" \
        bash "$inner"
    tap_failed=$?
    tap_finished=1
    exit "$tap_failed"
}

# draw N: a number below N in REPLY. The seed decides all of them; no subshell may draw.
seed=1
draw() {
    seed=$(((seed * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff))
    REPLY=$(((seed >> 33) % $1))
}

# vm_add SIMCTL-WORDS: the machine of the test.
vm_add() {
    local made
    made=$(simctl vm add "$@") || return
    vm=$(jq -r .vm <<<"$made")
    uuid=$(jq -r .instance_uuid <<<"$made")
    install -m 644 "$ca" /etc/sendense/ca.pem
    known_image=() known_uuid=() known_capacity=() known_id=()
    vm_look
}

# vm_look: what discovery would say of its disks now.
vm_look() {
    local key size id
    keys=() capacity_of=() uuid_of=()
    while read -r key size id; do
        keys+=("$key")
        capacity_of[$key]=$size
        uuid_of[$key]=$id
    done < <(simctl vm list | jq -r --arg vm "$vm" '.[] | select(.vm == $vm).disks[] | "\(.key) \(.capacity) \(.uuid)"')
}

is_same_disk() { [ "${known_uuid[$1]:-}" = "${uuid_of[$1]}" ] && [ "${known_capacity[$1]:-}" = "${capacity_of[$1]}" ]; }

# images_new TYPE trusting|knowing: an image for each disk, served as the hub does. It lies on top of the last good one when
# an increment is asked for; of a disk that is another one now a knowing hub asks for a full one, a trusting one does not
# look.
images_new() {
    local key port=10100
    targets={} known=[] image_of=()
    for key in "${keys[@]}"; do
        port=$((port + 1))
        image_of[$key]=/srv/images/$key-$job.qcow2
        local parent=()
        if [ "$1" = incremental ] && [ -n "${known_image[$key]:-}" ] && { [ "$2" = trusting ] || is_same_disk "$key"; }; then
            parent=(-b "${known_image[$key]}" -F qcow2)
            known=$(jq -c --argjson k "$key" --argjson c "${known_capacity[$key]}" --arg u "${known_uuid[$key]}" --arg i "${known_id[$key]}" \
                '. + [{key: $k, capacity_bytes: $c, backing_uuid: $u, change_id: $i}]' <<<"$known")
        fi
        mkdir -p /srv/images
        qemu-img create -q -f qcow2 -o cluster_size=1M,extended_l2=on "${parent[@]}" "${image_of[$key]}" "${capacity_of[$key]}" &&
            systemd-run -q --unit="target-$key" -p Restart=on-failure -p RestartSec=100ms -p StartLimitIntervalSec=0 --collect -- \
                qemu-nbd -t --shared=10 -x "disk-$key" -D '${INVOCATION_ID}' -b 127.0.0.1 -p "$port" -f qcow2 "${image_of[$key]}" || return
        targets=$(jq -nc --argjson t "$targets" --arg k "$key" --arg v "nbd://127.0.0.1:$port/disk-$key" '$t + {($k): $v}')
    done
    for ((key = 10101; key <= port; key++)); do
        eventually "$patience_sec" bash -c "exec 3<>/dev/tcp/127.0.0.1/$key" || return
    done
}
images_close() { systemctl stop "${keys[@]/#/target-}"; }
images_drop() { rm -f -- "${image_of[@]}"; }

# ask TYPE [trusting|knowing [JQ]]: the next backup, its images and its request.
ask() {
    job=$((job + 1))
    images_new "$1" "${2:-knowing}" || return
    moments=$(simctl snapshots all=1 | jq length)
    answer=$(api POST backup/start "$(request "$1" "(.disks = $known) | ${3:-.}")")
}

# is_copied: waits for it, and no longer than until it has failed.
settled() { [[ $(task .state) =~ ^(copied|failed|cancelled|released)$ ]]; }
is_copied() { eventually "$patience_sec" settled && state_is copied; }

# moment JQ: of the snapshot that this backup was made from. The one that begins tracking comes before it.
moment() { simctl snapshots all=1 | jq -r --arg vm "$vm" '[.[] | select(.vm_ref == $vm and (.user | not))][-1].disks[] | '"$1"; }

image_hash() { # IMAGE
    qemu-img convert -U -f qcow2 -O raw "$1" /srv/back.raw &&
        "$inner_build/tests/vcenter-sim/vcenter-sim" -hash /srv/back.raw | grep -oE '[0-9a-f]{64}'
    rm -f /srv/back.raw
}

# wrong_disks: a line for each disk whose image is not what the disk was at the snapshot's moment.
wrong_disks() {
    local key hash n=0
    while read -r key hash; do
        n=$((n + 1))
        [ "$(image_hash "${image_of[$key]}")" = "$hash" ] || echo "disk $key is not what it was at the snapshot's moment"
    done < <(moment '"\(.key) \(.hash)"')
    [ "$n" = "${#keys[@]}" ] || echo "$n disks instead of ${#keys[@]}"
}

# wrong_types: what was read of each disk is what its history allows: changes alone when key, backing and capacity are the
# same and the tracking is the one of the last good backup, everything otherwise, and then with a reason. It asks for
# known to be what the hub said.
wrong_types() { # TASK
    local key id want got before
    while read -r key id; do
        before=$(jq -r --argjson k "$key" '.[] | select(.key == $k).change_id' <<<"$known")
        want=full
        if [ -n "$before" ] && is_same_disk "$key" && [ "${before%/*}" = "${id%/*}" ]; then want=incremental; fi
        got=$(jq -r --argjson k "$key" '.disks[] | select(.key == $k) | "\(.backup_type) \(.change_id) \(.reason // "" | length > 0)"' <<<"$1")
        case $got in
            "$want $id false") [ "$want" = incremental ] || [ "$known" = '[]' ] || echo "disk $key: full, and no reason" ;;
            "full $id true") [ "$want" = full ] || [ -n "${is_doubted:-}" ] || echo "disk $key: full without need" ;;
            *) echo "disk $key: $got instead of $want $id" ;;
        esac
    done < <(moment '"\(.key) \(.change_id)"')
}

# keep: the backup is good: the hub knows it, and its images are restore points.
keep() {
    local key id hash capacity
    while read -r key hash capacity id; do
        known_image[$key]=${image_of[$key]}
        known_uuid[$key]=${uuid_of[$key]}
        known_capacity[$key]=$capacity
        known_id[$key]=$id
        points+=("${image_of[$key]} $hash")
    done < <(moment '"\(.key) \(.hash) \(.capacity) \(.change_id)"')
}

# wrong_points: a line for each restore point that is not its moment (any more).
wrong_points() {
    local image hash
    while read -r image hash; do
        [ "$(image_hash "$image")" = "$hash" ] || echo "$image is not its moment any more"
    done < <(printf '%s\n' "${points[@]}")
}
