# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# sendense-migrate against the throw-away MariaDB. Source it after tap.sh and mariadb.bash.

migrate_program=$SENDENSE_BUILD/helpers/migrate/sendense-migrate
# The same sources, but it can be killed at each durable step.
migrate_faulty=$SENDENSE_BUILD/tests/sql/migrate-faulty
migrate_log=$TEST_TMP/migrate.log

# migrate_config [PROBE-SEC [QUERY-TIMEOUT-SEC [CONNECT-TIMEOUT-SEC]]]: writes the config. A server on a busy machine greets late.
migrate_config() {
    printf '[Database]\nSocket=%s\nUser=nobody\nConnectTimeoutSec=%s\nQueryTimeoutSec=%s\nProbeSec=%s\n' \
        "$mariadb_socket" "${3:-8s}" "${2:-2s}" "${1:-300ms}" >"$TEST_TMP/hub.conf"
}

# migrate [ARG...]: its exit status; what it said is in $migrate_log.
migrate() {
    "${migrate_now:-$migrate_program}" --config="$TEST_TMP/hub.conf" "$@" >"$migrate_log" 2>&1
}

migrate_forget() {
    mariadb_sql -e "DROP DATABASE IF EXISTS sendense; DROP USER IF EXISTS nobody@localhost"
}

# What the tables look like, without what differs from run to run.
schema_dump() {
    mariadb-dump --no-defaults --socket="$mariadb_socket" --no-data --skip-comments --skip-add-drop-table \
        --skip-set-charset --skip-tz-utc --compact "${1:-sendense}" |
        sed -E '/^\/\*!40101 SET/d; /^\/\*M?!.*sandbox/d; s/ AUTO_INCREMENT=[0-9]+//'
}
