#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The cable is out for a minute under a copy of two disks through the tunnel: the tunnel comes back by itself, the copier goes on from
# what was committed, and both disks are at the hub what they are at the node.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
for key in 2000 2001; do
    port=$((8110 + key))
    require "a disk $key" in_node 'head -c 300000000 /dev/urandom >"/srv/$1.raw" && truncate -s 400M "/srv/$1.raw"' "$key"
    require "its image" hub qemu-img create -q -f qcow2 "/srv/$key.qcow2" 400M
    # shellcheck disable=SC2016 # expanded by systemd
    server "$port" qemu-nbd -t --shared=10 -x "$key" -D '${INVOCATION_ID}' -b 127.0.0.1 -p "$port" -f qcow2 "/srv/$key.qcow2"
done
tunnel_up
ok "all sessions stand" eventually "$patience_sec" all_sessions

# As slow as a wide network, so that the cut comes in the middle.
spec=$(jq -nc '{job: 1, attempt: 1, digests: true, disks: [2000, 2001 | {disk_key: ., capacity_bytes: (400 * 1048576), parent: false,
    target: "nbd://127.0.0.1:\(8110 + .)/\(.)", read: "all", source: {kind: "nbd", uri: "nbd+unix:///?socket=/run/src/\(.).sock"}}]}')
for key in 2000 2001; do
    require "its source" node systemd-run --quiet --unit="source-$key" -p RuntimeDirectory=src -p RuntimeDirectoryPreserve=yes -- \
        nbdkit -f -r -U "/run/src/$key.sock" --filter=rate file "/srv/$key.raw" rate=100M
done
ok "they listen" eventually "$patience_sec" node test -S /run/src/2001.sock
node install -m 644 /dev/stdin /srv/spec <<<"$spec"
require "the copy starts" node systemd-run --quiet --unit=copy --service-type=exec -p RemainAfterExit=yes -p StandardInput=file:/srv/spec -p StandardError=journal \
    -p StandardOutput=truncate:/srv/result /usr/lib/sendense/sendense-backup-client copy
written() { hub stat -c %b /srv/2000.qcow2; }
under_way() { [ "$(written)" -gt 40000 ]; }
ok "it is under way" eventually "$patience_sec" under_way || diag "$(node cat /srv/result)"

lab link node down
ok "the cable is out: the tunnel notices" eventually 90 no_session
in_node 'sleep 60'
is "$(node systemctl is-active copy.service)" active "a minute later the copy waits"
lab link node up
ok "the cable is in: all sessions stand again" eventually 90 all_sessions || diag "$(tunnel_status)"
over() { [ "$(node systemctl show --value -p SubState copy.service)" = exited ]; }
ok "the copy ends" eventually 180 over || diag "$(node journalctl -q -u copy -n 20)"
is "$(node jq -r .result /srv/result)" ok "well" || diag "$(node cat /srv/result)"
ok "it had to connect again" node jq -e '[.disks[].reconnects] | add > 0' /srv/result
diag "$(node jq -c '[.disks[] | {disk_key, bytes_sent, commits, reconnects}]' /srv/result)"
for key in 2000 2001; do
    hub systemctl stop "server-$((8110 + key)).service"
    is "$(hub qemu-img convert -f qcow2 -O raw "/srv/$key.qcow2" /srv/back.raw && in_hub 'sha256sum </srv/back.raw')" "$(in_node 'sha256sum <"/srv/$1.raw"' "$key")" \
        "disk $key is the same at both ends"
done
done_testing
