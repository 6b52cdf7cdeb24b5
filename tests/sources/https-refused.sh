#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What cannot be read over HTTPS is refused before a byte of it is read, each with its reason, at once and for good:
# kinds of disks, sizes that do not match, places that are not there, wrong trust and wrong passwords.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
sources_start -zoo

size=$((8 << 20))
simctl vm add name=web disks=8M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)

# refused CODE PATTERN NAME [CAPACITY]: by one open() although more were granted.
refused() {
    read_disk https "${4:-$size}" opens=5 >"$TEST_TMP/result"
    is "$(<"$TEST_TMP/result") $(answer code) $(answer opens)" "failed $1 1" "$3: refused at once"
    like "$(answer error)" "$2" "$3: with its reason"
    is "$(answer bytes)" 0 "$3: nothing was read"
}

path='[datastore1] web/web.vmdk'
spec "$path" DC0
is "$(read_disk https $size)" ok 'the disk as it is can be read'
declare -A why=([sesparse]='type "seSparse"' [vsan]='vSAN' [vvol]='vVol' [encrypted]='encrypted')
for kind in sesparse vsan vvol encrypted; do
    simctl disk descriptor vm=web key=2000 type=$kind >/dev/null
    refused EOPNOTSUPP "only through VDDK: .*${why[$kind]}" "$kind"
done
simctl disk descriptor vm=web key=2000 type=vmfs >/dev/null

# A machine with a snapshot of the user's: what it writes to is a delta, and the disk of our snapshot is one.
simctl vm user-snapshot vm=web >/dev/null
simctl disk fill vm=web key=2000 bytes=64K seed=3 >/dev/null
snap=$(snapshot "$vm" ours)
file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
like "$file" '-000001.vmdk' 'a disk above a user snapshot is a delta'
spec "$file" DC0
refused EOPNOTSUPP 'only through VDDK: it is (of the type "vmfsSparse"|a delta)' 'delta'
is "$(unsnapshot "$snap")" success 'our snapshot is removed'

spec "$path" DC0
refused EOPNOTSUPP '8388608 bytes, the virtual machine 8389120' 'another capacity' $((size + 512))
flat=$(find "$sim/data" -name web-flat.vmdk | head -n 1)
truncate -s $((size + 512)) "$flat"
refused ESTALE 'has 8388608? bytes|has 8389120 bytes now, not 8388608' 'a flat file that is longer'
truncate -s $((size - 512)) "$flat"
refused ESTALE 'shorter than the disk' 'a flat file that is shorter'
truncate -s $size "$flat"
descriptor=${flat%-flat.vmdk}.vmdk
cp "$descriptor" "$TEST_TMP/descriptor"
sed -i 's/^RW .*/&\n&/' "$descriptor"
refused EOPNOTSUPP 'several extents' 'several extents'
head -c 200000 /dev/zero >"$descriptor"
refused EOPNOTSUPP 'longer than' 'a descriptor that is data'
printf '# Disk DescriptorFile\nversion=1\ncreateType="\033[31m\302\233x\r\n"' >"$descriptor"
refused EOPNOTSUPP 'VDDK' 'a descriptor with control characters'
unlike "$(cat "$TEST_TMP/answer")" $'\033|\\\\u001b|\\\\r|\302\233' 'control characters: none gets through'
cp "$TEST_TMP/descriptor" "$descriptor"
mv "$flat" "$flat.gone"
refused ENOENT 'no such file' 'a flat file that is not there'
mv "$flat.gone" "$flat"

spec '[datastore1] web/other.vmdk' DC0
refused ENOENT 'no such file' 'another file'
spec '[other] web/web.vmdk' DC0
refused ENOENT 'no such file' 'another datastore'
spec "$path" DC1
refused ENOENT 'no such file' 'a datacenter without its folder'
for bad in 'web/web.vmdk' '[datastore1] ../x.vmdk' $'[datastore1] a\nb.vmdk'; do
    spec "$bad" DC0
    is "$(read_disk https $size)" refused "the path $(printf %q "$bad") is refused before anything is sent"
done

# Trust and login.
spec "$path" DC0 '{"vcenter": {"pin_sha256": "'"$(printf '%064d' 7 | sed 's/../&:/g; s/:$//')"'"}}'
refused EACCES 'is not the pinned one' 'a wrong pin'
simctl calls clear >/dev/null
spec "$path" DC0
jq 'del(.vcenter.ca_file)' "$TEST_TMP/spec.json" >"$TEST_TMP/spec" && mv "$TEST_TMP/spec" "$TEST_TMP/spec.json"
refused EACCES 'cannot be trusted' 'a CA that the system does not know'
is "$(simctl calls)" '[]' 'neither has sent a thing'
spec "$path" DC0
(umask 077 && printf 'wr0ng&<\n' >"$CREDENTIALS_DIRECTORY/vcenter")
refused EACCES '[Ll]og ?in|password' 'a wrong password'
unlike "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")" 'wr0ng' 'which no text names'
(umask 077 && : >"$CREDENTIALS_DIRECTORY/vcenter")
is "$(read_disk https $size)" refused 'an empty credential'
is "$(others)" 1 'no session is left by any of them'
done_testing
