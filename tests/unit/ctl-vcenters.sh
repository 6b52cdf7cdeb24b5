#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vCenters as sendensectl has them: what the hub is asked, what of it is shown, how a certificate is agreed to, and that a password
# which is typed is not seen. tests/node/vcenter.sh has the whole way.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers

pin=$(printf 'AB:%.0s' {1..32}) pin=${pin%:}
vcenter='{"Id": 3, "Name": "main", "Host": "vc.example", "Port": 8443, "User": "u@local", "Node": "edge1", "NodeId": 2, "Vms": 7, "CertificateSha256": "abcd",
    "CreatedUSec": 1763702276000000, "ChangedUSec": 1763788676000000}'
answer ListVcenters 'aa{sv}' "[$vcenter, {\"Id\": 4, \"Name\": \"other\", \"Host\": \"vc2\", \"Port\": 443, \"User\": \"u\", \"Vms\": 0}]"
run "vcenter list" 0 vcenter list
is "$(tr -s ' ' <<<"$out" | sed 's/^ //; s/ $//')" "ID NAME HOST PORT USER PINNED NODE VMS
3 main vc.example 8443 u@local yes edge1 7
4 other vc2 443 u no any 0" "a table"
answer ListVcenters 'aa{sv}' '[]'
run "vcenter list without one" 0 vcenter list
like "$out" 'There is no vCenter\. Add one: sendensectl vcenter add NAME HOST' "and how to have one"
answer GetVcenter 'a{sv}' "$vcenter"
run "vcenter show" 0 vcenter show main
like "$out" 'Pinned SHA-256: abcd' "its pin"
refuse GetVcenter com.sendense.Error.NotFound "There is no vCenter 'x'"
run "vcenter show of none" 1 vcenter show x
like "$err" "There is no vCenter 'x'\. List the vCenters: sendensectl vcenter list" "and where to look"
answer GetVcenter 'a{sv}' "$vcenter"
answer TestVcenter 'a{sv}' '{"Name": "VMware vCenter Server", "Version": "8.0", "ApiType": "VirtualCenter"}'
run "vcenter test" 0 vcenter test main
like "$out" 'Version: +8\.0' "what it is"
answer RemoveVcenter ''
run "vcenter remove" 0 vcenter remove main
is "$(asked RemoveVcenter)" 'sa{sv} STRING "main"; ARRAY "{sv}" { }; ' "its name"
run "vcenter remove by force" 0 vcenter remove main --force
like "$(asked RemoveVcenter)" 'STRING "force"; VARIANT "b" \{ BOOLEAN true' "the option"

# Passwords.
printf 'geheim\n' >"$TEST_TMP/password"
chmod 600 "$TEST_TMP/password"
answer AddVcenter t 3
answer ShowCertificate 'a{sv}' "{\"Subject\": \"CN=vc\", \"Issuer\": \"CN=ca\", \"NotBefore\": \"2025\", \"NotAfter\": \"2035\", \"Sha256\": \"$pin\", \"Verified\": false, \"Why\": \"self-signed\"}"
add() { # NAME STATUS [OPTION...]
    rm -f "$answers"/{AddVcenter,ShowCertificate}.call
    run "$1" "$2" vcenter add main vc.example --user=u@local "${@:3}"
}
add "without a terminal" 1 --password-file="$TEST_TMP/password"
like "$err" "subject.*|Subject: CN=vc" "the certificate is shown"
like "$err" "not trusted\. Compare its SHA-256.*--pin=$pin" "and must be agreed to"
not_ok "before the hub gets a password" test -e "$answers/AddVcenter.call"
add "with --accept-certificate" 0 --password-file="$TEST_TMP/password" --accept-certificate --port=8443 --through=edge1
is "$out" "vCenter main is added. Its VMs: sendensectl vm discover main" "it says what comes next"
like "$(asked ShowCertificate)" 'STRING "vc.example".*"port"; VARIANT "q" \{ UINT16 8443.*"node"; VARIANT "s" \{ STRING "edge1"' "where was looked"
like "$(asked AddVcenter)" '^ssha\{sv\} STRING "main"; STRING "vc.example"; UNIX_FD [0-9]+; .*STRING "user"; VARIANT "s" \{ STRING "u@local".*"pin_sha256"; VARIANT "s" \{ STRING "'"$pin"'".*UINT16 8443.*"edge1"' "what the hub gets"
unlike "$(asked AddVcenter)" geheim "the password is in no text"
add "with --pin" 0 --password-file="$TEST_TMP/password" --pin="$pin"
not_ok "nobody is asked for the certificate" test -e "$answers/ShowCertificate.call"
answer ShowCertificate 'a{sv}' "{\"Sha256\": \"$pin\", \"Verified\": true, \"Why\": \"\"}"
add "one that a CA vouches for" 0 --password-file="$TEST_TMP/password" --accept-certificate
unlike "$(asked AddVcenter)" pin_sha256 "is not pinned"
add "untested" 0 --password-file="$TEST_TMP/password" --untested
like "$(asked AddVcenter)" 'STRING "untested"; VARIANT "b" \{ BOOLEAN true' "the option"
exec 9<"$TEST_TMP/password"
add "by a descriptor" 0 --pin="$pin" --password-fd=9
exec 9<&-
add "by no descriptor" 1 --pin="$pin" --password-fd=9
add "by what is none" 64 --pin="$pin" --password-fd=x
add "by both" 64 --pin="$pin" --password-fd=9 --password-file="$TEST_TMP/password"
add "by neither, without a terminal" 64 --pin="$pin"
like "$err" 'no terminal.*--password-file=' "and what to do"
add "both kinds of trust" 64 --pin="$pin" --accept-certificate --password-file="$TEST_TMP/password"
run "without a user" 64 vcenter add main vc.example
like "$err" '--user= is missing' "who logs in"
add "a port that is none" 64 --port=0
for host in '[2001:db8::5]:8443' vc.example:8443 '[::1]x' 'fe80::1%eth0'; do
    run "the host $host" 64 vcenter add main "$host" --user=u --password-file="$TEST_TMP/password" --pin="$pin"
    like "$err" 'without brackets and without a port, and the port as --port=' "says how"
done
rm -f "$answers/AddVcenter.call"
run "an address in its brackets" 0 vcenter add main '[2001:db8::5]' --user=u --password-file="$TEST_TMP/password" --pin="$pin"
like "$(asked AddVcenter)" 'STRING "main"; STRING "2001:db8::5"' "is sent without them"
chmod 644 "$TEST_TMP/password"
add "a file that others can read" 1 --pin="$pin" --password-file="$TEST_TMP/password"
like "$err" 'not private.*chmod 0600' "is not taken"
: >"$TEST_TMP/empty"
chmod 600 "$TEST_TMP/empty" "$TEST_TMP/password"
add "an empty one" 1 --pin="$pin" --password-file="$TEST_TMP/empty"

# Typed, on a terminal.
typed() { # NAME WANTED-STATUS ANSWER... : types each after its question; the terminal's text is in $TEST_TMP/terminal
    local rc
    rm -f "$answers/AddVcenter.call" "$TEST_TMP/keys" "$TEST_TMP/terminal"
    mkfifo "$TEST_TMP/keys"
    script -qefc "'$ctl' vcenter add main vc.example --user=u" "$TEST_TMP/terminal" <"$TEST_TMP/keys" >/dev/null 2>&1 7>&- 8<&- &
    local script_pid=$!
    exec 9>"$TEST_TMP/keys"
    for word in "${@:3}"; do
        eventually 20 grep -qE "${word%%>*}" "$TEST_TMP/terminal"
        printf '%b' "${word#*>}" >&9
    done
    wait "$script_pid"
    rc=$?
    exec 9>&-
    is "$rc" "$2" "$1: exit status $2" || diag "$(<"$TEST_TMP/terminal")"
}
answer ShowCertificate 'a{sv}' "{\"Subject\": \"CN=vc\", \"Sha256\": \"$pin\", \"Verified\": false, \"Why\": \"self-signed\"}"
typed "typed" 0 'yes/no>yes\n' 'Password for vCenter main: >geheim\n'
unlike "$(<"$TEST_TMP/terminal")" geheim "what is typed is not seen"
like "$(<"$TEST_TMP/terminal")" "SHA-256: $pin" "the certificate was"
like "$(asked AddVcenter)" "STRING \"$pin\"" "and is pinned then"
typed "no" 1 'yes/no>no\n'
not_ok "nothing is sent" test -e "$answers/AddVcenter.call"
typed "Ctrl-C" 130 'yes/no>yes\n' 'Password for vCenter main: >\003'
not_ok "nothing is sent then, too" test -e "$answers/AddVcenter.call"

# Another password.
answer RotateVcenter ''
rm -f "$answers/ShowCertificate.call"
run "vcenter rotate" 0 vcenter rotate main --password-file="$TEST_TMP/password"
like "$(asked RotateVcenter)" '^sha\{sv\} STRING "main"; UNIX_FD [0-9]+; ARRAY "\{sv\}" \{ \}' "the password alone"
not_ok "nobody looks at the certificate" test -e "$answers/ShowCertificate.call"
run "vcenter rotate with the certificate that is there now" 0 vcenter rotate main --password-file="$TEST_TMP/password" --accept-certificate --user=v
like "$(asked ShowCertificate)" 'STRING "vc.example".*UINT16 8443.*"edge1"' "its own place is looked at"
like "$(asked RotateVcenter)" "\"user\"; VARIANT \"s\" \{ STRING \"v\".*STRING \"$pin\"" "user and pin"

# VMs.
answer DiscoverVms 'aa{sv}' '[{"Name": "web", "Path": "DC0/vm/web", "InstanceUuid": "5029", "PowerState": "poweredOn", "ContextId": "ctx-web", "Disks": [{"Key": 2000, "Label": "Hard disk 1", "CapacityBytes": 1073741824, "Verdict": "incremental"}, {"Key": 2001, "Label": "Hard disk 2", "CapacityBytes": 512, "Verdict": "no", "Reason": "a raw device"}]},
    {"Name": "tmpl", "Path": "DC0/vm/tmpl", "InstanceUuid": "5030", "PowerState": "poweredOff", "Reason": "it is a template", "Disks": []}]'
run "vm discover" 0 vm discover main
like "$out" 'web +poweredOn +2 +not all disks +yes +5029' "what can be backed up, and that it is known"
like "$out" 'tmpl +poweredOff +0 +no +it is a template' "and what is in the way"
like "$(asked DiscoverVms)" 'STRING "enter"; VARIANT "b" \{ BOOLEAN false' "nothing is entered"
run "vm discover --enter" 0 vm discover main --enter
like "$(asked DiscoverVms)" 'BOOLEAN true' "unless it is asked for"
run "vm discover of one" 0 vm discover main web
like "$(asked DiscoverVms)" 'STRING "vm"; VARIANT "s" \{ STRING "web"' "by its name"
like "$out" 'Context: +ctx-web' "it is entered"
like "$out" '2001 +Hard disk 2 +512 B +no +a raw device' "with its disks"
done_testing
