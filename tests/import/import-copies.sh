#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Disks arrive whole: into empty images and into layers above other data, whose zeroes must be written
# too; each on its own target. Progress goes up and ends at the end.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/import.bash"

size=$((32 * 1024 * 1024))
odd=$((40 * 1024 * 1024 + 512))
raw 2000 "$size"
raw 2001 "$odd"
source_nbdkit 2000 --filter=noextents --filter=rate file "$TEST_TMP/2000.raw" rate=200M burstiness=0.1
source_nbdkit 2001 --filter=noextents file "$TEST_TMP/2001.raw"
qemu-img create -q -f qcow2 "$TEST_TMP/below.qcow2" "$size"
qemu-io -f qcow2 -c "write -q -P 0x55 0 $size" "$TEST_TMP/below.qcow2"
target_qcow2 2000 "$size" below.qcow2
target_qcow2 2001 "$odd"
disk 2000 "$size"
disk 2001 "$odd"
spec
listen
import
is "$status" 0 "two disks are copied" || diag "$err"
is "$result" "{\"result\":\"ok\",\"disks\":[{\"disk_key\":2000,\"bytes\":$size},{\"disk_key\":2001,\"bytes\":$odd}]}" \
    "the result names both"
is "$err" '' "and nothing was complained about"

eventually 30 grep -q "\"bytes_done\":$size," "$TEST_TMP/progress"
eventually 30 grep -q "\"bytes_done\":$odd," "$TEST_TMP/progress"
for key in 2000 2001; do
    jq -cs --argjson key "$key" '[.[] | select(.disk_key == $key)]' "$TEST_TMP/progress" >"$TEST_TMP/progress-$key"
    is "$(jq -c '[.[].bytes_done] | . == sort' "$TEST_TMP/progress-$key")" true "progress of $key goes up"
    is "$(jq -c 'all(.[]; .job == 7 and .bytes_done <= .bytes_total)' "$TEST_TMP/progress-$key")" true \
        "progress of $key is of this job and within bounds"
    is "$(jq -c '.[-1] | .bytes_done == .bytes_total' "$TEST_TMP/progress-$key")" true "progress of $key ends at the end"
done
ok "there was something in between" jq -e 'any(.[]; .bytes_done > 0 and .bytes_done < .bytes_total)' "$TEST_TMP/progress-2000"

server_end target-2000
server_end target-2001
ok "2000 is the same, above another layer" same 2000
ok "2001 is the same" same 2001
ok "2000 is a sound image" qemu-img check -q "$TEST_TMP/2000.qcow2"

# Again, without anybody who listens and without comparing.
server_end listener
target_nbd 2000 "$TEST_TMP/2000.qcow2"
target_nbd 2001 "$TEST_TMP/2001.qcow2"
import_disks=()
disk 2000 "$size"
disk 2001 "$odd"
spec '.compare = false'
import
is "$status" 0 "nobody listens, nothing is compared: copied" || diag "$err"
spec 'del(.progress)'
import
is "$status" 0 "nobody is to be told: copied" || diag "$err"

# A source of random extents, through a pipe as standard input.
server_end source-2000
server_end target-2000
source_nbdkit 2000 sparse-random size=32M percent=30 seed=7
qemu-img create -q -f qcow2 -F qcow2 -b below.qcow2 "$TEST_TMP/2000.qcow2" "$size"
target_nbd 2000 "$TEST_TMP/2000.qcow2"
import_disks=()
disk 2000 "$size"
spec
result=$(printf '%s\n' "$(<"$import_spec")" | "$import_bin" 2>&1)
is "$result" "{\"result\":\"ok\",\"disks\":[{\"disk_key\":2000,\"bytes\":$size}]}" "many extents above another layer"
server_end target-2000
nbdcopy "$(source_uri 2000)" "$TEST_TMP/2000.raw"
ok "and the same" same 2000
done_testing
