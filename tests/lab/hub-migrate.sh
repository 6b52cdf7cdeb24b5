#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-migrate as a unit: it makes database and user once, twice changes nothing, and refuses a database that
# is newer than the program; the hub says the same on the bus.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready

dump() { hub mariadb-dump --skip-comments --skip-dump-date "$@" sendense; }

schema=$(prop DatabaseSchema | cut -d ' ' -f 2)
is "$(prop ProgramSchema)" "u $schema" "the database has the schema that the hub was built for"
like "$(hub mariadb -NBe "SELECT JSON_VALUE(Priv, '$.plugin') FROM mysql.global_priv WHERE User = 'sendense'")" unix_socket \
    "the hub's database user is known by its socket, without a password"
is "$(hub mariadb -NBe "SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'sendense' AND Host != 'localhost'")" 0 \
    "and from this machine only"

# The hub writes once by itself: the marker of the repository that it has looked at.
ok "the hub has looked at its repository" eventually "$patience_sec" hub bash -c \
    '[ "$(mariadb -NBe "SELECT COUNT(*) FROM sendense.backup_repositories WHERE repository_uuid IS NOT NULL")" = 1 ]'
before=$(dump)
tables=$(dump --no-data)
ok "a second run" hub systemctl restart sendense-migrate
ok "and a third, at the same time as a fourth" in_hub '
    program=$(systemctl cat sendense-migrate | sed -n "s/^ExecStart=\([^ ]*\).*/\1/p")
    "$program" & first=$!
    "$program" && wait "$first"'
is "$(md5sum <<<"$(dump)")" "$(md5sum <<<"$before")" "leave the database as it was"
is "$(hub systemctl --failed --no-legend | wc -l)" 0 "no unit has failed"

# A database from the future.
hub mariadb sendense -e "INSERT INTO schema_migrations (number, name, sha256, statements, statements_done,
    program_version, started_usec, finished_usec) VALUES (9999, 'from-the-future', REPEAT('0', 64), 1, 1, '99.0', 1, 1)"
not_ok "a newer database is refused" hub systemctl restart sendense-migrate
hub journalctl --quiet --sync
like "$(lab journal hub -u sendense-migrate -o cat "MESSAGE_ID=$(message_id migration-failed)" | tail -n 1)" \
    "9999.*[^0-9]${schema}[^0-9]|[^0-9]${schema}[^0-9].*9999" "in one line with both numbers"

# A journald that is behind: what the program said last is its unit's all the same, although it ended at once.
refused() { hub journalctl --quiet -u sendense-migrate -o cat "MESSAGE_ID=$(message_id migration-failed)" | wc -l; }
before=$(refused)
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'systemctl reset-failed sendense-migrate
    systemctl kill --signal=STOP systemd-journald
    systemctl restart --no-block sendense-migrate
    end=$((${EPOCHREALTIME/[.,]/} + 1000000))
    until systemctl --quiet is-failed sendense-migrate || [ "${EPOCHREALTIME/[.,]/}" -gt "$end" ]; do sleep 0.05; done
    systemctl kill --signal=CONT systemd-journald'
ok "migrate is refused, with a journal that is behind" eventually "$patience_sec" hub systemctl is-failed sendense-migrate
hub journalctl --quiet --sync
is "$(refused)" $((before + 1)) "and 'journalctl -u' shows why"
hub systemctl restart sendense-hub
ok "the hub refuses it too" wait_prop "$patience_sec" DatabaseState 's "schema-newer"'
is "$(prop State)" 's "degraded"' "and is degraded, but there"
like "$(prop DatabaseError)" "9999" "the error on the bus names the number"
not_ok "sendensectl status ends with a failure" hub sendensectl status
not_ok "so does sendensectl version" hub sendensectl version
like "$(hub sendensectl version 2>&1)" "9999" "which names the number"

hub mariadb sendense -e "DELETE FROM schema_migrations WHERE number = 9999"
ok "without it, migrate is content again" hub systemctl restart sendense-migrate
ok "and the hub is ready by itself" wait_prop "$patience_sec" DatabaseState 's "ready"'

# No database at all, under a running hub.
hub mariadb -e "DROP DATABASE sendense"
ok "a hub whose database is dropped says so" wait_prop "$patience_sec" State 's "degraded"'
ok "migrate makes it again" hub systemctl restart sendense-migrate
ok "with the same tables" test "$(dump --no-data)" = "$tables"
ok "and the hub finds it by itself" wait_prop "$patience_sec" DatabaseState 's "ready"'

done_testing
