#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two machines boot, are healthy, know each other, and offer what the other suites build on: units with a sandbox,
# limits that hold, sockets that systemd passes, devices, MariaDB. And the verbs that run commands keep status and stdin.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

lab_up --bind "$TEST_TMP:/mnt/shared"

for name in hub node; do
    is "$(on "$name" systemctl is-system-running)" running "$name is running"
    is "$(on "$name" systemctl list-units --failed --plain --no-legend)" "" "$name has no failed unit"
    is "$(on "$name" hostname)" "$name" "$name knows its name"
done
is "$(lab names)" "hub 10.99.0.1
node 10.99.0.2" "names and addresses are listed"
is "$(on hub getent hosts node | awk '{ print $1 }')" 10.99.0.2 "hub resolves node"
is "$(on node cat /sys/class/net/eth0/carrier)" 1 "node sees its own eth0 in sysfs"
ok "machine ids differ" test "$(on hub cat /etc/machine-id)" != "$(on node cat /etc/machine-id)"

on hub systemd-run -q --unit=echo --socket-property=ListenStream=0.0.0.0:7777 \
    -p PrivateNetwork=yes -p DynamicUser=yes -p ProtectSystem=strict \
    -p ProtectHome=yes -p PrivateDevices=yes -p NoNewPrivileges=yes -p SystemCallFilter=@system-service \
    -p SystemCallArchitectures=native -p RestrictNamespaces=uts -p MemoryDenyWriteExecute=yes \
    -p "RestrictAddressFamilies=AF_UNIX AF_INET" \
    python3 -c 'import socket; c = socket.socket(fileno=3).accept()[0]; c.sendall(c.recv(99))'
is "$(echo over the wire | on node timeout 10 socat -t5 - TCP:hub:7777)" "over the wire" \
    "node reaches a sandboxed, socket-activated unit of hub that has no network of its own"
like "$(lab sdrun hub -p ProtectSystem=strict touch /usr/x 2>&1)" "Read-only file system" "ProtectSystem=strict holds"
like "$(lab sdrun hub -p "SystemCallFilter=~mkdir mkdirat" -p SystemCallErrorNumber=EPERM mkdir /run/x 2>&1)" \
    "not permitted" "SystemCallFilter= holds"

hog='a = b"x" * 200000000; print("had it all")'
is "$(lab sdrun hub python3 -c "$hog")" "had it all" "200 MB fit without a limit"
unlike "$(lab sdrun hub -p MemoryMax=50M -p MemorySwapMax=0 python3 -c "$hog" 2>&1)" "had it all" "MemoryMax=50M ends it"
is "$(lab sdrun hub -p TasksMax=1 sh -c 'sleep 0 && echo forked' 2>/dev/null)" "" "TasksMax=1 allows no fork"

on hub sh -c 'exit 7'
is $? 7 "exec brings the status back"
lab sdrun hub sh -c 'exit 3'
is $? 3 "sdrun brings the status back"
is "$(echo hello | on hub cat)" hello "exec passes stdin"
is "$(echo hello | lab sdrun hub cat)" hello "sdrun passes stdin"
is "$(on hub printf '%s|' 'a b' '' "c'd" | cat)" "a b||c'd|" "arguments arrive as they were"
# shellcheck disable=SC2016 # the machine's shell expands it
is "$(on hub sh -c 'echo $HOME $PATH' <&-)" "/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    "the environment is the machine's, and a closed stdin does no harm"
like "$(lab sdrun hub cat /proc/self/cgroup)" '^0::/system.slice/run-' "sdrun is a unit of the machine"

echo content >"$TEST_TMP/file"
chmod 640 "$TEST_TMP/file"
ok "copy-in takes a file" lab copy-in hub "$TEST_TMP/file" /root/file
is "$(on hub sh -c 'stat -c %a /root/file; cat /root/file')" "640
content" "content and mode are kept"
on hub sh -c 'mkdir -p /root/tree/sub && echo deep >/root/tree/sub/x'
ok "copy-out takes a folder" lab copy-out hub /root/tree "$TEST_TMP/tree"
is "$(cat "$TEST_TMP/tree/sub/x")" deep "the folder came out"
is "$(cat "$(lab root hub)/root/file")" content "root names the machine's files"
is "$(on node cat /mnt/shared/file)" content "a bound folder is seen inside"
not_ok "what a machine writes does not reach the host" test -e /root/tree/sub/x

ok "hub has /dev/fuse and loop devices" on hub sh -c 'test -c /dev/fuse && test -b /dev/loop0 && test -c /dev/loop-control'
ok "hub can mount" on hub sh -c 'mkdir /mnt/t && mount -t tmpfs t /mnt/t && umount /mnt/t'
ok "hub can filter packets" on hub sh -c 'nft add table inet t && nft delete table inet t'
if on hub test -e /usr/lib/systemd/system/mariadb.service; then
    is "$(on hub systemctl is-active mariadb)" inactive "MariaDB is not started by itself"
    ok "MariaDB starts" on hub systemctl start mariadb
    is "$(on hub mariadb -BNe 'SELECT 6 * 7')" 42 "MariaDB answers"
else
    skip "MariaDB starts" "mariadb-server is not installed on this host"
fi
ok "polkit starts by the bus" on hub pkcheck --action-id org.freedesktop.login1.reboot --process 1

ok "the journal is readable while the machine is up" lab journal hub -u dbus.service -n 1
ok "down ends the lab" lab down
like "$(lab journal node -o cat)" "Reached target lab.target" "the journal is readable after down"
lab status >/dev/null
is $? 3 "status says that no lab is up"
done_testing
