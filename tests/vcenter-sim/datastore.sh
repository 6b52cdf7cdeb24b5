#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The datastore over HTTPS: who may read, ranges, what is not there, names of
# every kind, and the ways in which a read breaks off.
# Switches: datastore names two-datacenters descriptor

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -zoo
code() { curl -s --cacert "$ca" -o "$TEST_TMP/out" -w '%{http_code}' "$@"; }

flat=$(folder_url '[datastore1] pgtest1/pgtest1.vmdk' -flat)
is "$(code "$flat")" 401 'datastore: nobody reads without a name'
is "$(code -D "$TEST_TMP/head" "$flat")$(grep -ci '^www-authenticate: basic' "$TEST_TMP/head")" 4011 'and is asked for one'
is "$(code -u "$user:wrong" -r 0-511 "$flat")" 401 'a wrong password does not help'
is "$(code -u "$user:$password" -r 0-511 "$flat")" 206 'user and password do'
is "$(simctl sessions)" '[]' 'and leave no session'
is "$(code -b 'vmware_soap_session="00000000-0000-0000-0000-000000000000"' "$flat")" 401 'an invented cookie does not'
login >/dev/null
is "$(code -b "$jar" -r 0-511 "$flat")" 206 'the cookie of a session does'

is "$(code -b "$jar" -I "$flat")" 200 'HEAD'
like "$(cat "$TEST_TMP/out")" "^Content-Length: $((102 << 30))" 'names the length'
like "$(cat "$TEST_TMP/out")" '^Accept-Ranges: bytes' 'and promises ranges'
code -b "$jar" -r "$(((102 << 30) - 4096))-$(((102 << 30) - 1))" "$flat" >/dev/null
is "$(sha256sum <"$TEST_TMP/out")" "$(simctl disk read vm=pgtest1 key=2000 offset=$(((102 << 30) - 4096)) | sha256sum)" 'the last 4 KiB are right'
is "$(code -b "$jar" -r "$((102 << 30))-" "$flat")" 416 'beyond the end is 416'
is "$(code -b "$jar" "${flat/pgtest1-flat/nothing-flat}")" 404 'a file that is not there is 404'
is "$(code -b "$jar" "${flat/dsName=datastore1/dsName=nothing}")" 404 'so is a datastore'
is "$(code -b "$jar" --path-as-is "$base/folder/../../ready?dcPath=DC0&dsName=datastore1")" 404 'no way leads out of a datastore'
is "$(code -b "$jar" -X DELETE "$flat")" 405 'nothing is deleted this way'
is "$(code -b "$jar" -T "$simdir/suite.conf" "$base/folder/pgtest1/note?dcPath=DC0&dsName=datastore1")" 201 'a new file can be put'
is "$(get "$base/folder/pgtest1/note?dcPath=DC0&dsName=datastore1" | sha256sum)" "$(sha256sum <"$simdir/suite.conf")" 'and read'

# names: spaces, ampersand, umlaut, brackets, an escaped slash
odd='odd & ü [x] a%2fb'
vm=$(by_path "DC0/vm/Pröd & Test/$odd")
like "$vm" '^vm-' 'names: found by its inventory path'
is "$(props VirtualMachine "$vm" name | xpath "string(//*[local-name()='val'])")" "$odd" 'its name is whole'
file=$(disk_file VirtualMachine "$vm" 2000)
is "$file" "[fast disks] $odd/$odd.vmdk" 'its disk is named after it'
get "$(folder_url "$file" -flat)" >"$TEST_TMP/odd"
is "$(simctl hash "$TEST_TMP/odd")" "$(simctl disk hash vm="$odd" key=2000 | jq -r .hash)" 'and reads right over HTTPS'
is "$(by_path 'DC0/vm/Pröd & Test/odd')" '' 'half of the name finds nothing'
snap=$(snapshot "$vm" 'a <b> & "c" ü')
is "$(simctl snapshots | jq -r --arg v "$odd" '.[] | select(.vm == $v).name')" 'a <b> & "c" ü' 'snapshots have names, too'
is "$(unsnapshot "$snap")" success 'and go again'

# two-datacenters: the same VM name, datastore name and path in both
one=$(by_path DC0/vm/twin)
two=$(by_path Sites/DC1/vm/twin)
ok 'two-datacenters: two machines of one name' test -n "$one" -a -n "$two" -a "$one" != "$two"
is "$(disk_file VirtualMachine "$one" 2000)" "$(disk_file VirtualMachine "$two" 2000)" 'whose disks have the same path'
uuid() { props VirtualMachine "$1" config.instanceUuid | xget val; }
ok 'but not the same instanceUuid' test "$(uuid "$one")" != "$(uuid "$two")"
f=$(disk_file VirtualMachine "$one" 2000)
simctl disk fill vm="$two" key=2000 bytes=64K seed=77 >/dev/null
get "$(folder_url "$f" -flat)" >"$TEST_TMP/one"
get "$(folder_url "$f" -flat Sites/DC1)" >"$TEST_TMP/two"
is "$(simctl hash "$TEST_TMP/one")" "$(simctl disk hash vm="$one" key=2000 | jq -r .hash)" 'DC0 has the one'
is "$(simctl hash "$TEST_TMP/two")" "$(simctl disk hash vm="$two" key=2000 | jq -r .hash)" 'Sites/DC1 the other'
ok 'and they differ' test "$(simctl hash "$TEST_TMP/one")" != "$(simctl hash "$TEST_TMP/two")"
is "$(code -b "$jar" "$(folder_url "$f" -flat DC1)")" 404 'DC1 without its folder is nothing'
not_ok 'the control interface wants the reference of a twin' simctl vm list vm=twin

# descriptor
descriptor() { get "$(folder_url '[datastore1] pgtest1/pgtest1.vmdk' '')"; }
like "$(descriptor)" '^createType="vmfs"' 'descriptor: a flat one by nature'
like "$(descriptor)" "^RW $((102 << 21)) VMFS \"pgtest1-flat.vmdk\"" 'that names its extent'
declare -A mark=([sesparse]='^createType="seSparse"' [vsan]='vsan://' [vvol]='vvol://' [encrypted]='vmwarevmcrypt' [vmfs]='VMFS "pgtest1-flat')
for kind in sesparse vsan vvol encrypted vmfs; do
    simctl disk descriptor vm=pgtest1 key=2000 type=$kind >/dev/null
    like "$(descriptor)" "${mark[$kind]}" "descriptor: $kind"
done
not_ok 'another kind is refused' simctl disk descriptor vm=pgtest1 key=2000 type=paper

# Faults on reads: the k-th one.
simctl calls clear >/dev/null
simctl fault session-killed method=FolderGet at=3 >/dev/null
got=
for _ in 1 2 3 4; do got+="$(code -b "$jar" -r 0-511 "$flat") "; done
is "$got" '206 206 401 401 ' 'session-killed at the third read'
is "$(simctl calls | jq -r '[.[].status] | map(tostring) | join(" ")')" '206 206 401 401' 'as the record says'
rm -f "$jar"
login >/dev/null
simctl fault http-503 method=FolderGet >/dev/null
simctl fault empty-500 method=FolderGet at=2 >/dev/null
simctl fault drop-connection method=FolderGet at=3 >/dev/null
is "$(code -b "$jar" -r 0-511 "$flat")" 503 'http-503'
is "$(code -b "$jar" -r 0-511 "$flat")$(stat -c %s "$TEST_TMP/out")" 5000 'empty-500'
is "$(code -b "$jar" -r 0-511 "$flat")" 000 'drop-connection'
simctl fault cut-answer method=FolderGet bytes=1000 >/dev/null
curl -s --cacert "$ca" -b "$jar" -r 0-65535 -o "$TEST_TMP/out" "$flat"
is "$? $(stat -c %s "$TEST_TMP/out")" '18 1000' 'cut-answer: 1000 bytes of 64 KiB, and curl notices'
is "$(code -b "$jar" -r 0-511 "$flat")" 206 'then all is well again'
done_testing
