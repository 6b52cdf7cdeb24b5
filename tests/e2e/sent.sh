#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the node has read is what the hub seals: sums made at the source are held against the image. A byte that changes between the
# copy and the check is found, of a full, and of a piece of an increment that is much smaller than a block.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up '[Jobs]
Retries=0
NodeLostSec=10s'
vcenter_with_pgtest1 16M:fill=6M,16M:fill=3M

told() { in_hub 'journalctl -q --sync; journalctl -q -o cat SENDENSE_JOB="$1" | grep -E "$2"' "$1" "$2"; }
sums_of() { in_hub 'ls /var/lib/sendense/sent 2>/dev/null || :'; }

ok "a full backup" backup --type=full
job=$(last_job)
compared() { told "$1" 'are what the node has read' | sort; }
is "$(compared "$job")" "$(printf 'Disk %s: 16384 KiB are what the node has read\n' "${keys[@]}" | sort)" "all of both disks was compared"
is "$(sums_of)" "" "and no sums are left"
head -c 200704 /dev/urandom | guest_writes "${keys[0]}" 5242880
head -c 71680 /dev/urandom | guest_writes "${keys[1]}" 1000448
head -c 3145728 /dev/zero | guest_writes "${keys[0]}" 11534336
ok "an incremental" backup
job=$(last_job)
# What the guest has written, and not much around it.
for i in 0:3268 1:70; do
    kib=$(compared "$job" | sed -n "s/^Disk ${keys[${i%:*}]}: \([0-9]*\) KiB .*/\1/p")
    ok "its pieces were compared, too: disk ${i%:*} (${kib:-none} KiB)" test "${kib:-0}" -ge "${i#*:}" -a "${kib:-0}" -lt $((2 * ${i#*:} + 64))
done
is "$(told "$job" 'not compared' | wc -l)" 0 "all of it"
is_the_vm "incremental" "$job"
clean "after both"

# A byte of the image changes when its server has ended: memory, the disk, a bug of a program between.
hub install -D -m 755 /dev/stdin /usr/local/sbin/flip <<'X'
#!/bin/bash
case $1 in *-finish-*) ;; *) exit 0 ;; esac
key=${1##*-finish-} key=${key%.service}
read -r flip_key other_key </srv/flip-key
[ "$key" = "$flip_key" ] || exit 0
image=$(find /var/lib/sendense/repository -path "*/$key/*.partial")
if [ -n "$other_key" ]; then
    cat "${image/"/$key/"/"/$other_key/"}" >"$image"
    exit
fi
at=$(qemu-img map --output=json -U "$image" | jq -r '[.[] | select(.depth == 0 and .data and .offset)][0].offset + 5000')
byte=$(od -An -tu1 -j "$at" -N 1 "$image")
printf "\\x$(printf %x $(((byte + 1) % 256)))" | dd of="$image" bs=1 seek="$at" conv=notrunc status=none
X
hub install -D -m 644 /dev/stdin /etc/systemd/system/sendense-image-.service.d/99-flip.conf <<'X'
[Service]
ExecStartPre=+/usr/local/sbin/flip %n
X
hub systemctl daemon-reload
flipped() { # NAME KEY OPTION...
    echo "$2" | hub install -m 644 /dev/stdin /srv/flip-key
    backup "${@:3}" >/dev/null
    job=$(last_job)
    is "$(job_field "$job" 'State + " " + .ErrorName')" "failed com.sendense.Error.CopyFailed" "$1: it fails"
    like "$(job_field "$job" ErrorText)" "Disk ${2%% *}: .*\.partial does not hold what was read from the source: [1-9] blocks of 4194304 bytes are something else, the first at offset [0-9]+" \
        "$1: and says of which disk, and where"
    ok "$1: nothing of it is listed" in_hub '! sendensectl --json backup list | jq -e --arg b "$1" ".[] | select(.BackupId == \$b)"' "$(job_field "$job" BackupId)"
    is "$(sums_of)" "" "$1: no sums are left"
    clean "$1"
}
head -c 4096 /dev/urandom | guest_writes "${keys[1]}" 2097152
flipped "a byte of an increment" "${keys[1]}"
flipped "a byte of a full" "${keys[0]}" --type=full
flipped "the data of one disk in the image of another of its size" "${keys[0]} ${keys[1]}" --type=full
hub rm /etc/systemd/system/sendense-image-.service.d/99-flip.conf
hub systemctl daemon-reload

# A node that has copied all, and does not tell its sums, or tells what are none: the backup is as good as its way here, and says so.
node_peer --results /srv/answer --task /srv/task
not_compared() { # NAME ANSWER WHY
    printf '%s' "$2" | node install -m 644 /dev/stdin /srv/answer
    ok "$1: the backup is made" backup
    job=$(last_job)
    like "$(told "$job" 'will not be compared')" "Disk ${keys[0]} will not be compared with what node edge1 has read of it: .*$3" "$1: not compared, and why"
    is_the_vm "$1" "$job"
    is "$(sums_of)" "" "$1: no sums are left"
}
not_compared "no such route" $'404\n{"error": "com.sendense.Error.NotFound", "message": "There is no such path."}' 'There is no such path'
not_compared "nobody answers" $'502\n{"error": "x", "message": "The node answered what this program does not understand."}' 'does not understand'
like "$(told "$job" 'waits for the sums')" "Job $job waits for the sums of what it has copied" "it was waited for, once"
ok "and it was asked more than once" in_node '[ "$(grep -c "/$1/result/" /srv/asked)" -ge 3 ]' "$job"
not_compared "no sums" $'200\n{"digest": {"a": [{}, {}]}}' 'the digest: '
not_compared "of another disk" $'200\n{"digest": {"algorithm": "sha256-tree", "leaf_bytes": 1048576, "block_bytes": 8388608, "blocks": {}}}' 'block_bytes'
node rm /srv/answer
ok "with it away the sums are there" backup
is "$(told "$(last_job)" 'are what the node has read' | wc -l)" 2 "and compared"

# One that tells megabytes of what the VM is made of: its row could not be read any more, and with it no job after a start of the hub.
jq -n '{hardware: ({x: ("x" * 1100000)} | tojson)}' | node install -m 644 /dev/stdin /srv/task
ok "with megabytes of hardware the backup is made" backup
job=$(last_job)
like "$(told "$job" 'without it')" "Node edge1 tells the hardware of the VM at a length of more than 512 KiB; the backup is without it" "and the journal says that it is without it"
is_the_vm "with megabytes of hardware" "$job"
node rm /srv/task
clean "with somebody before the node"

# Without the node's sums there is nothing to compare, and that is told.
node install -D -m 644 /dev/stdin /etc/sendense/node.conf.d/70-plain.conf <<'X'
[Copy]
Digests=no
X
node systemctl restart sendense-node
ok "a backup of a node that makes no sums" backup
job=$(last_job)
like "$(told "$job" 'will not be compared')" "Disk ${keys[0]} will not be compared with what node edge1 has read of it: it makes no sums \(\[Copy\] Digests=no\)" "the journal says so"
is_the_vm "without sums" "$job"
clean "after it"
done_testing
