#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# TLS, logging in and out, and all the ways in which a session ends: killed at
# the k-th call, idle too long, ended by an administrator, logged out.
# Switches: session-killed idle-expiry session-list quote-cookie bad-certificate
# password-change

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start

not_ok "the certificate is not trusted without our CA" curl -sS -o /dev/null "$base/"
like "$(method RetrieveServiceContent ServiceInstance ServiceInstance)" '<apiType>VirtualCenter</apiType>' \
    'service content needs no session'
is "$(method CurrentTime ServiceInstance ServiceInstance | fault_of)" NotAuthenticated 'other calls need one'
is "$(status)" 500 'a fault is HTTP 500'
is "$(login "$user" wrong | fault_of)" InvalidLogin 'a wrong password is refused'
like "$(props VirtualMachine vm-1 name)" 'ManagedObjectNotFound' 'an unknown object is a fault'

vm=$(simctl vm list | jq -r '.[0].vm')
like "$(props VirtualMachine "$vm" name)" 'missingSet.*NotAuthenticated' 'properties tell it in missingSet'

login >/dev/null
is "$(status)" 200 'the right password is taken'
like "$(cat "$jar")" 'vmware_soap_session.*"[0-9a-f-]{36}"' "the cookie's value is quoted (quote-cookie)"
like "$(cat "$jar")" '^#HttpOnly_127.0.0.1.*TRUE.*vmware_soap_session' 'and HttpOnly and Secure'
like "$(method CurrentTime ServiceInstance ServiceInstance)" '<returnval>20' 'the session works'
is "$(login | fault_of)" InvalidLogin 'a second login on the same cookie is refused'

# session-list: the property, and the control interface.
mine=$(simctl sessions | jq -r '.[0].key')
is "$(props SessionManager SessionManager sessionList | xall key)" "$mine" 'session-list: sessionList shows this session'
first=$jar
jar=$TEST_TMP/jar2
login >/dev/null
is "$(props SessionManager SessionManager sessionList | xall key | sort)" "$(simctl sessions | jq -r '.[].key' | sort)" \
    'and both of two'
is "$(method TerminateSession SessionManager SessionManager "<sessionId>$mine</sessionId>" | fault_of)" '' 'one ends the other'
jar=$first
is "$(method CurrentTime ServiceInstance ServiceInstance | fault_of)" NotAuthenticated 'which notices'
jar=$TEST_TMP/jar2
logout >/dev/null
is "$(simctl sessions)" '[]' 'after logout no session is left'

# session-killed at the k-th call, for every k of a small walk.
walk() { # prints how many of five calls were answered
    local n=0
    rm -f "$jar"
    login >/dev/null
    simctl calls clear >/dev/null
    for _ in 1 2 3 4 5; do
        [ "$(method CurrentTime ServiceInstance ServiceInstance | fault_of)" = '' ] || break
        n=$((n + 1))
    done
    simctl faults clear >/dev/null
    simctl sessions kill >/dev/null
    echo "$n"
}
got=
for k in 1 2 3 4 5; do
    simctl fault session-killed method=CurrentTime at=$k >/dev/null
    got+="$(walk) "
done
is "$got" '0 1 2 3 4 ' 'session-killed: the session dies at exactly the k-th call'
is "$(walk)" 5 'and lives without it'
is "$(simctl calls | jq -r '[.[].method] | unique | .[]')" CurrentTime 'the calls are on record'

# password-change: who is in stays in, and comes back by the new one alone.
rm -f "$jar"
login >/dev/null
simctl password new='a&b <c>' >/dev/null
is "$(method CurrentTime ServiceInstance ServiceInstance | fault_of)" '' 'password-change: an open session stays'
logout >/dev/null
rm -f "$jar"
is "$(login | fault_of)" InvalidLogin 'the old password is refused'
is "$(login "$user" 'a&b <c>' | fault_of)" '' 'the new one is taken'
logout >/dev/null
simctl password new="$password" >/dev/null
rm -f "$jar"

# idle-expiry
simctl set idle-expiry=60000 >/dev/null
login >/dev/null
key=$(simctl sessions | jq -r '.[0].key')
for _ in 1 2 3; do
    simctl sessions age key="$key" ms=40000 >/dev/null
    method CurrentTime ServiceInstance ServiceInstance >"$TEST_TMP/last"
done
is "$(fault_of <"$TEST_TMP/last")" '' 'idle-expiry: a session in use lives on'
simctl sessions age key="$key" ms=40000 >/dev/null
flat=$(folder_url '[datastore1] pgtest1/pgtest1.vmdk' -flat)
get "$flat" -r 0-511 -o /dev/null
simctl sessions age key="$key" ms=40000 >/dev/null
is "$(get "$flat" -r 0-511 -o /dev/null -w '%{http_code}')" 206 'also when it only reads the datastore'
simctl sessions age key="$key" ms=61000 >/dev/null
is "$(method CurrentTime ServiceInstance ServiceInstance | fault_of)" NotAuthenticated 'and an idle one is over'
simctl set idle-expiry=300 >/dev/null
rm -f "$jar"
login >/dev/null
sleep 0.5
is "$(method CurrentTime ServiceInstance ServiceInstance | fault_of)" NotAuthenticated 'real time counts, too'
is "$(simctl sessions)" '[]' 'for the control interface too'

simctl set idle-expiry=0 quote-cookie=0 >/dev/null
rm -f "$jar"
login >/dev/null
unlike "$(cat "$jar")" 'vmware_soap_session.*"' 'quote-cookie=0: no quotes'
simctl stop
ok 'a stopped peer leaves only its log' test "$(cd "$sim" && echo ./*)" = ./log

# Lives: one to a folder, a killed one can be followed, and none outlives its parent.
sim_start -empty -san 'vcenter.example'
like "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$ca" --connect-to "vcenter.example::${base#https://}" https://vcenter.example/sdk)" \
    405 '-san gives the certificate another name'
not_ok 'a second one in the same folder is refused' "$simdir/simctl" start "$sim" -empty
like "$(tail -n 1 "$sim/log")" 'another one is running' 'and says why'
kill -9 "$(simctl ready pid)"
flock -w 60 "$sim" true
sleep 30 &
parent=$!
ok 'one that was killed is followed by another' "$simdir/simctl" start "$sim" -empty -parent $parent
ok 'which answers' simctl settings
kill $parent
ok 'and ends with its parent' flock -w 30 "$sim" true
is "$(cd "$sim" && echo ./*)" ./log 'leaving only its log'

for kind in expired other-name self-signed; do
    sim_start -empty -cert "$kind"
    not_ok "bad-certificate: $kind is refused" curl -sS -o /dev/null --cacert "$ca" "$base/"
    simctl stop
done
done_testing
