#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Memory does not depend on the size of a disk: at most 64 MiB and 32 MiB for each disk, for a sparse disk of 2 TiB, for
# 100,000 changed areas, and for a source that is read from one end to the other.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/copy.bash"

# measured NAME N-DISKS: runs it; the most memory that was resident stays within the bound.
measured() {
    local kib limit=$((64 * 1024 + 32 * 1024 * $2))
    timeout 250 bash -c 'exec 3>&1 >"$1" 2>"$2"; { /usr/bin/time -f %M "$3" copy <"$4" 2>"$2"; } ; echo $?' _ \
        "$TEST_TMP/out" "$TEST_TMP/err" "$copy_bin" "$copy_spec" >/dev/null
    kib=$(tail -n 1 "$TEST_TMP/err")
    result=$(head -n 1 "$TEST_TMP/out")
    is "$(field .result)" ok "$1" || diag "$(<"$TEST_TMP/err")"
    diag "$1: $kib KiB"
    [[ $kib =~ ^[0-9]+$ ]] || kib=$((limit + 1))
    ok "$1: at most $limit KiB" test "$kib" -le "$limit"
}
[ -x /usr/bin/time ] || skip_all "time is not installed (package time)"

# 2 TiB with a little data here and there; the target forgets what it gets, so that the test needs no space.
source_nbdkit 2000 data size=2T data='(1)*65536 @1099511627776 (2)*3000000 @2199023255040 (3)*512'
source_nbdkit target-2000 null size=2T
target_uri[2000]="nbd+unix:///?socket=$TEST_TMP/source-target-2000.sock"
disk 2000 $((2048 * 1024 * MIB))
spec
measured "2 TiB" 1
is "$(of_disk 2000 '.digest.blocks | length')" 2048 "all of it has digests"

# The same as an increment of 100,000 areas.
copy_disks=()
jq -cn '[range(100000) | [. * 20971520, 65536]]' >"$TEST_TMP/areas"
disk 2000 $((2048 * 1024 * MIB)) '.read = "changed" | .parent = true'
spec
jq -c --slurpfile areas "$TEST_TMP/areas" '.disks[0].areas = $areas[0]' "$copy_spec" >"$TEST_TMP/spec2" && mv "$TEST_TMP/spec2" "$copy_spec"
measured "100,000 areas" 1
is "$(of_disk 2000 '"\(.areas) \(.bytes_read)"')" "100000 $((100000 * 65536))" "each of them is read"

# Two disks of data from one end to the other.
copy_disks=()
for key in 2001 2002; do
    source_nbdkit $key pattern size=512M
    source_nbdkit target-$key null size=512M
    target_uri[$key]="nbd+unix:///?socket=$TEST_TMP/source-target-$key.sock"
    disk $key $((512 * MIB)) '.read = "all"'
done
spec
measured "two of data" 2
done_testing
