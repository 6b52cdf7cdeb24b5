#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# New packages over old ones: while a job copies, which goes on with the very same processes; over the database of the
# previous schema, which is brought to this one before the hub starts; and where the administrator has switched things off.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"

all="sendense-common sendense-hub sendense-node sendensectl"
[ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"
for version in 1 2; do packages_make $version --build "$SENDENSE_BUILD"; done
machine_up --hook "$SENDENSE_SRC/tests/lab/database-machine"
hub systemctl --quiet enable --now mariadb.service
# shellcheck disable=SC2086 # a list of names
upgrade() { ok "$2" installs "$1" $all; }

upgrade 1 "version 1 is installed"
hub_answers "version 1"

# A VM of one disk, whose source gives 64 MiB as fast as /srv/rate says.
in_hub 'set -e
    install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/50-test.conf <<<"[Backup]
AllowSources=yes"
    systemctl restart sendense-hub
    mkdir -p /run/source
    head -c 64M /dev/urandom >/srv/2000.raw
    echo 8M >/srv/rate
    systemd-run --quiet --unit=source nbdkit -f -r -U /run/source/2000.sock --filter=rate file /srv/2000.raw rate-file=/srv/rate
    timeout 20 bash -c "until [ -S /run/source/2000.sock ]; do sleep 0.05; done"
    chmod 666 /run/source/2000.sock
    timeout 60 bash -c "until sendensectl database probe; do sleep 0.2; done" >/dev/null
    sendensectl vm set - <<<"$1"' '{"instance_uuid": "50112233-4455-6677-8899-aabbccddeeff", "name": "small", "path": "/Lab/vm/small", "disks": [
        {"key": 2000, "unit_number": 0, "controller": "pvscsi:1000", "capacity_bytes": 67108864, "backing_uuid": "6000C290-0000-0000-0000-000000002000"}]}' >/dev/null
is $? 0 "there is a VM"

state() { hub mariadb -NBe 'SELECT state FROM sendense.backup_jobs WHERE id = 1'; }
state_is() { [ "$(state)" = "$1" ]; }
# main PID, and since when they run, of what a job runs as and of what daemons hang on.
kept() {
    in_hub 'for unit in $(systemctl list-units --plain --no-legend --state=active "sendense-export-*" "sendense-import-*" sendense-node-credentials.socket sendense-node-api.socket | cut -d" " -f1); do
        systemctl show --value -p Id -p MainPID -p InvocationID "$unit" | paste -sd" "
    done'
}
hub sendensectl backup start small --source='2000=nbd+unix:///?socket=/run/source/2000.sock' >/dev/null
ok "a job copies" eventually "$patience_sec" state_is copying
ok "by a unit" eventually "$patience_sec" hub systemctl is-active sendense-import-1.service
was=$(kept)
like "$was" '^[0-9]+ sendense-export-1-2000.service [0-9a-f]{32}$' "into another"
daemons="$(unit sendense-hub MainPID) $(unit sendense-node MainPID)"
upgrade 2 "version 2 is installed meanwhile"
hub_answers "version 2"
is "$(kept)" "$was" "what the job runs as was not touched, nor were the node's sockets"
is "$(state)" copying "the job still copies"
now="$(unit sendense-hub MainPID) $(unit sendense-node MainPID)"
ok "hub and node are other processes" test "${now% *}" != "${daemons% *}" -a "${now#* }" != "${daemons#* }"
hub sh -c 'echo 0 >/srv/rate.new && mv /srv/rate.new /srv/rate'
ok "the job completes" eventually "$patience_sec" state_is completed || diag "$(hub sendensectl job show 1)"
ok "with what the disk holds" in_hub 'qemu-img compare -q -f raw -F qcow2 /srv/2000.raw /var/lib/sendense/repository/*/2000/*.qcow2'

# Removed under a job: nothing of it goes on, and a hub that comes back clears up.
hub sh -c 'echo 8M >/srv/rate'
hub sendensectl backup start small --type=full --source='2000=nbd+unix:///?socket=/run/source/2000.sock' >/dev/null
ok "another job copies" eventually "$patience_sec" hub systemctl is-active sendense-import-2.service
ok "the packages are removed under it" apt remove sendense-hub sendense-node sendense-common
is "$(runs)" "" "nothing of them runs"
is "$(hub pgrep -c 'qemu-nbd|nbdcopy')" 0 "no process is left"
diag "its source ended with $(unit source ExecMainCode) $(unit source ExecMainStatus)"
hub sh -c 'systemctl --quiet stop source.service; systemctl --quiet reset-failed source.service' 2>/dev/null
upgrade 2 "version 2 is installed again"
hub_answers "version 2 again"
job_over() { [[ $(hub mariadb -NBe 'SELECT state FROM sendense.backup_jobs WHERE id = 2') =~ ^(failed|completed|cancelled|interrupted)$ ]]; }
ok "the job comes to an end" eventually "$patience_sec" job_over
diag "job 2: $(hub mariadb -NBe "SELECT state, error_text FROM sendense.backup_jobs WHERE id = 2")"
ok "nothing of it is left" "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --within "$patience_sec" --without vcenter,descriptors

# What an administrator has disabled stays off.
hub systemctl --quiet disable --now sendense-node.service
upgrade 1 "version 1 is installed again"
hub_answers "version 1"
is "$(hub systemctl is-active sendense-node; hub systemctl is-enabled sendense-node)" "inactive
disabled" "a node that was disabled stays so"

# The database of the previous schema, with something in it.
newest=$(hub mariadb -NBe 'SELECT MAX(number) FROM sendense.schema_migrations')
hub systemctl stop sendense-hub
hub mariadb -NBe "SELECT number, name, sha256, statements FROM sendense.schema_migrations WHERE number < $newest" >"$TEST_TMP/rows"
{
    echo 'DROP DATABASE sendense; CREATE DATABASE sendense; USE sendense;'
    while read -r number name sha256 statements; do
        [ "$number" != 1 ] || cat "$SENDENSE_SRC"/sql/0000-*.sql
        cat "$SENDENSE_SRC/sql/$(printf %04d "$number")-$name.sql"
        echo "INSERT INTO schema_migrations VALUES ($number, '$name', '$sha256', $statements, $statements, '0.0.9', 1, 2);"
    done <"$TEST_TMP/rows"
    echo "INSERT INTO api_tokens (name, token_sha256, roles, created_by, created_usec) VALUES ('kept', REPEAT('x', 32), 'inspect', 'uid:0', 1);"
} >"$TEST_TMP/previous.sql"
on hub mariadb <"$TEST_TMP/previous.sql"
is "$(hub mariadb -NBe 'SELECT MAX(number) FROM sendense.schema_migrations')" "$((newest - 1))" "the database is of the previous schema"
upgrade 2 "version 2 is installed over it"
hub_answers "over the previous schema"
is "$(prop DatabaseSchema)" "u $newest" "the schema is this one"
is "$(hub mariadb -NBe 'SELECT name FROM sendense.api_tokens')" kept "what was in it is there"
is "$(hub sendensectl repository scan local >/dev/null; hub sendensectl backup list | grep -c 'small')" 1 "and backups are learnt from the repository"

# Purged while MariaDB is away: its part stays, and the way to remove it is said.
hub systemctl stop mariadb
says=$(apt purge sendense-hub sendense-node sendense-common sendensectl 2>&1)
is $? 0 "all are purged without MariaDB"
like "$says" "MariaDB does not answer, .* mariadb -e 'DROP DATABASE sendense'" "which says what stays"
done_testing
