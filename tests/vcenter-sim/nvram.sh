#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The variables of an EFI: a file beside the disks that is there from the first time on that a machine is switched on, that vCenter
# lists then, and that stays what somebody has put there before.
# Switches: nvram cut-upload encrypted

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start
code() { curl -s --cacert "$ca" -b "$jar" -o "$TEST_TMP/out" -w '%{http_code}' "$@"; }
nvram() { simctl vm nvram vm="$1" "${@:2}" | jq -r '"\(.size) \(.sha256)"'; }
listed() { props VirtualMachine "$1" layoutEx.file | xpath "string(//*[*[local-name()='type']='nvram']/*[local-name()='name'])"; }
nothing="0 $(sha256sum </dev/null | cut -d' ' -f1)"
login >/dev/null
at="$base/folder/pgtest1/pgtest1.nvram?dcPath=DC0&dsName=datastore1"
vm=$(by_path DC0/vm/Prod/pgtest1)
is "$(listed "$vm")" '[datastore1] pgtest1/pgtest1.nvram' 'nvram: of a machine that runs it is listed'
is "$(code "$at") $(stat -c %s "$TEST_TMP/out") $(sha256sum <"$TEST_TMP/out" | cut -d' ' -f1)" "200 $(nvram pgtest1)" 'and can be read'
ok 'it is as large as VMware has it' test "$(stat -c %s "$TEST_TMP/out")" = 270840
before=$(nvram pgtest1)
ok 'the guest changes them' test "$(nvram pgtest1 seed=5)" != "$before"

simctl vm add name=new disks=16M on=0 >/dev/null
new=$(by_path DC0/vm/new)
is "$(nvram new)" "$nothing" 'a machine that was never switched on has none'
is "$(listed "$new")" '' 'and none is listed'
at="$base/folder/new/new.nvram?dcPath=DC0&dsName=datastore1"
is "$(code "$at")" 404 'it is not there'
is "$(code -T "$simdir/suite.conf" "$at") $(code -T "$simdir/soap.bash" "$at")" '201 201' 'one can be put there, and another one over it'
put="$(stat -c %s "$simdir/soap.bash") $(sha256sum <"$simdir/soap.bash" | cut -d' ' -f1)"
is "$(nvram new)" "$put" 'which is what it has then'
simctl fault cut-upload method=NvramPut bytes=100 >/dev/null
not_ok 'cut-upload: sending it can be made to break off' curl -s --cacert "$ca" -b "$jar" -T "$simdir/soap.bash" "$at"
is "$(nvram new)" "100 $(head -c 100 "$simdir/soap.bash" | sha256sum | cut -d' ' -f1)" 'and what came of it is there'
dc=$(by_path DC0)
there=$at at=${at/new.nvram/new.nvram.partial}
is "$(code -T "$simdir/soap.bash" "$at") $(code -T "$simdir/soap.bash" "$at")" '201 201' 'one can be put beside it'
in_dc() { echo "<$1Datacenter type=\"Datacenter\">$dc</$1Datacenter>"; }
files() { task_end "$(start_task "$1" FileManager FileManager "$2")"; } # METHOD INNER
is "$(files MoveDatastoreFile_Task "<sourceName>[datastore1] new/new.nvram.partial</sourceName>$(in_dc source)<destinationName>[datastore1] new/new.nvram</destinationName>$(in_dc destination)<force>true</force>") $(nvram new) $(code "$at")" \
    "success $put 404" 'and moved to its place'
at=$there
simctl vm power vm=new on=1 >/dev/null
is "$(nvram new)" "$put" 'and still when it was switched on'
is "$(listed "$new")" '[datastore1] new/new.nvram' 'then it is listed'
simctl fault http-503 method=NvramGet >/dev/null
is "$(code "$at") $(code "$at")" '503 200' 'reading it can be made to fail'
is "$(nvram new gone=1)" "$nothing" 'it can be taken away'
is "$(code "$at") $(listed "$new")" '404 [datastore1] new/new.nvram' 'while it is still listed'

# Of an encrypted machine.
begin() { code "$base/folder/pgtest1/pgtest1.nvram?dcPath=DC0&dsName=datastore1" >/dev/null && head -c 4 "$TEST_TMP/out" | od -An -tx1 | tr -d ' '; }
key_of() { props VirtualMachine "$vm" "$1" | xpath "string(//*[local-name()='keyId']/*[local-name()='keyId'])"; }
is "$(begin)" 4d52564e 'plain ones begin as those of VMware'
is "$(key_of config.hardware.device)" '' 'and no disk has a key'
simctl vm encrypted vm=pgtest1 >/dev/null
is "$(props VirtualMachine "$vm" config.keyId | xpath "string(//*[local-name()='val']/*[local-name()='keyId'])") $(key_of config.hardware.device)" "key-of-$vm key-of-$vm" 'encrypted: machine and disks have a key'
simctl vm nvram vm=pgtest1 seed=7 plain=0 >/dev/null
ok 'and the variables are no plain ones' test "$(begin)" != 4d52564e
done_testing
