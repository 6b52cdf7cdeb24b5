#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An NBD server may take fewer clients than it announces, never greet, or fall silent: the restore goes on with the connections
# that stand, or ends and says so.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

repository_make "$repo"
image health "$(spec_health "$repo")"
id=backup-web-1
require "a backup" layer $id '' 'write -P 1 0 9M' 'write -P 2 20M 1M'

# A restore that hangs is a failure of this test, not its end. The second program waits for answers less long.
printf '#!/bin/sh\nexec timeout -k 1 100 "%s" "$@"\n' "$image_program" >"$TEST_TMP/limited"
printf '#!/bin/sh\nexec timeout -k 1 100 "%s" "$@"\n' "$image_faulty" >"$TEST_TMP/impatient"
chmod 755 "$TEST_TMP/limited" "$TEST_TMP/impatient"

for shared in 1 2 3; do
    sock=$TEST_TMP/sockets/shared-$shared
    head -c 70M /dev/urandom >"$fast/disk"
    qemu-nbd -t -x disk -f raw -e $shared -k "$sock" --fork --pid-file="$TEST_TMP/nbd.pid" "$fast/disk"
    image_now=$TEST_TMP/limited restore "$(spec_restore $id 2000 "$(target_nbd "nbd+unix:///disk?socket=$sock")")"
    kill "$(<"$TEST_TMP/nbd.pid")"
    is "$rc $(head -c "${capacity[2000]}" "$fast/disk" | sha256sum)" "0 $(sha256sum <"$kept/$id-2000")" "a server of $shared clients"
done

sock=$TEST_TMP/sockets/delay
nbdkit -f -U "$sock" -e disk --filter=delay memory 80M delay-write=1000 delay-zero=1000 >"$TEST_TMP/kit.log" 2>&1 &
at_end "kill -9 $!"
wait_socket "$sock"
image_now=$TEST_TMP/impatient refuses "a server that falls silent" TargetFailed \
    'its server has not answered for 5 seconds' "$(spec_restore $id 2000 "$(target_nbd "nbd+unix:///disk?socket=$sock")")"

sock=$TEST_TMP/sockets/mute
socat "UNIX-LISTEN:$sock,fork" PIPE &
at_end "kill $!"
wait_socket "$sock"
image_now=$TEST_TMP/impatient refuses "a server that never greets" TargetFailed \
    'Cannot connect to .*: its server has not answered for 5 seconds' "$(spec_restore $id 2000 "$(target_nbd "nbd+unix:///disk?socket=$sock")")"
is "$(find "$TEST_TMP/sockets" -name 'sendense-image-*' | wc -l)" 0 "nothing is left of the servers of its own"
done_testing
