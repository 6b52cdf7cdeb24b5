#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# qemu-nbd is killed 50 times, at moments that a seed decides, during a copy of 8 GiB of which a tenth holds data. Each
# successor is another instance, and knows nothing of what the one before had answered. Nothing may be missing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../backup-client/copy.bash"

kills=${KILLS:-50}
seed=${SEED:-$((EPOCHSECONDS % 32768))}
RANDOM=$seed
diag "SEED=$seed"
size=$((8192 * MIB))
nbdkit -U - sparse-random size=$size percent=10 seed="$seed" --run "nbdcopy \"\$uri\" '$TEST_TMP/2000.raw'" || skip_all "no source"
# As slow as it must be to be killed so often.
source_nbdkit 2000 --filter=delay file "$TEST_TMP/2000.raw" delay-read=200ms
target_qcow2 2000 $size
disk 2000 $size
spec
# The server is there again as soon as it was killed, as systemd would have it.
supervise() {
    local n=0
    while copy_runs && [ $n -lt "$kills" ]; do
        sleep "0.$((RANDOM % 60 + 10))"
        n=$((n + 1))
        target_kill 2000
        target_start 2000 "instance-$n" || return
    done
    echo "$n" >"$TEST_TMP/kills"
}
copy_begin
supervise
is "$(<"$TEST_TMP/kills")" "$kills" "it was killed that often, and went on"
copy_end
copied "the copy of 8 GiB"
diag "$(of_disk 2000 '"\(.reconnects) reconnects, \(.commits) commits"')"
ok "more than one server was met" test "$(of_disk 2000 .reconnects)" -ge $((kills / 2))
server_end target-2000
ok "nothing is missing" same 2000
for block in 0 1000 2047; do
    is "$(of_disk 2000 ".digest.blocks[\"$block\"]")" "$(block_digest "$TEST_TMP/2000.raw" $block)" "the digest of block $block"
done
done_testing
