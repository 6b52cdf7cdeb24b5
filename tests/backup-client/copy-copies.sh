#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Copies that end well: full and incremental, above images with old data, of odd sizes, many at once; each compared
# with its source by qemu-img, and its digests with sums made by other means.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/copy.bash"

size=$((64 * MIB))

# Two disks at once, and what is told of them meanwhile.
socat -u "UNIX-RECV:$copy_progress" "OPEN:$TEST_TMP/progress,creat,append" &
copy_pid[listener]=$!
raw 2000 "$size"
raw 2001 $((40 * MIB + 512))
for key in 2000 2001; do
    source_nbdkit $key file "$TEST_TMP/$key.raw"
    target_qcow2 $key "$(stat -c %s "$TEST_TMP/$key.raw")"
    disk $key "$(stat -c %s "$TEST_TMP/$key.raw")" '.change_id_now = "52 3c/7"'
done
spec
copy
copied "two disks"
servers_end
for key in 2000 2001; do
    ok "$key is the same" same $key
    is "$(of_disk $key '"\(.backup_type) \(.change_id) \(.reconnects)"')" "full 52 3c/7 0" "$key: a full"
    is "$(of_disk $key '.bytes_zeroed')" 0 "$key: zeroes of a new image are not written"
    ok "$key: holes are not read" test "$(of_disk $key .bytes_read)" -lt $((16 * MIB))
    blocks=$((($(stat -c %s "$TEST_TMP/$key.raw") + 4 * MIB - 1) / (4 * MIB)))
    want=$(for ((i = 0; i < blocks; i++)); do block_digest "$TEST_TMP/$key.raw" $i; done)
    is "$(of_disk $key '.digest.blocks | to_entries | sort_by(.key | tonumber)[].value')" "$want" "$key: the digests of all its blocks"
    is "$(jq -s --argjson key $key 'map(select(.disk_key == $key)) | last | .bytes_done == .bytes_total' "$TEST_TMP/progress")" true "$key: progress to the end"
done

# Old data below: where the source has zeroes now they are written, known or found; what was not changed stays.
old() { # KEY: an image below, full of old data
    head -c "$size" /dev/urandom >"$TEST_TMP/$1-old.raw"
    qemu-img convert -f raw -O qcow2 -o $copy_shape "$TEST_TMP/$1-old.raw" "$TEST_TMP/$1-old.qcow2"
}
for read in allocated all; do
    old 2000
    source_nbdkit 2000 file "$TEST_TMP/2000.raw"
    target_qcow2 2000 "$size" "$TEST_TMP/2000-old.qcow2"
    copy_disks=()
    disk 2000 "$size" ".parent = true | .read = \"$read\""
    spec
    copy
    copied "above old data, read: $read"
    servers_end
    ok "no old data shines through" same 2000
    is "$(of_disk 2000 '.bytes_sent + .bytes_zeroed')" "$size" "every byte is written"
done

# An increment: given areas, some of which are zeroes now, sectors and leaves, at the very end too.
cp "$TEST_TMP/2000-old.raw" "$TEST_TMP/2000.raw"
areas=()
change() { # OFFSET LENGTH FROM
    dd if="$3" of="$TEST_TMP/2000.raw" bs=512 seek=$(($1 / 512)) count=$(($2 / 512)) conv=notrunc status=none
    areas+=("[$1,$2]")
}
change 512 1024 /dev/urandom
change $((65536 * 3)) 65536 /dev/zero
change $((65536 * 10)) 131072 /dev/urandom
change $((4 * MIB)) $((4 * MIB)) /dev/urandom
change $((9 * MIB + 4096)) $((5 * MIB)) /dev/zero
change $((20 * MIB - 512)) 1024 /dev/urandom
change $((size - 512)) 512 /dev/zero
source_nbdkit 2000 --filter=log file "$TEST_TMP/2000.raw" logfile="$TEST_TMP/served"
target_qcow2 2000 "$size" "$TEST_TMP/2000-old.qcow2"
copy_disks=()
disk 2000 "$size" ".parent = true | .read = \"changed\" | .areas = [$(IFS=,; echo "${areas[*]}")]"
spec
copy
copied "an increment"
changed=$((1024 + 65536 + 131072 + 9 * MIB + 1024 + 512))
is "$(of_disk 2000 '"\(.backup_type) \(.areas) \(.bytes_read) \(.bytes_sent + .bytes_zeroed)"')" "incremental 7 $changed $changed" "what has changed is read and written, nothing else"
is "$(of_disk 2000 '.digest.blocks | keys | join(" ")')" 1 "one block is known whole"
is "$(of_disk 2000 '.digest.blocks["1"]')" "$(block_digest "$TEST_TMP/2000.raw" 1)" "and has its digest"
is "$(of_disk 2000 '.digest.parts | to_entries | sort_by(.key) | map("\(.key):\(.value.count)") | join(" ")')" "0:3 15:1 2:3 3:3 4:1 5:1" "the others have sums of pieces"
# One piece: the sum is its own. Offset and length little-endian, then the data; of zeroes none.
piece() { # OFFSET LENGTH [zeroes]
    {
        printf '%016x%016x' "$1" "$2" | sed 's/../&\n/g' | sed '/^$/d' | { mapfile -t b; printf '%s' "${b[@]:0:8}" | fold -w2 | tac | tr -d '\n'; printf '%s' "${b[@]:8:8}" | fold -w2 | tac | tr -d '\n'; } | xxd -r -p
        [ -n "${3:-}" ] || dd if="$TEST_TMP/2000.raw" bs=512 skip=$(($1 / 512)) count=$(($2 / 512)) status=none
    } | sha256sum | cut -d' ' -f1
}
is "$(of_disk 2000 '.digest.parts["4"].sum')" "$(piece $((20 * MIB - 512)) 512)" "a sum of one piece, made by other means"
is "$(of_disk 2000 '.digest.parts["15"].sum')" "$(piece $((size - 512)) 512 zeroes)" "and of one of zeroes"
is "$(of_disk 2000 '.digest.parts["0"].pieces')" "512+1024 196608+65536 655360+131072" "where the pieces are is told"
servers_end
ok "the chain is the disk of now" same 2000
served=0
while read -r bytes; do served=$((served + bytes)); done < <(sed -nE 's/.* Read .* count=(0x[0-9a-f]+).*/\1/p' "$TEST_TMP/served")
is "$served" "$changed" "and the source served no more than that"

# Of what has changed the source knows the zeroes, here as a hole: they are written all the same, and not read.
fallocate --punch-hole --offset $((9 * MIB + 4096)) --length $((5 * MIB)) "$TEST_TMP/2000.raw"
source_nbdkit 2000 file "$TEST_TMP/2000.raw"
target_qcow2 2000 "$size" "$TEST_TMP/2000-old.qcow2"
copy_disks=()
disk 2000 "$size" ".parent = true | .read = \"changed\" | .areas = [$(IFS=,; echo "${areas[*]}")]"
spec
copy
copied "an increment with a hole"
servers_end
is "$(of_disk 2000 '"\(.bytes_read) \(.bytes_sent + .bytes_zeroed)"')" "$((changed - 5 * MIB)) $changed" "what the source knows to be zeroes is not read, but written"
ok "and nothing older shines through" same 2000

# Nothing has changed: nothing is read, and the result says so.
source_nbdkit 2000 file "$TEST_TMP/2000.raw"
target_start 2000 later
copy_disks=()
disk 2000 "$size" '.read = "changed" | .areas = []'
spec
copy
copied "nothing changed"
is "$(of_disk 2000 '"\(.bytes_read) \(.bytes_sent) \(.bytes_zeroed) \(.areas) \(.digest.blocks | length) \(.commits)"')" "0 0 0 0 0 1" "nothing was read or written"
servers_end

# The look before the copy has opened the target, and the copy goes on with the same connections.
source_nbdkit 2000 file "$TEST_TMP/2000.raw"
source_nbdkit target-2000 --filter=log memory "$size" logfile="$TEST_TMP/opened"
qcow2_uri=${target_uri[2000]}
target_uri[2000]=$(source_uri target-2000)
copy_disks=()
disk 2000 "$size"
spec
copy
copied "into memory"
servers_end
is "$(grep -c ' Connect export=' "$TEST_TMP/opened")" 4 "the target is opened once, by its four connections"
target_uri[2000]=$qcow2_uri

# Sizes that are no multiple of anything, from files, without digests.
copy_disks=()
sizes=(512 4096 $((65536 + 512)) $((MIB - 512)) $((MIB + 4096)) $((3 * MIB + 65536)) $((5 * MIB + 1536)))
for i in "${!sizes[@]}"; do
    head -c "${sizes[i]}" /dev/urandom >"$TEST_TMP/300$i.raw"
    target_qcow2 "300$i" "${sizes[i]}"
    disk "300$i" "${sizes[i]}" ".read = \"all\" | .source = {kind: \"file\", path: \"$TEST_TMP/300$i.raw\"}"
done
spec '.digests = false'
copy
copied "odd sizes"
servers_end
for i in "${!sizes[@]}"; do
    ok "${sizes[i]} bytes are the same" same "300$i"
done
is "$(field '[.disks[] | has("digest")] | any')" "" "and no digest was asked for"

# Twelve disks, more than there are connections; the smallest budget of memory.
copy_disks=()
for key in {2000..2011}; do
    rm -f "$TEST_TMP/$key.raw"
    truncate -s $((8 * MIB)) "$TEST_TMP/$key.raw"
    head -c $((RANDOM * 64 + 512)) /dev/urandom | dd of="$TEST_TMP/$key.raw" conv=notrunc bs=64k seek=$((RANDOM % 80)) status=none
    truncate -s $((8 * MIB)) "$TEST_TMP/$key.raw"
    target_qcow2 "$key" $((8 * MIB))
    disk "$key" $((8 * MIB)) ".source = {kind: \"file\", path: \"$TEST_TMP/$key.raw\"}"
done
spec ".connections = 5 | .memory_bytes = $((6 * MIB))"
copy
copied "twelve disks"
is "$(field '[.disks[].disk_key] | join(" ")')" "$(echo {2000..2011})" "the result names them all"
servers_end
for key in {2000..2011}; do
    ok "$key is the same" same "$key"
done
# Sources and targets of disks that are copied at once are opened at once: each of these four servers lets nobody in before all are asked.
servers_end
rm -f "$TEST_TMP"/met-*
meets() { # NAME ARGUMENT...
    source_nbdkit "$1" eval open="touch '$TEST_TMP/met-$1'
for i in \$(seq 300); do [ \"\$(ls '$TEST_TMP' | grep -c '^met-')\" -lt 4 ] || exec echo; sleep 0.05; done
echo nobody else came >&2; exit 1" get_size='echo 1M' pread='head -c "$3" /dev/zero' "${@:2}"
}
copy_disks=()
for key in 2000 2001; do
    meets $key
    meets target-$key can_write='exit 0' can_flush='exit 0' can_zero='exit 0' pwrite='cat >/dev/null' flush='exit 0' zero='exit 0'
    target_uri[$key]=$(source_uri target-$key)
    disk $key $MIB '.read = "all"'
done
spec
copy
copied "two disks of which nothing opens before all is asked for"
done_testing
