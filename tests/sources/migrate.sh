#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command that people have in their scripts: one line takes a snapshot, copies all disks and removes it again,
# however it ends. What it refuses it refuses before there is a snapshot.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed'
sources_start
logout >/dev/null
unset CREDENTIALS_DIRECTORY

simctl vm add name='web & more' folder='Prod' disks=24M:fill=12M,8M:nvme:fill=8M >/dev/null
vm=$(simctl vm list vm='web & more' | jq -r .vm)
path='DC0/vm/Prod/web & more'
one=2000
two=32000
size=(24M 8M)
new_targets() {
    targets_end
    rm -f "$TEST_TMP"/*.qcow2 "$TEST_TMP"/target-*.sock
    target "$one" "${size[0]}" && target "$two" "${size[1]}"
}
new_targets || exit
both="$one:$(target_uri $one),$two:$(target_uri $two)"
options=(--vmware-endpoint "$(simctl ready address)" --vmware-username "$user" --vmware-ca-file "$ca"
    --vsphere-program "$SENDENSE_BUILD/helpers/vsphere/sendense-vsphere")
migrate() { # OPTION…
    timeout 100 "$client" migrate "${options[@]}" "$@" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
}
file=(--vmware-password-file "$sim/password")
whole=("${file[@]}" --vmware-path "$path" --nbd-targets "$both" --job-id 'night.1')
is_clean() { # NAME
    is "$(simctl snapshots)" '[]' "$1: no snapshot is left"
    is "$(simctl sessions)" '[]' "$1: no session is left"
}

simctl writer start vm="$vm" key=$one size=64K ms=2 >/dev/null
ok 'the old command line copies a VM' migrate "${whole[@]}" || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(answer result)" ok 'and says so'
is "$(jq -c '[.disks[].disk_key] | sort' "$TEST_TMP/answer")" "[$one,$two]" 'for each disk'
is "$(jq -c '[.disks[].bytes_read] | sort' "$TEST_TMP/answer")" "[$((8 << 20)),$((24 << 20))]" 'whose changes are not tracked: every byte is read'
is_clean 'copied'
like "$(simctl snapshots all=1 | jq -r '.[-1].name')" '^sendense-cli-night.1$' "the snapshot had the job's name"
targets_end
snap=$(simctl snapshots all=1 | jq -r '.[-1].snapshot')
for key in $one $two; do
    is "$(image_hash "$key")" "$(frozen "$snap" "$key")" "disk $key is as it was at the snapshot"
done
new_targets || exit
taken() { simctl calls | jq '[.[] | select(.method == "CreateSnapshot_Task")] | length'; }

# Refused before any snapshot.
simctl calls clear >/dev/null
refused() { # STATUS PATTERN NAME OPTION…
    local status=$1 pattern=$2 name=$3
    shift 3
    migrate "$@"
    is "$?" "$status" "$name: refused"
    like "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")" "$pattern" "$name: says why"
}
refused 1 "no target for disk $two .*nvme|no target for disk $two" 'a disk without a target' "${file[@]}" --vmware-path "$path" \
    --nbd-targets "$one:$(target_uri $one)" --job-id 2
is "$(answer disk_key)" $two 'with its key'
refused 1 'has no such disk' 'a target without a disk' "${file[@]}" --vmware-path "$path" --nbd-targets "$both,2001:nbd://127.0.0.1/x" --job-id 2
refused 1 . 'a VM that is not there' "${file[@]}" --vmware-path DC0/vm/nobody --nbd-targets "$both" --job-id 2
is "$(answer error_name)" com.sendense.Error.VmMissing 'by its name'
refused 1 . 'a folder' "${file[@]}" --vmware-path DC0/vm/Prod --nbd-targets "$both" --job-id 2
(umask 077 && printf 'wr0ng&<\n' >"$TEST_TMP/wrong")
refused 1 . 'a wrong password' --vmware-password-file "$TEST_TMP/wrong" --vmware-path "$path" --nbd-targets "$both" --job-id 2
is "$(answer error_name)" com.sendense.Error.VCenterLogin 'by its name'
(umask 022 && cp "$sim/password" "$TEST_TMP/open" && chmod 0644 "$TEST_TMP/open")
refused 1 'private|chmod' 'a password file that all can read' --vmware-password-file "$TEST_TMP/open" --vmware-path "$path" --nbd-targets "$both" --job-id 2
for kind in vsan vvol encrypted sesparse; do
    simctl disk descriptor vm="$vm" key=$two type=$kind >/dev/null
    refused 1 'VDDK.*nothing was done' "a disk of the kind $kind, over HTTPS" "${whole[@]}"
    is "$(answer disk_key)" $two 'by its key'
done
simctl disk descriptor vm="$vm" key=$two type=vmfs >/dev/null
simctl vm user-snapshot vm="$vm" >/dev/null
refused 1 . 'a VM above a snapshot of the user, over HTTPS' "${whole[@]}"
is "$(answer error_name)" com.sendense.Error.VmNotUsable 'by its name' || diag "$(cat "$TEST_TMP/answer")"
is "$(taken)" 0 'none of them made a snapshot'

# The command line.
refused 64 'vmware-password-file.*' 'a password on the command line' --vmware-password pa55word "${whole[@]}"
like "$(cat "$TEST_TMP/stderr")" 'LoadCredential' 'points to the credential, too'
refused 64 'private file' 'the same with a =' --vmware-password=pa55word "${whole[@]}"
unlike "$(cat "$TEST_TMP/stderr")" pa55word 'and does not repeat it'
refused 64 'is not known' 'a word cut short' --vmware-pass=pa55word
unlike "$(cat "$TEST_TMP/stderr")" pa55word 'is not repeated either'
for old in --vcenter=x --username=x --password=x --vm=x '--vcenter x'; do
    # shellcheck disable=SC2086 # one of them is two words
    refused 64 'vmware-endpoint.*vmware-username' "the still older $old" $old
done
refused 64 'vmware-path is missing' 'no path' "${file[@]}" --nbd-targets "$both" --job-id 2
refused 64 'nbd-targets is missing' 'no targets' "${file[@]}" --vmware-path "$path" --job-id 2
refused 64 'job-id is missing' 'no job' "${file[@]}" --vmware-path "$path" --nbd-targets "$both"
refused 64 'password is missing' 'no password' --vmware-path "$path" --nbd-targets "$both" --job-id 2
refused 64 'must be letters' 'a job id that is no name' --job-id 'a b'
refused 64 'must be HOST' 'an endpoint that is none' --vmware-endpoint http://x/y
for bad in '' 2000 2000: :nbd://x/y 2000:nbd:// 2000:http://x/y 'x:nbd://x/y' '0:nbd://x/y' '2000:nbd://x/y,' \
    '2000:nbd://x/y,2000:nbd://x/z' '2000:nbd://x/y,2001:nbd://x/y' '2000:nbd://x/y,2001:nbd://x:10809/y'; do
    refused 64 'target' "--nbd-targets '$bad'" --nbd-targets "$bad"
done
like "$("$client" migrate --help)" 'vmware-password-file' '--help names the file'

# Failures after the snapshot was made: it goes.
vm2=$(simctl vm add name=plain disks=24M:fill=12M,8M:nvme:fill=8M >/dev/null && simctl vm list vm=plain | jq -r .vm)
ok 'another VM' test -n "$vm2"
plain=(--vmware-path "$(simctl vm list vm=plain | jq -r '.path // "DC0/vm/plain"')" --nbd-targets "$both")
ours() { simctl snapshots | jq -c '[.[] | select(.name | startswith("sendense-"))]'; }
gone() { is "$(ours)$(simctl sessions)" '[][]' "$1: neither snapshot nor session is left"; }
simctl fault http-503 method=FolderGet at=30 count=0 >/dev/null
migrate "${file[@]}" "${plain[@]}" --job-id 3 &
pid=$!
eventually 20 sh -c "[ \$('$simdir/simctl' -C '$sim' faults | jq '[.[].fired] | add') -gt 0 ]"
client_pid=$(pgrep -P "$(pgrep -P $pid)" 2>/dev/null || pgrep -P $pid)
kill -TERM "$client_pid"
wait $pid
is "$?" 1 'SIGTERM in mid-copy ends it' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(answer error_name)" com.sendense.Error.Cancelled 'as cancelled'
gone 'cancelled'
simctl reset >/dev/null
flat=$(find "$sim/data" -name 'plain_1-flat.vmdk')
truncate -s +512 "$flat"
migrate "${file[@]}" "${plain[@]}" --job-id 4
is "$? $(answer disk_key)" "1 $two" 'a disk that cannot be read ends it'
gone 'unreadable'
truncate -s -512 "$flat"
targets_end
migrate "${file[@]}" "${plain[@]}" --job-id 5
is "$? $(answer error_name)" '1 com.sendense.Error.TargetFailed' 'no target, no copy' || diag "$(cat "$TEST_TMP/answer")"
gone 'no target'

# A failed copy whose snapshot cannot be removed says both; the next run removes it.
simctl fault remove-snapshot-fails count=0 >/dev/null
migrate "${file[@]}" "${plain[@]}" --job-id 9
is "$? $(answer error_name)" '1 com.sendense.Error.TargetFailed' 'no target, and no removal'
like "$(answer error_text)" 'target.*; the snapshot sendense-cli-9 is left: ' 'the result names the snapshot that is left'
is "$(ours | jq length)" 1 'and it is left'
simctl reset >/dev/null
migrate "${file[@]}" "${plain[@]}" --job-id 9
unlike "$(answer error_text)" 'is left' 'when it goes, nothing is said of it'
gone 'the next run'

# A disk whose changes are tracked: what was never written is not read.
new_targets || exit
simctl vm cbt vm=plain on=1 >/dev/null
ok 'a VM whose changes are tracked' migrate "${file[@]}" "${plain[@]}" --job-id 7 || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(jq -c '.disks[] | select(.disk_key == 2000) | .bytes_read < 14000000' "$TEST_TMP/answer")" true 'half of a disk was never written, and is not read' ||
    diag "$(cat "$TEST_TMP/answer")"
targets_end
snap=$(simctl snapshots all=1 | jq -r '.[-1].snapshot')
for key in $one $two; do
    is "$(image_hash "$key")" "$(frozen "$snap" "$key")" "disk $key is as it was at the snapshot, where nothing was read, too"
done
gone 'of a tracked VM'

# The same command while it runs: the snapshot of the first is no leftover.
new_targets || exit
simctl fault delay method=FolderGet at=10 ms=20000 count=0 >/dev/null
timeout 100 "$client" migrate "${options[@]}" "${file[@]}" "${plain[@]}" --job-id 8 >"$TEST_TMP/first" 2>"$TEST_TMP/first-stderr" &
pid=$!
eventually 20 sh -c "[ \$('$simdir/simctl' -C '$sim' faults | jq '[.[].fired] | add') -gt 0 ]"
refused 1 'another run with --job-id 8 .*Nothing was done' 'the same job at the same VM' "${file[@]}" "${plain[@]}" --job-id 8
is "$(answer error_name)" com.sendense.Error.VmBusy 'by its name'
is "$(ours | jq length)" 1 'and the snapshot of the first is there'
simctl reset >/dev/null
wait $pid
is "$? $(jq -r .result "$TEST_TMP/first")" '0 ok' 'the first goes on, and is done' || diag "$(cat "$TEST_TMP/first" "$TEST_TMP/first-stderr")"
gone 'of both'

# Killed, and run again: what the first left goes.
new_targets || exit
simctl fault delay method=FolderGet at=10 ms=4000 count=0 >/dev/null
migrate "${file[@]}" "${plain[@]}" --job-id 6 &
pid=$!
eventually 20 sh -c "[ \$('$simdir/simctl' -C '$sim' faults | jq '[.[].fired] | add') -gt 0 ]"
kill -KILL "$(pgrep -P "$(pgrep -P $pid)" 2>/dev/null || pgrep -P $pid)"
wait $pid 2>/dev/null
is "$(ours | jq length)" 1 'SIGKILL leaves a snapshot'
simctl reset >/dev/null
simctl sessions kill >/dev/null
new_targets || exit
ok 'the same command again' migrate "${file[@]}" "${plain[@]}" --job-id 6 || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
gone 'run again'
done_testing
