#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl against a hub that says what the test wants (ctl-peer), on a bus of its own: what people
# read, what scripts read, and each exit status. Bus away, hub away, hub silent, hub refusing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

root=$TEST_TMP/root

# The installed tree: where the build says programs are, below a root of our own.
libexec=$(sed -nE 's/^#define SENDENSE_LIBEXEC_DIR "(.*)"$/\1/p' "$SENDENSE_BUILD/build-config.h")
bin=$(sed -nE 's/^#define SENDENSE_BIN_DIR "(.*)"$/\1/p' "$SENDENSE_BUILD/build-config.h")
mkdir -p "$root$libexec" "$root$bin"
cp "$ctl" "$root$bin/sendensectl"
cp "$ctl" "$root$libexec/sendense-hub" # any program of ours will do: its file is read, not run
printf '#!/bin/sh\n' >"$root$libexec/sendense-script"
own=$("$ctl" --version)
version=$(cut -d' ' -f2 <<<"$own")
commit=$(sed -E 's/.*\(commit ([^,]+),.*/\1/' <<<"$own")
id=$(sed -E 's/.*build-id ([0-9a-f]+)\).*/\1/' <<<"$own")

# No bus.
run "status without a bus" 69 status
is "$err" "sendensectl: Cannot reach the system bus: No such file or directory. Start it: systemctl start dbus.socket" \
    "it names the bus and the remedy"
is "$out" "" "and prints nothing else"
run "version without a bus" 0 version --root="$root"
like "$out" "^sendense-hub +$version +$commit +${id:0:12} +no bus\$" "the file is read all the same"

ctl_bus_start

# No hub.
for verb in status 'log-level info' 'database probe'; do
    # shellcheck disable=SC2086 # a verb of two words
    run "$verb without a hub" 69 $verb
    like "$err" "^sendensectl: the hub does not run\. Start it: systemctl start sendense-hub\.service \(" \
        "$verb names the hub and the remedy"
done
run "version without a hub" 0 version --root="$root"
like "$out" "^sendense-hub +$version +$commit +${id:0:12} +not running\$" "it says so"
like "$out" "^database schema not known \(not running\)\$" "and that it does not know the schema"
unlike "$out" "sendense-script" "a script has no version to compare"

# A hub that the bus could start, and that fails to. Only what changes something starts it.
cat >"$XDG_DATA_HOME/dbus-1/services/com.sendense.Hub1.service" <<EOF
[D-BUS Service]
Name=com.sendense.Hub1
Exec=/bin/sh -c ': >$TEST_TMP/started; exit 1'
EOF
ok "the bus knows how to start a hub" busctl --system call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig
run "status does not start a hub" 69 status
run "nor does version" 0 version --root="$root"
like "$out" "^sendense-hub .* not running\$" "it says so"
not_ok "nothing was started" test -e "$TEST_TMP/started"
run "log-level starts it" 69 log-level info
ok "it was started" test -e "$TEST_TMP/started"
like "$err" "^sendensectl: the hub cannot be started: .*journalctl -xeu sendense-hub\.service\$" "it names the journal"
rm "$TEST_TMP/started"
run "so does database probe" 69 database probe
ok "it was started" test -e "$TEST_TMP/started"

# A healthy hub.
healthy=(State=running Version="$version" Commit="$commit" BuildId="$id" DatabaseState=ready DatabaseSchema=3 ProgramSchema=3)
peer "${healthy[@]}"
run "status of a healthy hub" 0 status
is "$out" "      Hub: running, process 4711
  Version: $version (commit $commit, build-id $id)
 Database: ready, schema 3
  Exports: ports 10100-10200
Log level: info
     Jobs: not known: Unknown method ListJobs or interface com.sendense.Hub1.Manager." \
    "for people, and what a hub of another version does not say"
run "status as JSON" 0 --json status
is "$(jq -c '[.State, .DatabaseSchema, .ExportPorts, .ProcessId]' <<<"$out")" '["running",3,[10100,10200],4711]' \
    "for scripts, by the names of the bus"
run "version" 0 version --root="$root"
like "$out" "^sendense-hub +$version +$commit +${id:0:12} +same\$" "the process is its file"
like "$out" "^database schema 3, the hub's 3\$" "and the schema"
unlike "$out" DIFFERS "nothing differs"
run "version as JSON" 0 version --json --root="$root"
is "$(jq -c '[(.programs | length), .programs[1].running_build_id == .programs[1].build_id, .differences]' <<<"$out")" \
    '[2,true,[]]' "for scripts"
run "log-level" 0 log-level debug
is "$out" debug "it says which"
run "log-level as JSON" 0 log-level debug --json
is "$(jq -c . <<<"$out")" '{"LogLevel":"debug"}' "for scripts"
run "the level" 0 status --json
is "$(jq -r .LogLevel <<<"$out")" debug "it arrived"
run "database probe" 0 database probe
is "$out" ready "its state"
run "database probe as JSON" 0 database probe --json
is "$(jq -c . <<<"$out")" '{"DatabaseState":"ready"}' "for scripts"
run "an argument that is no text" 64 log-level $'\xff'
like "$err" "not UTF-8" "it says so"
"$ctl" status >/dev/full 2>"$TEST_TMP/err"
is "$?" 1 "a full disk behind the output is a failure"
like "$(<"$TEST_TMP/err")" "Cannot write the output: No space left" "it says so"

# A hub that is not well, and one that is not its file.
peer State=degraded Version=0.0.9 Commit=old BuildId=00ff DatabaseState=schema-newer \
    DatabaseError="made by a newer program" DatabaseSchema=4 ProgramSchema=3
run "status of a degraded hub" 3 status
like "$out" "^ Database: schema-newer, schema 4, the hub needs schema 3\$" "both schemas"
like "$out" "^ +made by a newer program\$" "the hub's reason"
run "version with an older process" 3 version --root="$root"
like "$out" "^sendense-hub .* 00ff\$" "the running build id"
like "$out" "^DIFFERS sendense-hub: .*Restart it: systemctl restart sendense-hub.service\$" "the remedy"
like "$out" "^DIFFERS database: has schema 4, newer than the hub's 3\. Install the version that made it\$" "the schema"
run "version as JSON" 3 version --json --root="$root"
is "$(jq '.differences | length' <<<"$out")" 2 "two differences for scripts"
run "database probe" 3 database probe
peer State=degraded BuildId="$id" DatabaseState=schema-older DatabaseSchema=2 ProgramSchema=3
run "version with an older schema" 3 version --root="$root"
like "$out" "^DIFFERS database: has schema 2, the hub needs 3\. Migrate it: systemctl restart sendense-migrate\.service\$" \
    "the remedy"

# Files that do not belong together.
cp /bin/true "$root$libexec/sendense-foreign"
head -c 300 "$ctl" >"$root$libexec/sendense-cut"
sed -E "s/$version(\\x00)$commit/9.9.9\1$commit/" "$ctl" >"$root$libexec/sendense-older"
run "version with strange files" 3 version --root="$root"
like "$out" "^DIFFERS .*/sendense-foreign: is not built by Sendense" "another's program"
like "$out" "^DIFFERS .*/sendense-cut: cannot be read: Bad message" "half a program"
like "$out" "^DIFFERS .*/sendense-older: is version 9\.9\.9 .*Install all of them from one build\$" "another version"
rm "$root$libexec"/sendense-*
run "version without programs" 3 version --root="$root"
like "$out" "^DIFFERS $root$libexec: holds no program\$" "it says so"

# A hub that refuses.
while read -r name status text; do
    peer "${healthy[@]}" "Error=$name"
    run "$name" "$status" status
    like "$err" "^sendensectl: $text" "$name: in words"
done <<'EOF'
org.freedesktop.DBus.Error.AccessDenied 77 Because\. Be root, or get the right from polkit
org.freedesktop.DBus.Error.InteractiveAuthorizationRequired 77 Because\. Be root
org.freedesktop.DBus.Error.UnknownMethod 1 the running hub is of another version: Because\. Compare
org.freedesktop.DBus.Error.Spawn.ChildExited 69 the hub cannot be started: Because\. Its journal
org.freedesktop.systemd1.NoSuchUnit 69 the hub is disabled here, .*systemctl enable --now sendense-hub\.service \(Because\)
org.freedesktop.systemd1.UnitMasked 69 the hub cannot be started: Because\. Its journal
org.freedesktop.DBus.Error.NoReply 69 the hub did not answer: Because\. Its journal
com.sendense.Error.Busy 1 the hub refuses: Because
com.example.Strange 1 the hub refuses: Because
EOF
peer "${healthy[@]}" Strange=yes
run "an answer of an unknown kind" 1 status
like "$err" "the hub's answer cannot be read: .* Compare: sendensectl version" "it says so"

# A hub that dies while it is asked.
peer "${healthy[@]}" Silent=yes
"$ctl" status >"$TEST_TMP/out" 2>"$TEST_TMP/err" 7>&- 8<&- &
asking=$!
peer_says asked
peer_stop
wait "$asking"
is "$?" 69 "a hub that dies while it is asked: exit status 69" || diag "$(<"$TEST_TMP/err")"

# Settings.
conf=$TEST_TMP/hub.conf
mkdir "$conf.d"
printf '[Api]\nPort=1\n' >"$conf"
printf '[Hub]\nLogLevel=debug\n' >"$conf.d/10-level.conf"
run "config check" 0 config check "$conf"
is "$out" "$conf: good, with all its drop-ins" "it says so"
run "config show" 0 config show "$conf"
like "$out" "^hub +\[Api\] Port= +1 +$conf:2\$" "value, file and line"
like "$out" "^hub +\[Hub\] LogLevel= +debug +$conf.d/10-level.conf:2\$" "of a drop-in too"
like "$out" "^hub +\[Tunnel\] SshPort= +443 +default\$" "or that it is the default"
run "config show as JSON" 0 config show "$conf" --json
is "$(jq -c '.[] | select(.key == "Port")' <<<"$out")" \
    "{\"daemon\":\"hub\",\"section\":\"Api\",\"key\":\"Port\",\"value\":\"1\",\"default\":\"8082\",\"file\":\"$conf\",\"line\":2}" "for scripts"
printf '[Api]\nPrt=1\n' >"$conf"
for verb in check show; do
    run "config $verb of a wrong file" 78 config "$verb" "$conf"
    is "$err" "$conf:2: unknown key Prt= in [Api], must be one of Port=, Listen=, TlsPort=, Certificate=, Key=" "$verb: the hub's own line"
done
run "config check as JSON" 78 config check --json "$conf"
is "$(jq -c '[.[] | .valid, .error != null]' <<<"$out")" '[false,true]' "for scripts"
printf '[Database]\nUser=root\n' >"$conf"
run "config check of an administrator as the database's user" 78 config check "$conf"
like "$err" "^$conf:2: \[Database\] User=: root is an administrator of MariaDB, must be" "says what would be right"
run "config check of no file" 78 config check "$TEST_TMP/none"
conf=$TEST_TMP/node.conf
mkdir "$conf.d"
printf '[Copy]\nConnections=4\n' >"$conf"
run "config check of the node" 0 config check --node "$conf"
run "config show of the node" 0 config show --node "$conf"
like "$out" "^node +\[Copy\] Connections= +4 +$conf:2\$" "value, file and line"
run "the node's file is not the hub's" 78 config check "$conf"
like "$err" "^$conf:1: unknown section \[Copy\]" "it says so"
printf '[Snapshot]\nHoldMaxSec=1y\n' >"$conf.d/10-hold.conf"
run "a wrong drop-in of the node" 78 config check --node "$conf"
is "$err" "$conf.d/10-hold.conf:2: [Snapshot] HoldMaxSec=1y must be a time from 1s to 7d" "file, line, key and what would be right"
run "config check of no file of the node" 78 config check --node "$TEST_TMP/none"

# Words that are none.
while IFS='|' read -r arguments text; do
    # shellcheck disable=SC2086 # several arguments
    run "'$arguments'" 64 $arguments
    like "$err" "$text" "'$arguments': in words"
done <<'EOF'
|a verb is needed; see sendensectl --help
nonsense|'nonsense' is no verb
config|'config' is no verb; did you mean 'config check'
database prob|'database prob' is no verb; did you mean 'database probe'
status now|status does not take 'now'
status --root=/x|status does not know --root; see sendensectl status --help
backup start web --limit=3|backup start does not know --limit; see
job list --limit=1 --limit=2|--limit= can be given once only
log-level|log-level needs LEVEL
--nonsense|unrecognized option
EOF
is "$("$ctl" --version)" "$own" "--version"
done_testing
