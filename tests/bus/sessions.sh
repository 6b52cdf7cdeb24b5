#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who speaks for others: tokens and their roles, sessions that are good on one connection, local processes by their user, and a user
# who has no right of its own. The real polkitd decides, and the hub is asked as its HTTP API asks it.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private -- "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"

polkitd=/usr/lib/polkit-1/polkitd
[ -x "$polkitd" ] || skip_all "polkitd is not installed"
{ grep -v '^sendense' /etc/passwd && echo 'sendense:x:64711:64711::/nonexistent:/usr/sbin/nologin' &&
    echo 'sendense-hub-api:x:64712:64712::/nonexistent:/usr/sbin/nologin'; } >"$TEST_TMP/passwd"
{ grep -v '^sendense' /etc/group && printf 'sendense:x:64711:\nsendense-hub-api:x:64712:\n'; } >"$TEST_TMP/group"
chmod 0644 "$TEST_TMP/passwd" "$TEST_TMP/group"
mount --bind "$TEST_TMP/passwd" /etc/passwd && mount --bind "$TEST_TMP/group" /etc/group || exit 1
as_hub=(setpriv --reuid=sendense --regid=sendense --clear-groups --inh-caps=+dac_override --ambient-caps=+dac_override --)
as_api=(setpriv --reuid=sendense-hub-api --regid=sendense-hub-api --clear-groups --)

private_bus_start "$hub_policy" || exit 1
hub_database=$private_bus_dir/mariadb/mysqld.sock
mariadb_start "$private_bus_dir/mariadb" || exit 1
hub_config 'User=sendense' 'ConnectTimeoutSec=8s' '[Hub]' 'LogLevel=debug'
require "the migrations apply" "$SENDENSE_BUILD/helpers/migrate/sendense-migrate" --config="$TEST_TMP/hub.conf"
export SENDENSE_API_SOCKET=$private_bus_dir/peers/api
hub_start "${as_hub[@]}" || exit 1
require "the database is ready" eventually 30 hub_property_is DatabaseState 's "ready"'

mkdir "$private_bus_dir/rules"
cat >"$private_bus_dir/rules/10-test.rules" <<'RULES'
polkit.addRule(function (action, subject) {
    if (action.id == "com.sendense.hub.inspect" && (subject.user == "nobody" || subject.user == "sendense-hub-api"))
        return polkit.Result.YES;
});
RULES
chmod 0755 "$private_bus_dir/rules"
mount --bind "$private_bus_dir/rules" /etc/polkit-1/rules.d || exit 1
mount --bind "$SENDENSE_SRC/deploy/polkit" /usr/share/polkit-1/actions || exit 1
"$polkitd" --no-debug >"$TEST_TMP/polkitd.log" 2>&1 </dev/null &
at_end "kill -KILL $!"
require "polkit is there" bus_wait_name org.freedesktop.PolicyKit1 10

install -d -m 0777 "$private_bus_dir/peers"
call() { # METHOD [ARGUMENT...]: what root is told, in $answer
    answer=$(gdbus call --system --timeout 30 --dest "$hub_name" --object-path "$hub_path" --method "$hub_manager.$1" -- "${@:2}" 2>&1)
}
refused() { like "$answer" "com.sendense.Error.$1:? .*$2" "$3"; }
rows() { mariadb_sql sendense -e "$1" | tr '\t' ' '; }
digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
none='@a{sv} {}'

# Tokens.
look=$(openssl rand -hex 32) work=$(openssl rand -hex 32) all=$(openssl rand -hex 32)
call CreateToken look "$(digest "$look")" "['inspect']" "$none"
like "$answer" '^\(uint64 [0-9]+,\)$' "a token that may look"
call CreateToken work "$(digest "$work")" "['backup', 'inspect', 'backup']" "$none"
call CreateToken all "$(digest "$all")" "['manage','inspect','backup','restore','delete']" "$none"
call CreateToken look "$(digest "other")" "['inspect']" "$none"
refused Exists 'named look' "a name is given once"
call CreateToken other "$(digest "$look")" "['inspect']" "$none"
refused Exists 'known already' "and a token"
for wrong in "x '' ['inspect']" "x zz$(digest x | cut -c3-) ['inspect']" "x $(digest x)0 ['inspect']" "x $(digest x) @as []" "x $(digest x) ['root']" \
    "7 $(digest x) ['inspect']" "-x $(digest x) ['inspect']" "a/b $(digest x) ['inspect']" "a:b $(digest x) ['inspect']" "$(printf 'a%.0s' {1..65}) $(digest x) ['inspect']"; do
    read -r name hex roles <<<"$wrong"
    call CreateToken "$name" "$hex" "$roles" "$none"
    refused InvalidArgument '' "refused: a token ${name:0:20} ${hex:0:8} $roles"
done
call CreateToken old "$(digest x)" "['inspect']" "{'expires_usec': <uint64 1000000>}"
refused InvalidArgument 'in the future' "a token that has expired already is none"
call ListTokens "$none"
like "$answer" "'Name': <'all'>, 'Roles': <\['inspect', 'backup', 'restore', 'delete', 'manage'\]>, 'State': <'valid'>, 'CreatedBy': <'uid:0'>" "they are listed"
unlike "$answer" "$(digest "$look" | cut -c1-20)" "without digests"

# The API, on two connections.
install -m 755 "$SENDENSE_BUILD/tests/bus/session-peer" "$TEST_TMP/session-peer"
say() { # COMMAND...: to the first connection; its answer in $answer
    printf '%s\n' "$*" >&"${to:-7}"
    read -r -t 30 -u "${from:-8}" answer || answer="no answer"
}
start() { # FD-OUT FD-IN NAME COMMAND...
    mkfifo "$TEST_TMP/to-$3" "$TEST_TMP/from-$3"
    "${@:4}" "$TEST_TMP/session-peer" <"$TEST_TMP/to-$3" >"$TEST_TMP/from-$3" 2>&1 &
    at_end "kill $! 2>/dev/null"
    eval "exec $1>'$TEST_TMP/to-$3' $2<'$TEST_TMP/from-$3'"
}
start 7 8 one "${as_api[@]}"
start 5 6 two "${as_api[@]}"
second() { to=5 from=6 say "$@"; }

say call ListJobs -
like "$answer" 'AccessDenied uid:64712 may not call .*ListJobs .*by a session of theirs' "the API's own user may nothing, whatever polkit says of it"
say level -
like "$answer" 'AccessDenied' "nor manage"
say token "$look"
like "$answer" '^[0-9a-f]{32}$' "a token is shown: a session"
s_look=$answer
say token "$look"
is "$answer" "$s_look" "the same again for the same token"
say token "$work"
s_work=$answer
ok "another for another" test "$s_work" != "$s_look"
say call ListJobs "$s_look"
is "$answer" ok "the token that may look lists jobs"
say start vm "$s_look"
like "$answer" 'AccessDenied token:look may not call .*StartBackup .*hub.backup.*: the token has no such role' "it starts no backup"
say cancel 1 "$s_look"
like "$answer" 'AccessDenied token:look' "and cancels none"
say level "$s_look"
like "$answer" 'AccessDenied token:look' "nor does it manage"
say call ListTokens "$s_work"
like "$answer" 'AccessDenied token:work' "one that may back up lists no tokens"
say cancel 1 "$s_work"
like "$answer" 'NotFound No job 1 is open' "but may cancel"
say unchecked "$s_work"
like "$answer" 'AccessDenied' "what no right can be granted for is refused"
say token "$all"
s_all=$answer
say unchecked "$s_all"
like "$answer" 'AccessDenied' "to every token"
say level "$s_all"
is "$answer" ok "one with all roles manages"
ok "the journal says who it was" grep -q 'Log level .* by token:all' "$hub_log"

# Sessions are of one connection.
second call ListJobs "$s_look"
like "$answer" 'com.sendense.Error.Unauthorized This connection has no such session' "the session of another connection is refused"
second token "$look"
ok "it gets one of its own" test "$answer" != "$s_look"
for wrong in "" "${s_look:0:31}" "${s_look}0" "$(tr 0-9a-f 1-9a-f0 <<<"$s_look")"; do
    say call ListJobs "${wrong:-x}"
    like "$answer" 'Unauthorized|InvalidArgument' "a session '${wrong:0:8}…' that was not given out is refused"
done
# The option is everywhere, is text, and is given once; root gains nothing by it.
call ListJobs "{'session': <'$s_look'>}"
refused Unauthorized '' "root has no such session either"
call ListJobs "{'session': <uint32 7>}"
refused InvalidArgument 'session must be a string' "a session is text"
call ListJobs "{'sessions': <'x'>}"
refused UnknownOption '' "what is no option stays none"

# Credentials that are none.
say token "$(openssl rand -hex 32)"
like "$answer" 'com.sendense.Error.Unauthorized This token is unknown' "a token that nobody made"
say token "$(digest "$look")"
like "$answer" 'Unauthorized' "the digest of a token is no token"
say token "$(printf 'a%.0s' {1..255})"
like "$answer" 'Unauthorized' "nor is anything long"
say file /etc/passwd
like "$answer" 'InvalidArgument .*sealed memfd' "a file is no credential"
unlike "$(cat "$hub_log" "$private_bus_dir/mariadb/"*.log 2>/dev/null)" "$look" "no log has a token"

# Local processes.
peer() { # COMMAND...: who connects to the API; its session in $answer
    rm -f "$private_bus_dir/peers/api"
    printf 'peer %s\n' "$private_bus_dir/peers/api" >&7
    read -r -t 30 -u 8 answer
    "$@" socat -u /dev/null "UNIX-CONNECT:$private_bus_dir/peers/api"
    read -r -t 30 -u 8 answer || answer="no answer"
}
# Who listens is not who asks: a hub that took any socket would take the API for root.
socat -u "UNIX-LISTEN:$private_bus_dir/peers/root,mode=0777" - >/dev/null 2>&1 &
at_end "kill $! 2>/dev/null"
ok "root listens" eventually 30 test -S "$private_bus_dir/peers/root"
say connected "$private_bus_dir/peers/root"
like "$answer" 'InvalidArgument .*that the HTTP API has accepted' "a socket that the API has connected to root makes no root of it"
peer env
s_root=$answer
like "$s_root" '^[0-9a-f]{32}$' "root connects: a session"
say level "$s_root"
is "$answer" ok "root manages"
say unchecked "$s_root"
like "$answer" 'AccessDenied' "but by what everybody may be granted, no more"
rm -f "$private_bus_dir/peers/api"
printf 'peer %s\n' "$private_bus_dir/peers/api" >&7
read -r -t 30 -u 8 answer
"${nobody[@]}" socat -u "UNIX-CONNECT:$private_bus_dir/peers/api" - </dev/null >/dev/null &
socat_pid=$!
at_end 'kill "$socat_pid" 2>/dev/null'
read -r -t 30 -u 8 answer
s_nobody=$answer
like "$s_nobody" '^[0-9a-f]{32}$' "nobody connects: a session"
say call ListJobs "$s_nobody"
is "$answer" ok "polkit's rule lets nobody look"
say start vm "$s_nobody"
like "$answer" 'AccessDenied uid:65534 may not call .*StartBackup .*polkit' "but start no backup"
kill "$socat_pid"
wait "$socat_pid" 2>/dev/null
say call ListJobs "$s_nobody"
like "$answer" 'AccessDenied uid:65534 .*polkit does not know who asks' "who has left is refused"
like "$(grep -c 'Cannot ask polkit' "$hub_log")" '^0$' "and polkit does not count as lost for that"

# The end of tokens.
call RevokeToken look "$none"
is "$answer" '()' "a token is revoked"
say call ListJobs "$s_look"
like "$answer" 'com.sendense.Error.Unauthorized' "its session is refused at once"
say token "$look"
like "$answer" 'Unauthorized' "and it gets no other"
say call ListJobs "$s_work"
is "$answer" ok "other sessions go on"
call RevokeToken nothing "$none"
refused NotFound "no token 'nothing'" "what is not there cannot be revoked"
call RevokeToken look "$none"
is "$answer" '()' "what is revoked may be revoked again"
call CreateToken look "$(digest new)" "['inspect']" "$none"
refused Exists 'or was' "its name is not given again"
rows "UPDATE api_tokens SET expires_usec = $(($(date +%s) + 10))000000 WHERE name = 'work'"
second token "$work"
s_short=$answer
second call ListJobs "$s_short"
is "$answer" ok "a token that expires soon is good"
gone() {
    second call ListJobs "$s_short"
    [[ $answer == *Unauthorized* ]]
}
ok "until then" eventually 60 gone
second token "$work"
like "$answer" 'Unauthorized' "and gets no session any more"
call ListTokens "$none"
like "$answer" "'Name': <'work'>.*'State': <'expired'>" "the list says so"

# A hub's end.
hub_stop
hub_start "${as_hub[@]}" || exit 1
require "the database is ready again" eventually 30 hub_property_is DatabaseState 's "ready"'
say call ListJobs "$s_all"
like "$answer" 'Unauthorized' "another hub knows no session of this one"
say token "$all"
say call ListJobs "$answer"
is "$answer" ok "and gives new ones"
mariadb_stop
gone() { hub_property_is DatabaseState 's "unreachable"'; }
ok "the database goes" eventually 30 gone
say token "$all"
like "$answer" 'com.sendense.Error.DatabaseUnavailable' "without a database no token is known, and that is not the token's fault"
done_testing
