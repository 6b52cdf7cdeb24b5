# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# A throw-away MariaDB for tests: its own data folder, a unix socket and no network, ready in a fraction
# of a second. It writes but never syncs: its data outlive its own death, not the machine's. Source it after tap.sh; one server at a time. Any suite may use it.
#
#   mariadb_start DIR       (not in a subshell, as `ok` would) starts it (on the data of DIR, if there are any) and waits until it answers;
#                           sets mariadb_socket and mariadb_pid
#   mariadb_launch DIR      the same, but does not wait
#   mariadb_stop            ends it as an operator would; mariadb_kill: at once, as a crash would
#   mariadb_freeze, mariadb_thaw
#   mariadb_sql [ARG...]    the command line client as MariaDB's root: mariadb_sql -e 'SELECT 1'
#   mariadb_as_nobody CMD   runs a command as the user "nobody", who can reach the socket nevertheless

mariadb_dir=
mariadb_socket=
mariadb_pid=
mariadb_registered=

# The files of a new installation, made once for each version of MariaDB in the build folder.
mariadb_template() {
    local version template
    version=$(mariadbd --no-defaults --version | sed -nE 's/.* Ver ([^ ]+).*/\1/p')
    template=$SENDENSE_BUILD/mariadb-template/${version:?no version of mariadbd}
    mkdir -p "${template%/*}"
    (
        flock 9
        [ ! -d "$template" ] || exit 0
        rm -rf "$template.new"
        mkdir "$template.new"
        mariadb-install-db --no-defaults --datadir="$template.new" --user=root --skip-test-db \
            --skip-name-resolve --auth-root-authentication-method=socket --auth-root-socket-user=root \
            --innodb-log-file-size=4M >"$template.log" 2>&1 && mv -T "$template.new" "$template"
    ) 9>"${template%/*}/.lock" || {
        diag "mariadb-install-db failed:" "$(tail -n 5 "$template.log")"
        return 1
    }
    printf '%s\n' "$template"
}

mariadb_launch() {
    local template
    mariadb_dir=$1
    mariadb_socket=$1/mysqld.sock
    # The kernel's limit for the path of a unix socket.
    [ "${#mariadb_socket}" -lt 108 ] || {
        diag "$mariadb_socket is too long for a socket"
        return 1
    }
    if [ ! -d "$1/data" ]; then
        template=$(mariadb_template) || return 1
        mkdir -p "$1" && cp -r --reflink=auto "$template" "$1/data" || return 1
    fi
    rm -f "$mariadb_socket"
    # A server that starts removes temporary tables, those of others in the same folder, too.
    mkdir -p "$1/tmp"
    mariadbd --no-defaults --user=root --datadir="$1/data" --tmpdir="$1/tmp" --socket="$mariadb_socket" --skip-networking \
        --skip-name-resolve --skip-log-bin --performance-schema=off --innodb-buffer-pool-size=16M \
        --innodb-log-file-size=4M --innodb-flush-log-at-trx-commit=2 --innodb-use-native-aio=0 \
        --debug-no-sync --innodb-flush-method=nosync --skip-sync-frm --innodb-fast-shutdown=2 --general-log-file="$1/general.log" --log-error="$1/error.log" \
        --pid-file="$1/pid" </dev/null >/dev/null 2>&1 9>&- &
    mariadb_pid=$!
    [ -n "$mariadb_registered" ] || at_end mariadb_kill
    mariadb_registered=1
}

mariadb_answers() {
    mariadb_sql -e 'SELECT 1' 2>/dev/null
}

mariadb_start() {
    mariadb_launch "$1" && eventually 60 mariadb_answers && return 0
    diag "MariaDB does not start:" "$(tail -n 15 "$1/error.log" 2>/dev/null)"
    return 1
}

# An end that nobody asked for (MariaDB 10.11 has crashed under these tests, some once in a thousand runs) is an
# accident: tests/run tells of it and runs the test once more.
mariadb_end() { # SIGNAL
    local status=0
    [ -n "$mariadb_pid" ] || return 0
    kill -CONT "$mariadb_pid" 2>/dev/null || :
    kill "-$1" "$mariadb_pid" 2>/dev/null || :
    wait "$mariadb_pid" 2>/dev/null || status=$?
    mariadb_pid=
    case $1:$status in
    TERM:0 | TERM:143 | KILL:137 | *:127) return 0 ;;
    esac
    {
        printf 'mariadbd had ended by itself, status %d:\n' "$status"
        { sed -n '/got signal/,$p' "$mariadb_dir/error.log" | grep . || tail -n 20 "$mariadb_dir/error.log"; } | head -n 60
    } >>"${TEST_ACCIDENT:-/dev/stderr}"
}
mariadb_stop() { mariadb_end TERM; }
mariadb_kill() { mariadb_end KILL; }

# Stopped, every thread of it: the signal is only asked for when kill returns, and a question that comes in between
# would still be answered.
mariadb_freeze() {
    local state
    kill -STOP "$mariadb_pid" || return 1
    for _ in {1..2000}; do
        state=$(sed -E 's/.*\) (.).*/\1/' /proc/"$mariadb_pid"/task/*/stat | tr -d '\nT')
        [ -n "$state" ] || return 0
        sleep 0.005
    done
    echo "MariaDB does not stop: thread state $state" >&2
    return 1
}

mariadb_thaw() { kill -CONT "$mariadb_pid"; }

mariadb_sql() {
    mariadb --no-defaults --socket="$mariadb_socket" --default-character-set=utf8mb4 --connect-timeout=5 \
        --skip-column-names --batch --unbuffered "$@" </dev/null
}

# MariaDB knows the user by the process's uid. The folders of a test are root's alone, so the process
# keeps the one power that is needed to reach the socket.
mariadb_as_nobody() {
    setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=+dac_override \
        --ambient-caps=+dac_override -- "$@"
}
