#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whose login is tried for what is owed. A password that vCenter has refused is not tried again for the same job, whoever brings it, until
# it was good for another one: else each start with an old password would be a bad login for every job that owes something, and lock
# the user out. And a password of which nothing is known never takes the place of one that was good.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up "[Snapshot]
DatastoreMax=10"
vcenter_up -empty
vm_new 2M:fill=1M
for i in 2 3 4 5 6; do simctl vm add name="web0$i" disks=2M:fill=1M >/dev/null; done
targets_up all

# of VM [PASSWORD]: the filter that makes a request one of that VM.
of() {
    jq -nr --arg vm "$1" --arg uuid "$(simctl vm list | jq -r --arg vm "$1" '.[] | select(.name == $vm).instance_uuid')" \
        --arg password "${2-$(password)}" '".vm_name = \($vm | tojson) | .vm_path = \("DC0/vm/\($vm)" | tojson) |
        .instance_uuid = \($uuid | tojson) | .vcenter_password = \($password | tojson)"'
}
copied() { # VM
    backup full "$(of "$1")"
    ok "$1 is copied" eventually "$patience_sec" state_is copied || diag "$answer" "$(task .)"
}
bad_logins() { simctl calls | jq '[.[] | select(.method == "Login" and .status != 200)] | length'; }
no_unit() { [ -z "$(node systemctl list-units --all --plain --no-legend 'sendense-vsphere-*.service')" ]; }
without_login() { node journalctl --sync && [ "$(node journalctl -q -t sendense-node | grep -c 'no login for .* is known')" -ge "$1" ]; }
clean_up() { # PASSWORD: what the node answers, each once
    api POST snapshots/cleanup "$(jq -nc --arg host "$peer_address" --arg user "$user" --arg password "$1" \
        '{vcenter_host: $host, vcenter_user: $user, vcenter_password: $password}')" | cut -d' ' -f2- | jq -rc '[.snapshots[].outcome] | unique'
}
released() { # JOB...
    local each
    for each; do [ "$(api GET "backup/$each" | cut -d' ' -f2- | jq -r .state)" = released ] || return 1; done
}

# Five are owed when the password becomes another: each of them tries the old one once.
for vm in web01 web02 web03 web04 web05; do copied "$vm"; done
old=$(password)
simctl password new='another one' >/dev/null
simctl calls clear >/dev/null
for job in 1 2 3 4 5; do release committed >/dev/null; done
ok "five wait for a login" eventually "$patience_sec" without_login 5
is "$(bad_logins)" 5 "each has tried the old one once"

for i in 1 2 3; do
    backup full "$(of web06 "$old")"
    ok "start $i with the old password fails" eventually "$patience_sec" state_is failed || diag "$answer" "$(task .)"
    is "$(task .error_name)" com.sendense.Error.VCenterLogin "start $i: by its name"
    ok "start $i: all is done" eventually "$patience_sec" no_unit
done
is "$(bad_logins)" 8 "three starts with it are three bad logins more"
is "$(clean_up "$old")" '["owed","removed"]' "a clean-up with it is told that they are owed"
ok "and begins nothing" no_unit
is "$(bad_logins)" 8 "no bad login more"

copied web06
ok "with the new one, which its look has shown to be good, they all go" eventually "$patience_sec" released 1 2 3 4 5
is "$(bad_logins)" 8 "at the first try"
release committed >/dev/null
ok "web06 is released" eventually "$patience_sec" state_is released

# vCenter is away. Somebody starts another with a mistyped password meanwhile.
copied web01
first=$job
simctl fault drop-connection method=Login count=0 >/dev/null
simctl calls clear >/dev/null
release committed >/dev/null
failed_once() { [ -n "$(task '.release_error // ""')" ]; }
ok "the snapshot cannot be removed" eventually "$patience_sec" failed_once || diag "$(task .)"
backup full "$(of web02 mistyped)"
ok "nothing else begins either" eventually "$patience_sec" state_is failed || diag "$answer" "$(task .)"
is "$(task .error_name)" com.sendense.Error.VCenterUnreachable "for the same reason"
is "$(clean_up mistyped)" '["removed","removing"]' "a clean-up with it is told that the node is at it"
simctl faults clear >/dev/null
ok "vCenter is back, and the snapshot goes by the password that was good" eventually 120 released "$first" || diag "$(api GET "backup/$first")"

# A user who is locked out: the right password is refused, once.
copied web01
first=$job
simctl fault soap-fault method=Login fault=InvalidLogin count=1 >/dev/null
release committed >/dev/null
ok "the right password is refused" eventually "$patience_sec" without_login 6
is "$(clean_up "$(password)")" '["owed","removed"]' "and not tried again, as nobody knows that it is good"
copied web02
ok "until another job's look was let in" eventually "$patience_sec" released "$first"
release committed >/dev/null
ok "web02 is released" eventually "$patience_sec" state_is released
targets_down
clean "at the end"
no_secret "at the end"
done_testing
