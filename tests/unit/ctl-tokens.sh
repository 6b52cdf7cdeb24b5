#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tokens of the HTTP API as sendensectl has them: the hub gets the digest of what is printed, and nothing else. tests/http has the rest.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers

answer CreateToken t 3
run "token create" 0 token create ci
like "$out" '^[0-9a-f]{64}$' "256 bits, and nothing else"
is "$(asked CreateToken)" "ssasa{sv} STRING \"ci\"; STRING \"$(printf %s "$out" | sha256sum | cut -d' ' -f1)\"; ARRAY \"s\" { STRING \"inspect\"; }; ARRAY \"{sv}\" { }; " \
    "the hub gets the digest, and a role that may look"
first=$out
run "another" 0 token create ci --role=backup --role=inspect --expires=1h
ok "is another" test "$out" != "$first"
like "$(asked CreateToken)" 'ARRAY "s" { STRING "backup"; STRING "inspect"; }; .*STRING "expires_usec"; VARIANT "t" { UINT64 [0-9]{16}; }' "with its roles and its end"
run "as JSON" 0 token create ci --json
like "$(jq -r .Token <<<"$out")" '^[0-9a-f]{64}$' "the token"
for wrong in 0 59s 40000d x; do
    run "--expires=$wrong" 64 token create ci --expires=$wrong
    like "$err" '1min to 36500d' "--expires=$wrong: what is right"
done
refuse CreateToken com.sendense.Error.Exists "There is, or was, a token named ci; take another name"
run "a name that is taken" 1 token create ci
is "$out" "" "prints no token"
like "$err" 'token named ci.*List the tokens: sendensectl token list' "and where to look"

answer ListTokens 'aa{sv}' '[{"Id": 1, "Name": "ci", "Roles": ["inspect", "backup"], "State": "valid", "CreatedBy": "uid:0", "CreatedUSec": 1763702276000000}]'
run "token list" 0 token list
is "$(tr -s ' ' <<<"$out" | sed 's/^ //; s/ *$//')" "ID NAME STATE ROLES CREATED BY EXPIRES REVOKED
1 ci valid inspect, backup 2025-11-21 05:17:56 uid:0 - -" "a table"
answer ListTokens 'aa{sv}' '[]'
run "token list without one" 0 token list
like "$out" 'There is no token\. Make one: sendensectl token create NAME' "and how to have one"

answer RevokeToken ''
run "token revoke" 0 token revoke ci
like "$out" 'token ci is revoked' "it says so"
is "$(asked RevokeToken)" 'sa{sv} STRING "ci"; ARRAY "{sv}" { }; ' "its name"
refuse RevokeToken com.sendense.Error.NotFound "There is no token 'x'"
run "token revoke of none" 1 token revoke x
like "$err" "no token 'x'.*List the tokens" "and where to look"
done_testing
