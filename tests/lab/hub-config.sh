#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl config apply at a hub: what a changed setting concerns runs by it afterwards, what it does not is not touched, and a
# file that is wrong changes nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/hub-lab.bash"

hub_lab_up
hub_ready
require "its sshd starts" hub systemctl start sendense-sshd.service
settings() { hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/60-test.conf <<<"$1"; }
apply() { # [OPTION...]: out and status
    out=$(hub sendensectl config apply "$@" 2>&1)
    status=$?
}
# begun UNIT...: when each last began to start, which a reload is not.
begun() {
    local name
    for name; do unit "$name" InactiveExitTimestampMonotonic; done | paste -sd' '
}
did() { grep -oE '^[a-z-]+(\.[a-z]+)?: (has read|re|st|would)[a-z ]*' <<<"$out" | paste -sd,; }
others=(sendense-sshd.service sendense-hub-api.socket mariadb.service)
all=(sendense-hub.service "${others[@]}")
applied() { hub cat /var/lib/sendense-applied/hub.json; }

before=$(begun "${all[@]}")
apply
is "$status" 0 "the first time" || diag "$out"
like "$out" 'Which settings of the hub changed is not known' "what was applied before is not known"
like "$out" 'sendense-hub.service: has begun since' "but all of it has begun since the files were written"
is "$(begun "${all[@]}")" "$before" "so nothing is restarted"
apply
is "$status:$(did)" 0: "again: nothing changed"
like "$out" 'Nothing is to be done' "and it says so"

settings $'[Hub]\nLogLevel=debug'
kept=$(applied)
apply --dry-run
is "$status:$(did)" "0:sendense-hub.service: would be restarted" "--dry-run says what would be done"
like "$out" '^hub +\[Hub\] LogLevel= +info +debug' "and what changed"
is "$(begun "${all[@]}")|$(applied)|$(prop LogLevel)" "$before|$kept|s \"info\"" "and does nothing"
hub_was=$(begun sendense-hub.service)
others_were=$(begun "${others[@]}")
apply
is "$status:$(did)" "0:sendense-hub.service: restarted" "then the hub is restarted"
is "$(prop LogLevel)" 's "debug"' "and is there with the new setting when the command returns"
not_ok "it is another process" test "$(begun sendense-hub.service)" = "$hub_was"
is "$(begun "${others[@]}")" "$others_were" "nothing else is"
apply
is "$status:$(did)" 0: "once"

sshd_was=$(unit sendense-sshd.service MainPID)
settings $'[Hub]\nLogLevel=debug\n[Exports]\nPorts=20000-20050'
apply
is "$status:$(did)" "0:sendense-sshd.service: reloaded,sendense-hub.service: restarted" "other ports: sshd may forward to them before the hub serves there"
ok "sshd permits the new ones" hub grep -q 'PermitOpen.*127\.0\.0\.1:20050' /run/sendense-sshd/sshd_config
is "$(unit sendense-sshd.service MainPID)" "$sshd_was" "and its sessions stay"

settings $'[Hub]\nLogLevel=debug\n[Exports]\nPorts=20000-20050\n[Tunnel]\nSshPort=2222\n[Api]\nPort=18082'
hub_was=$(begun sendense-hub.service)
apply
is "$status:$(did)" "0:sendense-hub-api.socket: stopped,systemd: has read its units anew,sendense-hub-api.socket: started,sendense-sshd.service: restarted" \
    "a port of the API and one of sshd"
is "$(hub curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18082/api/v1/backups)" 401 "the API answers on the new port"
is "$(hub curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8082/api/v1/backups)" 000 "and not on the old one"
ok "sshd listens on the new port" in_hub "ss -Hltn 'sport = 2222' | grep -q ."
not_ok "and not on the old one" in_hub "ss -Hltn 'sport = 443' | grep -q ."
is "$(begun sendense-hub.service)" "$hub_was" "the hub has nothing to do with it"
# The service runs now: a socket cannot move beside it.
settings $'[Hub]\nLogLevel=debug\n[Exports]\nPorts=20000-20050\n[Tunnel]\nSshPort=2222\n[Api]\nPort=18083'
apply
is "$status" 0 "the API's port while its service runs" || diag "$out"
is "$(hub curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18083/api/v1/backups)" 401 "it moves, too"

before=$(begun "${all[@]}")
kept=$(applied)
settings $'[Hub]\nLogLevel=info\n[Api]\nPort=none'
apply
is "$status" 78 "a file that is wrong: exit status 78"
like "$out" '60-test\.conf:4: \[Api\] Port=' "the line is named"
is "$(begun "${all[@]}")|$(applied)" "$before|$kept" "and nothing is done"
hub systemctl restart sendense-hub.service 2>/dev/null
ok "a hub that is restarted with it fails" eventually "$patience_sec" in_hub '[ "$(systemctl is-active sendense-hub.service)" = failed ]'
settings $'[Hub]\nLogLevel=info\n[Exports]\nPorts=20000-20050\n[Tunnel]\nSshPort=2222\n[Api]\nPort=18083'
apply
is "$status:$(did)" "0:sendense-hub.service: restarted" "when it is mended the hub is started"
is "$(hub systemctl is-active sendense-hub.service)" active "and runs"

settings $'[Hub]\nLogLevel=notice\n[Exports]\nPorts=20000-20050\n[Tunnel]\nSshPort=2222\n[Api]\nPort=18083'
hub systemctl restart sendense-hub.service
before=$(begun "${all[@]}")
apply
is "$status:$(did)" 0: "what was restarted by hand is left as it is"
like "$out" 'sendense-hub.service: has begun since' "and told so"
is "$(begun "${all[@]}")" "$before" "indeed"

settings $'[Hub]\nLogLevel=notice\n[Exports]\nPorts=20000-20050\n[Tunnel]\nSshPort=2222\nPublicAddress=backup.example\n[Api]\nPort=18083'
apply --json
is "$status:$(jq -c '[.files[].valid, (.changed[] | .daemon, .setting, .was, .is), (.steps | length)]' <<<"$out")" \
    '0:[true,true,"hub","[Tunnel] PublicAddress=","","backup.example",0]' "as JSON, of one that nothing running has read"

# Nobody knows what was applied before: sshd reads all of it anew, and its sessions stay.
sshd_was=$(unit sendense-sshd.service MainPID)
hub rm -r /var/lib/sendense-applied
settings $'[Hub]\nLogLevel=notice\n[Exports]\nPorts=20000-20050\n[Tunnel]\nSshPort=2224\n[Api]\nPort=18083'
apply
is "$status" 0 "other settings, of which nobody knows what they were" || diag "$out"
like "$out" 'Which settings of the hub changed is not known: .* started anew, this once' "that is said, and what follows from it"
like "$(did)" 'sendense-sshd.service: reloaded' "sshd is reloaded"
is "$(unit sendense-sshd.service MainPID)" "$sshd_was" "it is the same process, with its sessions"
ok "which listens on another port, too" eventually "$patience_sec" in_hub "ss -Hltn 'sport = 2224' | grep -q ."
not_ok "and no more on the one before" in_hub "ss -Hltn 'sport = 2222' | grep -q ."
apply
is "$status:$(did)" 0: "which was once"
hub systemctl stop sendense-sshd.service
settings $'[Hub]\nLogLevel=notice\n[Tunnel]\nSshPort=2223'
apply
like "$out" 'sendense-sshd.service: does not run, and reads its settings when it is started' "what does not run is not started"
is "$(hub systemctl is-active sendense-sshd.service)" inactive "indeed"

out=$(hub setpriv --reuid=65534 --regid=65534 --clear-groups sendensectl config apply 2>&1)
is "$?" 77 "another user may not"
hub setpriv --reuid=65534 --regid=65534 --clear-groups sendensectl config apply --dry-run >/dev/null
is "$?" 0 "but look"
done_testing
