# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Probes of the database, as root over MariaDB's unix socket: port leases, obligations, open jobs. They only read.

# database_query SQL: sets ANSWER to the rows, or to the error.
database_query() {
    local socket name
    ANSWER=
    if ! socket=$(setting Database Socket /run/mysqld/mysqld.sock) || ! name=$(setting Database Name sendense); then
        ANSWER="$PLACE_CONFIG cannot be read"
        return 1
    fi
    command -v mariadb >/dev/null || {
        ANSWER="mariadb is missing (package mariadb-client)"
        return 1
    }
    # A frozen server accepts the connection and never answers.
    ANSWER=$(timeout --kill-after=1 5 mariadb --no-defaults --protocol=socket --socket="$socket" --user=root \
        --connect-timeout=3 --batch --skip-column-names "$name" --execute="$1" 2>&1)
    case $? in
    0) return 0 ;;
    124 | 137) ANSWER="no answer from $socket within 5 s" ;;
    esac
    return 1
}

# look_rows SQL TABLE: the first column says what it is.
look_rows() {
    local row
    database_query "$1" || {
        cannot "$ANSWER"
        return 0
    }
    while IFS= read -r row; do
        [ -z "$row" ] || leftover "${row//$'\t'/, }" "mariadb sendense -e 'SELECT * FROM $2'"
    done <<<"$ANSWER"
}

look_leases() {
    look_rows "SELECT CONCAT('port ', port), CONCAT('job ', job_id), unit FROM port_leases ORDER BY port" port_leases
}

look_obligations() {
    look_rows "SELECT CONCAT('obligation ', id), kind, subject, CONCAT(attempts, ' attempts'), COALESCE(error_text, '')
        FROM obligations WHERE state <> 'done' ORDER BY id" obligations
}

look_jobs() {
    look_rows "SELECT CONCAT('job ', id), state, backup_id FROM backup_jobs
        WHERE state NOT IN ('completed', 'failed', 'cancelled') ORDER BY id" backup_jobs
}
