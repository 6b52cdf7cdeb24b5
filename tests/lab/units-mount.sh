#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Mounts as units: a sealed image and the layers below it on a unix socket for one user, read-only or with writes
# that are thrown away; what becomes of either when its server dies; and nothing left after a stop.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/units-lab.bash"

units_up
# Three layers, sealed as the hub does it, and what is to be read.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'cd "$1" && qemu-img create -q -f qcow2 a.qcow2 64M && qemu-io -c "write -P 1 0 1M" a.qcow2 >/dev/null &&
    qemu-img create -q -f qcow2 -F qcow2 -b a.qcow2 b.qcow2 && qemu-io -c "write -P 2 1M 1M" b.qcow2 >/dev/null &&
    qemu-img create -q -f qcow2 -F qcow2 -b b.qcow2 c.qcow2 && qemu-io -c "write -P 3 2M 1M" c.qcow2 >/dev/null &&
    chown sendense:sendense-export ./*.qcow2 && chmod 440 ./*.qcow2
    useradd --no-create-home alice; useradd --no-create-home mallory' "$units_repo"
chain=$units_repo/c.qcow2
sums() { in_hub 'cd "$1" && sha256sum ./*.qcow2' "$units_repo"; }
before=$(sums)
alice=$(hub id -u alice)

socket_of() { echo "/run/sendense/mounts/$1.sock"; }
uri() { echo "nbd+unix:///$1?socket=$(socket_of "$1")"; }
# as USER COMMAND...: in the machine.
as() { hub setpriv --reuid "$1" --regid "$1" --init-groups "${@:2}"; }
# mount_disk JOB-KEY ro|rw UID [PORT]
mount_disk() {
    hub install -o sendense -g sendense -m 640 /dev/null "$units_files/$1.err"
    say "mount ${1%-*} ${1#*-} $3 $2 $chain $units_files/$1.err${4:+ $4}"
    expect "^shaken mount ${1#*-}: " "mount $1 $2 answers"
    like "$REPLY" ': ok 67108864 [0-9a-f]{32} ' "with the size of the disk and an instance"
    diag "from the request to the handshake: $(grep -oP '\(\K[0-9]+(?= ms)' <<<"$REPLY") ms"
}
# stop_mount JOB-KEY
stop_mount() {
    say "stop sendense-mount-$1.socket"
    expect "^done stop sendense-mount-$1.socket: ok" "mount $1 is stopped"
    say "stop sendense-jobs-${1%-*}.slice"
    expect "^done stop sendense-jobs-${1%-*}.slice: ok" "with its slice"
    not_ok "its socket is gone" hub test -e "$(socket_of "$1")"
}

# Read-only.
mount_disk 7-2000 ro "$alice"
is "$(hub stat -c '%U:%G %a' "$(socket_of 7-2000)")" alice:sendense\ 660 "the socket is the user's"
ok "who reads the whole chain" as alice qemu-io -r -f raw -c 'read -P 1 0 1M' -c 'read -P 2 1M 1M' -c 'read -P 3 2M 1M' -c 'read -P 0 3M 1M' "$(uri 7-2000)"
not_ok "somebody else may not connect" as mallory nbdinfo --size "$(uri 7-2000)"
ok "root may" hub nbdinfo --size "$(uri 7-2000)"
not_ok "under another name nothing is served" hub nbdinfo --size "nbd+unix:///8-2000?socket=$(socket_of 7-2000)"
like "$(hub nbdinfo "$(uri 7-2000)")" 'is_read_only: true' "it is read-only"
not_ok "and cannot be written" as alice qemu-io -f raw -c 'write 0 64k' "$(uri 7-2000)"
pid=$(unit sendense-mount-7-2000.service MainPID)
is "$(hub ps -o user= -p "$pid")" sendense-export "its process is the exports' user"
say list
expect '^list ' "a list"
is "$REPLY" "list ok sendense-jobs-7.slice sendense-mount-7-2000.service sendense-mount-7-2000.socket ." "shows it"

# A server that dies is there again, for the same clients.
units_now
hub systemctl kill -s KILL sendense-mount-7-2000.service
expect '^unit sendense-mount-7-2000.service active/running .* restarts=1$' "a killed server is started again"
ok "and serves" as alice nbdinfo --size "$(uri 7-2000)"
hub systemctl daemon-reload
hub systemctl kill -s KILL sendense-mount-7-2000.service
expect '^unit sendense-mount-7-2000.service active/running .* restarts=2$' "also after a daemon-reload"
ok "under the same name" as alice nbdinfo --size "$(uri 7-2000)"
is "$(hub stat -c '%U %a' "$(socket_of 7-2000)")" "alice 660" "for the same user"
stop_mount 7-2000
nothing_left "nothing is left"

# Writable: what is written is there for everybody, and is gone with the server.
mount_disk 8-2000 rw 0
is "$(hub stat -c '%U:%G %a' "$(socket_of 8-2000)")" root:sendense\ 660 "the socket is root's"
not_ok "alice may not connect" as alice nbdinfo --size "$(uri 8-2000)"
ok "it can be written" hub qemu-io -f raw -c 'write -P 9 0 8M' -c 'write -P 9 62M 2M' -c flush "$(uri 8-2000)"
ok "and read by the next client" hub qemu-io -r -f raw -c 'read -P 9 0 8M' -c 'read -P 0 8M 54M' -c 'read -P 9 62M 2M' "$(uri 8-2000)"
is "$(sums)" "$before" "no image has changed"
pid=$(unit sendense-mount-8-2000.service MainPID)
# shellcheck disable=SC2016 # expanded in the machine
like "$(in_hub 'ls -l /proc/$1/fd' "$pid")" '/var/tmp/.* \(deleted\)' "what is written has no name"
is "$(in_hub 'find /var/tmp /tmp -path "*sendense-mount*" -type f')" "" "so that nothing of it can stay"
units_now
hub systemctl kill -s KILL sendense-mount-8-2000.service
expect '^unit sendense-mount-8-2000.service failed/failed result=signal .*restarts=0$' "a killed one is told"
expect '^unit sendense-mount-8-2000.socket (inactive|gone)' "and takes its socket along"
not_ok "nobody is shown the backup in the place of what he wrote" hub nbdinfo --size "$(uri 8-2000)"
stop_mount 8-2000
nothing_left "nothing is left of it"
is "$(sums)" "$before" "no image has changed"

# On a port.
mount_disk 11-2000 ro 0 10103
ok "a port serves, too" as mallory qemu-io -r -f raw -c 'read -P 1 0 1M' -c 'read -P 3 2M 1M' nbd://127.0.0.1:10103/11-2000
not_ok "and no socket" hub test -e "$(socket_of 11-2000)"
stop_mount 11-2000

# What is missing or taken.
hub install -o sendense -g sendense -m 640 /dev/null "$units_files/9-2000.err"
chain=$units_repo/none.qcow2
say "mount 9 2000 0 ro $chain $units_files/9-2000.err"
expect '^unit sendense-mount-9-2000.service failed/failed result=exit-code pid=0 status=1 ' "a missing image is told as the end of the service"
like "$(hub cat "$units_files/9-2000.err")" "none.qcow2.*No such file" "its error file says why"
expect '^shaken mount 2000: (ECONNRESET|ECONNREFUSED|ETIMEDOUT) ' "and the handshake fails"
stop_mount 9-2000
chain=$units_repo/c.qcow2
hub systemd-run --quiet --unit=stranger --service-type=exec socat TCP-LISTEN:10102,bind=127.0.0.1,fork /dev/null
# shellcheck disable=SC2016 # expanded in the machine
ok "a stranger listens" eventually "$patience_sec" in_hub '[ -n "$(ss -Hltn "sport = :10102")" ]'
say "mount 9 2000 0 ro $chain $units_files/9-2000.err 10102"
expect '^done mount 2000: EADDRINUSE ' "a port that is somebody else's is told at once"
stop_mount 9-2000
hub systemctl stop stranger

# What a mount can do, from inside: as an export, but that nothing of the repository can be written.
mount_disk 10-2000 rw 0
pid=$(unit sendense-mount-10-2000.service MainPID)
is "$(hub nsenter -t "$pid" -n ip -br link | awk '{ print $1 }')" lo "its network has loopback alone"
is "$(hub nsenter -t "$pid" -m findmnt -no OPTIONS -T "$chain" | grep -oE '^r[ow]')" ro "the repository is read-only for it"
is "$(hub nsenter -t "$pid" -m findmnt -no OPTIONS -T /run | grep -oE '^r[ow]')" ro "and so is /run"
status=$(hub cat "/proc/$pid/status")
like "$status" '^Seccomp:\s+2$' "its system calls are filtered"
like "$status" '^NoNewPrivs:\s+1$' "it can gain nothing by a setuid program"
like "$status" '^CapBnd:\s+0+$' "it has no capabilities"
is "$(unit sendense-mount-10-2000.service MemoryMax)" $((512 << 20)) "its memory is bounded"
exposure=$(hub systemd-analyze security --no-pager sendense-mount-10-2000.service | tail -n 1)
diag "${exposure#*: }"
ok "it is at most 2.5" hub systemd-analyze security --no-pager --threshold=25 sendense-mount-10-2000.service

# The target of the job stops it too, whether that is active or not.
say "stop sendense-job@10.target"
expect '^unit sendense-mount-10-2000.socket (inactive|gone)' "the target of the job stops it"
stop_mount 10-2000
nothing_left "nothing is left of all"
probe_end

done_testing
