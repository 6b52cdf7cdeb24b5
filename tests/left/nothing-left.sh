#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# nothing-left on a booted machine: one leftover of each kind is planted with real parts, and exactly its kind must be
# seen; what belongs to a standing service must not.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lab/with-lab.bash"
. "$(dirname "$0")/plants.bash"

NOTHING_LEFT=$SENDENSE_SRC/tests/lib/nothing-left
SQL=${SENDENSE_SQL_DIR:-$SENDENSE_SRC/sql}
REPO=/var/lib/sendense/repository
VM=$REPO/50112233-4455-6677-8899-aabbccddeeff
look() { "$NOTHING_LEFT" --machine hub --without vcenter --since "$TEST_TMP/baseline" "$@" 2>&1; }
sql() { on hub mariadb --no-defaults sendense -e "$1"; }
# unit NAME ARG...: starts a transient service; units with other names than a job's stand for whoever works for one.
unit() { on hub systemd-run --quiet --collect --unit="$1" "${@:2}"; }
stop() { on hub systemctl stop "$@"; }

lab_up --names hub
mapfile -t migrations < <(ls "$SQL"/0*.sql 2>/dev/null)
[ ${#migrations[@]} -gt 0 ] || skip_all "there are no migrations in $SQL"

# The machine as the hub's packages leave it: database, repository, folders, template of the job targets, a daemon.
on hub /bin/bash -e -s <<'X' >/dev/null 2>"$TEST_TMP/setup" || fail "the machine is set up" "$(cat "$TEST_TMP/setup")"
systemctl start mariadb
mkdir -p /var/lib/sendense/repository/50112233-4455-6677-8899-aabbccddeeff/2000 /run/sendense /run/lab-test
cd /var/lib/sendense/repository/50112233-4455-6677-8899-aabbccddeeff/2000
qemu-img create -q -f qcow2 b.qcow2 1M
printf '[Unit]\nDescription=A job\n' >/run/systemd/system/sendense-job@.target
cat >/run/lab-test/daemon <<'D'
#!/bin/bash
# Opens one more file for each line, as a daemon that leaks does.
exec 3<>/run/lab-test/fifo
held=
while read -r -u 3 line; do
    if [ "$line" = leak ]; then exec {held}</etc/hostname; else exec {held}<&-; fi
    echo "$line" >>/run/lab-test/done
done
D
chmod +x /run/lab-test/daemon
cp /bin/sleep /run/lab-test/sendense-backup-client
mkfifo /run/lab-test/fifo
: >/run/lab-test/secret
systemctl daemon-reload
systemd-run --quiet --unit=sendense-standin.service -p Type=exec /run/lab-test/daemon
X
on hub mariadb --no-defaults -e 'CREATE DATABASE sendense'
for file in "${migrations[@]}"; do
    require "migration ${file##*/}" on hub mariadb --no-defaults sendense <"$file"
done
sql "INSERT INTO vm_replication_contexts (id, context_id, instance_uuid, vm_name, vm_path, created_usec)
        VALUES (1, 'ctx-vm-20260101-000000', '50112233-4455-6677-8899-aabbccddeeff', 'vm', '/DC0/vm/vm', 1);
    INSERT INTO vm_disks (id, vm_context_id, disk_key, unit_number, controller, capacity_bytes)
        VALUES (1, 1, 2000, 0, 'pvscsi:1000', 1048576);
    INSERT INTO backup_jobs (id, backup_id, vm_context_id, repository_id, backup_type, state, principal, created_usec, finished_usec)
        VALUES (5, 'backup-vm-1', 1, 1, 'full', 'completed', 'root', 1, 2);
    INSERT INTO backup_disks (id, job_id, vm_context_id, repository_id, disk_key, state, backup_type, capacity_bytes, file_path)
        VALUES (1, 5, 1, 1, 2000, 'completed', 'full', 1048576, 'x/2000/backup-vm-1.qcow2');
    INSERT INTO obligations (id, kind, subject, job_id, state, created_usec, next_attempt_usec, done_usec)
        VALUES (1, 'stop-unit', 'old', 5, 'done', 1, 1, 2)" || fail "a finished job is in the database"

ok "baseline" "$NOTHING_LEFT" --machine hub --baseline "$TEST_TMP/baseline"
like "$(cat "$TEST_TMP/baseline")" $'^sendense-standin.service\t1\t/run/lab-test/fifo$' "the baseline knows the daemon's descriptors"
is "$(look)$?" 0 "a machine after a finished job is clean"

# systemd
plant_socket_unit() { on hub systemd-run --quiet --unit=sendense-export-5-2000 --socket-property=ListenStream=/run/lab-test/nbd.sock true; }
unplant_socket_unit() { stop sendense-export-5-2000.socket; }
plants socket_unit units 'sendense-export-5-2000.socket is active \(listening\)'
plant_failed_image() { on hub systemd-run --quiet --wait --unit=sendense-image-5-check.service false || true; }
unplant_failed_image() { on hub systemctl reset-failed sendense-image-5-check.service; }
plants failed_image units 'sendense-image-5-check.service is failed'
plant_ended_copy() { on hub systemd-run --quiet -p RemainAfterExit=yes --unit=sendense-copy-5.service true; }
unplant_ended_copy() { stop sendense-copy-5.service; }
plants ended_copy units 'sendense-copy-5.service is active \(exited\)'
plant_unit_file() { on hub touch /run/systemd/transient/sendense-copy-9.service; }
unplant_unit_file() { on hub rm /run/systemd/transient/sendense-copy-9.service; }
plants unit_file units 'sendense-copy-9.service without its unit'
plant_failed_service() { on hub systemd-run --quiet --wait --unit=sendense-other.service false || true; }
unplant_failed_service() { on hub systemctl reset-failed sendense-other.service; }
plants failed_service failed-units 'sendense-other.service has failed'
plant_slice() { on hub systemctl start sendense-jobs-5.slice; }
unplant_slice() { stop sendense-jobs-5.slice; }
plants slice slices 'sendense-jobs-5.slice is active'
plant_target() { on hub systemctl start sendense-job@5.target; }
unplant_target() { stop sendense-job@5.target; }
plants target targets 'sendense-job@5.target is active'
plant_credential_folder() { on hub mkdir /run/credentials/sendense-copy-7.service; }
unplant_credential_folder() { on hub rmdir /run/credentials/sendense-copy-7.service; }
plants credential_folder credentials /run/credentials/sendense-copy-7.service
plant_credential() { unit sendense-copy-7.service -p Type=exec -p LoadCredential=pw:/run/lab-test/secret sleep 1000; }
unplant_credential() { stop sendense-copy-7.service; }
plants credential "credentials processes units"
ok "the credential of a running service" unit sendense-keeper.service -p Type=exec -p LoadCredential=pw:/run/lab-test/secret sleep 1000
is "$(look --without descriptors)$?" 0 "is its own"
stop sendense-keeper.service

# processes
plant_program() { unit other.service -p Type=exec /run/lab-test/sendense-backup-client 1000; }
unplant_program() { stop other.service; }
plants program processes 'sendense-backup-client\[[0-9]+\] belongs to a job'
plant_in_slice() { unit other.service -p Type=exec --slice=sendense-jobs-5.slice sleep 1000; }
unplant_in_slice() { stop other.service sendense-jobs-5.slice; }
plants in_slice "processes slices" 'sleep\[[0-9]+\] of other.service'
plant_open_file() { unit other.service -p Type=exec -p "StandardInput=file:$VM/2000/b.qcow2" sleep 1000; }
unplant_open_file() { stop other.service; }
plants open_file processes 'sleep\[[0-9]+\] has a file of the repository open'
plant_working() { unit other.service -p Type=exec nbdkit -f -U /run/lab-test/nbdkit.sock --filter=log null 1M "logfile=/dev/null" "--exportname=$VM/2000/b.qcow2"; }
unplant_working() { stop other.service; }
plants working processes 'nbdkit\[[0-9]+\] works on the repository'
plant_lock() {
    unit other.service -p Type=exec qemu-nbd --persistent --shared=10 -f qcow2 --socket=/run/lab-test/qemu.sock "$VM/2000/b.qcow2" &&
        eventually 30 on hub test -S /run/lab-test/qemu.sock
}
unplant_lock() { stop other.service; }
plants lock "locks processes" 'b.qcow2 is locked by qemu-nbd\['
# Locked from outside of the machine: its /proc shows nobody.
plant_hidden_lock() {
    qemu-nbd --persistent --fork --pid-file="$TEST_TMP/qemu.pid" -f qcow2 --socket="$TEST_TMP/qemu.sock" "$("$LAB" root hub)$VM/2000/b.qcow2"
}
unplant_hidden_lock() { kill "$(cat "$TEST_TMP/qemu.pid")"; }
plants hidden_lock locks 'locked by nobody that can be seen'
leak() { on hub /bin/bash -c "echo $1 >/run/lab-test/fifo" && eventually 30 on hub grep -qx "$1" /run/lab-test/done && on hub rm /run/lab-test/done; }
plant_descriptor() { leak leak; }
unplant_descriptor() { leak close; }
plants descriptor descriptors 'sendense-standin.service has 1 of /etc/hostname, and had 0'

# network
plant_socket_port() { on hub systemd-run --quiet --unit=other --socket-property=ListenStream=127.0.0.1:10150 true; }
unplant_socket_port() { stop other.socket; }
plants socket_port listeners 'other.socket listens on 127.0.0.1:10150'
plant_process_port() { unit other.service -p Type=exec nbdkit -f -p 9090 -i ::1 null && eventually 30 on hub grep -q ':2382 ' /proc/net/tcp6; }
unplant_process_port() { stop other.service; }
plants process_port listeners 'nbdkit\[[0-9]+\] of other.service listens on \[::1\]:9090'
plant_run_socket() { on hub systemd-run --quiet --unit=other --socket-property=ListenStream=/run/sendense/other.sock --socket-property=RemoveOnStop=yes true; }
unplant_run_socket() { stop other.socket; }
plants run_socket sockets '/run/sendense/other.sock of other.socket'
plant_stale_socket() { on hub systemd-run --quiet --unit=other --socket-property=ListenStream=/run/sendense/old.sock true && stop other.socket; }
unplant_stale_socket() { on hub rm /run/sendense/old.sock; }
plants stale_socket sockets '/run/sendense/old.sock, which nobody listens on'
ok "the tunnel's socket" on hub systemd-run --quiet --unit=sendense-tunnel --socket-property=ListenStream=127.0.0.1:10151 true
ok "the API's socket" on hub systemd-run --quiet --unit=sendense-hub-api --socket-property=ListenStream=/run/sendense/hub-api.sock true
ok "a port outside" on hub systemd-run --quiet --unit=other --socket-property=ListenStream=127.0.0.1:10201 true
is "$(look)$?" 0 "are no leftovers"
stop other.socket
on hub mkdir -p /etc/sendense/hub.conf.d
on hub sh -c "printf '[Exports]\nPorts=10100-10200\n' >/etc/sendense/hub.conf; printf '[Exports]\nPorts = 10300-10310\n' >/etc/sendense/hub.conf.d/50-ports.conf"
plant_configured_port() { on hub systemd-run --quiet --unit=other --socket-property=ListenStream=127.0.0.1:10305 true; }
unplant_configured_port() { stop other.socket; }
plants configured_port listeners 10305
on hub rm -r /etc/sendense/hub.conf.d

# repository and ledger
plant_partial() { on hub touch "$VM/2000/c.qcow2.partial" "$VM/2000/c.merge.partial"; }
unplant_partial() { on hub rm "$VM/2000/c.qcow2.partial" "$VM/2000/c.merge.partial"; }
plants partial partial-files "c.merge.partial"
plant_sums() { on hub install -D /dev/null /var/lib/sendense/sent/9-2000; }
unplant_sums() { on hub rm /var/lib/sendense/sent/9-2000; }
plants sums partial-files "sent/9-2000"
plant_tmp() { on hub touch "$VM/2000/.b.json.Xy3"; }
unplant_tmp() { on hub rm "$VM/2000/.b.json.Xy3"; }
plants tmp partial-files ".b.json.Xy3"
sql "INSERT INTO backup_repositories (name, path, created_usec) VALUES ('second', '/srv/second', 1)"
is "$(look --only partial-files)" "could not look at partial-files: the repository /srv/second is not there" "a second repository is looked at"
sql "UPDATE backup_repositories SET path = CONCAT(path, '-x') WHERE id = 1"
is "$(look --only partial-files | wc -l)" 1 "and the first as well"
sql "UPDATE backup_repositories SET path = '$REPO' WHERE id = 1"
on hub mkdir /srv/second
plant_second() { on hub touch /srv/second/x.tmp; }
unplant_second() { on hub rm /srv/second/x.tmp; }
plants second partial-files /srv/second/x.tmp
plant_ledger() { on hub mkdir -p /var/lib/sendense-node/ledger && on hub touch /var/lib/sendense-node/ledger/5.json; }
unplant_ledger() { on hub rm /var/lib/sendense-node/ledger/5.json; }
plants ledger ledger 5.json

# database
plant_lease() { sql "INSERT INTO port_leases (port, job_id, backup_disk_id, export_name, unit, boot_id, leased_usec) VALUES (10107, 5, 1, 'x-1', 'sendense-export-5-2000.service', REPEAT('0', 32), 1)"; }
unplant_lease() { sql "DELETE FROM port_leases"; }
plants lease leases 'port 10107, job 5, sendense-export-5-2000.service'
plant_obligation() { sql "INSERT INTO obligations (id, kind, subject, job_id, created_usec, next_attempt_usec) VALUES (2, 'remove-snapshot', 'snapshot-7', 5, 1, 1)"; }
unplant_obligation() { sql "UPDATE obligations SET state = 'done', done_usec = 3 WHERE id = 2"; }
plants obligation obligations 'obligation 2, remove-snapshot, snapshot-7, 0 attempts'
plant_job() { sql "INSERT INTO backup_jobs (id, backup_id, vm_context_id, repository_id, backup_type, state, principal, created_usec) VALUES (6, 'backup-vm-2', 1, 1, 'full', 'copying', 'root', 1)"; }
unplant_job() { sql "UPDATE backup_jobs SET state = 'cancelled', finished_usec = 3 WHERE id = 6"; }
plants job jobs 'job 6, copying, backup-vm-2'

all_tried --without vcenter

# What it cannot see is not clean.
blind() { # WANT NAME OPTION...
    local out rc
    out=$(look "${@:3}")
    rc=$?
    is "$rc" 2 "$2: could not look"
    like "$out" "$1" "$2: says why" || diag "$out"
}
blind 'descriptors: there is no baseline' "no baseline" --since /dev/null
like "$("$NOTHING_LEFT" --machine hub --only vcenter; echo "rc $?")" 'snapshots: which vCenter.*' "no vCenter: says so"
blind 'the repository /srv/none is not there' "no repository" --repository /srv/none
on hub sh -c "printf '[Exports]\nPorts=10100\n' >/etc/sendense/hub.conf"
blind "listeners: '10100' in /etc/sendense is no range" "ports not understood" --only listeners
on hub rm /etc/sendense/hub.conf
on hub systemctl kill --signal=STOP mariadb
blind 'no answer from /run/mysqld/mysqld.sock|Lost connection' "a frozen database" --only leases
on hub systemctl kill --signal=CONT mariadb
sql "DROP TABLE port_leases"
blind "Table 'sendense.port_leases' doesn't exist" "a missing table" --only leases
is "$(look --without database)$?" 0 "unless told so"
stop mariadb
blind 'jobs: ERROR 2002' "a stopped database"
is "$(look --without database)$?" 0 "unless told so"
on hub systemctl start mariadb
"$LAB" down
blind 'could not look at machine hub' "a machine that is off" --only units
not_ok "an unknown kind is refused" "$NOTHING_LEFT" --here --only unit
done_testing
