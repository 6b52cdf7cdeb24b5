#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 20,000 connections, as a day has them: some end well, some are reset, some find nobody. The tunnel keeps nothing of them: its
# memory is within 2 MiB and its descriptors are as many as before, at both ends.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
echo_server 10110
tunnel_up
ok "all sessions stand" eventually "$patience_sec" all_sessions

pid=$(node systemctl show --value -p MainPID sendense-tunnel.service)
cat >"$TEST_TMP/many.py" <<'X'
import asyncio, os, socket, struct, sys

# Each brings its bytes back, or is reset in the middle, or goes to a port where nobody listens at the hub.
async def one(kind, done):
    port = 10111 if kind == 2 else 10110
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = os.urandom(600)
    try:
        if kind == 1:
            writer.write(data)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            done["reset"] += 1
        elif kind == 2:
            assert await reader.read() == b""
            done["nobody"] += 1
        else:
            writer.write(data)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 60) == data
            done["whole"] += 1
    except (OSError, AssertionError, asyncio.TimeoutError) as error:
        if kind != 2:
            print(f"kind {kind}: {error!r}", file=sys.stderr)
            done["lost"] += 1
        else:
            done["nobody"] += 1
    finally:
        writer.close()

async def work(n, done):
    for i in range(n):
        await one(1 if i % 10 == 3 else 2 if i % 10 == 7 else 0, done)

async def main(total):
    done = {"whole": 0, "reset": 0, "nobody": 0, "lost": 0}
    await asyncio.gather(*(work(total // 50, done) for _ in range(50)))
    print(done["whole"], done["reset"], done["nobody"], done["lost"])

asyncio.run(main(int(sys.argv[1])))
X
lab copy-in node "$TEST_TMP/many.py" /srv/many.py
many() { node timeout 600 python3 /srv/many.py "$1"; }
resident_kib() { node awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
descriptors() { in_node 'ls "/proc/$1/fd" | wc -l' "$pid"; }
descriptors_are() { [ "$(descriptors)" = "$1" ]; }

# sshd's processes of the sessions: two for each, one of them with rights. Both together, in KiB and in descriptors.
hub_pids() { in_hub 'pgrep -f "^sshd: sendense-tunnel" | sort -n | paste -sd" "'; }
hub_kib() { in_hub 'for pid in $1; do awk "/^VmRSS/ { print \$2 }" "/proc/$pid/status"; done | awk "{ n += \$1 } END { print n }"' "$sessions"; }
hub_descriptors() { in_hub 'for pid in $1; do ls "/proc/$pid/fd" | wc -l; done | paste -sd" "' "$sessions"; }
hub_descriptors_are() { [ "$(hub_descriptors)" = "$1" ]; }

# Warm: buffers and threads are there.
is "$(many 1000)" "800 100 100 0" "1,000 connections to warm up"
ok "none is open after it" eventually "$patience_sec" in_node '! ss -Htn state established "sport >= 10100 and sport <= 10200" | grep -q .'
kib=$(resident_kib)
fds=$(descriptors)
sessions=$(hub_pids) hub_kib=$(hub_kib) hub_fds=$(hub_descriptors)
is "$(wc -w <<<"$sessions")" 8 "the hub has two processes for each of the four sessions"
is "$(many 20000)" "16000 2000 2000 0" "20,000 connections: each as it should"
ok "their descriptors are closed" eventually "$patience_sec" descriptors_are "$fds" || diag "$(descriptors), not $fds"
grown=$(($(resident_kib) - kib))
diag "resident: $kib KiB before, $grown KiB more after 20,000 connections; $fds descriptors"
ok "resident memory is within 2 MiB" test "$grown" -le 2048
ok "at the hub, too, the descriptors of each session are as many as before" eventually "$patience_sec" hub_descriptors_are "$hub_fds" || diag "$(hub_descriptors), not $hub_fds"
is "$(hub_pids)" "$sessions" "they are the same processes"
grown=$(($(hub_kib) - hub_kib))
diag "resident at the hub: $hub_kib KiB before, $grown KiB more after; $hub_fds descriptors"
ok "their resident memory is within 2 MiB" test "$grown" -le 2048
is "$(node systemctl show --value -p MainPID sendense-tunnel.service)" "$pid" "it is the same process"
ok "and all its sessions stand" eventually "$patience_sec" all_sessions
works "after 20,000"
done_testing
