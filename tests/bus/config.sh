#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A wrong config is one line that says where and what would be right, and exit status 78.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

# Nobody must be able to reach the file for the case that it is unreadable.
work=$(mktemp -d /tmp/sendense-config.XXXXXX)
at_end "rm -rf '$work'"
chmod 0755 "$work"
config=$work/hub.conf
# Nobody answers there: a hub that starts in spite of its config would end with 1 and not with 78.
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/no-bus

# refused NAME REGEX [COMMAND...]: $config must be refused.
refused() {
    local name=$1 regex=$2 out rc
    shift 2
    out=$("$@" timeout 10 "$hub_program" --config="$config" 2>&1 </dev/null)
    rc=$?
    is "$rc" 78 "$name: exit status 78"
    is "$(wc -l <<<"$out")" 1 "$name: one line"
    like "$out" "$regex" "$name: it says where and what is right"
}

printf '[Exports]\nPort=1\n' >"$config"
refused "unknown key" "hub.conf:2: .*Port.*must be.*Ports="
printf '[Export]\nPorts=10100-10200\n' >"$config"
refused "unknown section" 'hub.conf:1: .*\[Export\].*must be.*\[Exports\]'
printf '\n[Exports]\nPorts=10200-10100\n' >"$config"
refused "ports reversed" 'hub.conf:3: .*Ports.*must be.*FIRST not above LAST'
printf '[Exports]\nPorts=10000-12000\n' >"$config"
refused "too many ports" 'hub.conf:2: .*Ports.*must be.*1000 ports at most'
printf '[Exports]\nPorts=8000-8100\n' >"$config"
refused "overlapping ports" 'hub.conf:2: .*Ports.*overlaps.*must be'
printf '[Hub]\nLogLevel=loud\n' >"$config"
refused "unknown level" 'hub.conf:2: .*LogLevel.*must be.*one of emerg'
printf 'LogLevel=info\n' >"$config"
refused "no section" 'hub.conf:1: '

printf '[Hub]\n' >"$config"
mkdir "$config.d"
printf '[Hub]\nLogLevel=loud\n' >"$config.d/10-x.conf"
refused "wrong drop-in" 'hub.conf.d/10-x.conf:2: .*LogLevel'
rm -r "$config.d"

chmod 0600 "$config"
refused "unreadable" 'hub.conf: Permission denied; .*must' as_nobody
rm "$config"
refused "missing, though asked for" 'hub.conf: No such file or directory; .*must'
mkdir "$config"
refused "a folder" 'hub.conf'
rmdir "$config"

printf '[Hub]\nLogLevel=info\n' >"$config"
out=$("$hub_program" --config="$config" 2>&1 </dev/null)
is $? 1 "a good config is accepted (and then there is no bus)"
like "$out" 'Cannot connect to the message bus' "it says that there is no bus"

out=$("$hub_program" --nonsense 2>&1 </dev/null)
is $? 64 "an unknown option: exit status 64"
like "$out" 'nonsense' "it says which"
out=$("$hub_program" more 2>&1 </dev/null)
is $? 64 "an argument: exit status 64"
like "$out" "takes no arguments, got 'more'" "it says which"
ok "--help succeeds" "$hub_program" --help
ok "--version succeeds" "$hub_program" --version
like "$("$hub_program" --help)" '--config=FILE' "--help shows the options"
done_testing
