#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# deploy/quickstart as a newcomer types it: it shows a hub at work, leaves nothing behind unless asked to, and a step
# that goes wrong is named with its cause and remedy.

. "$(dirname "$0")/../lib/tap.sh"

: "${TEST_TMP:?a test needs a folder of its own; tests/run makes one}"
[ "$EUID" -eq 0 ] || skip_all "booting machines takes root"
quickstart=$SENDENSE_SRC/deploy/quickstart
out=$TEST_TMP/out

# As a job of cron would: no terminal, no standard input.
quickly() { setsid --wait "$@" <&- >"$out" 2>&1; }

begin=${EPOCHREALTIME/[.,]/}
before=$(find /run -maxdepth 1 -name 'sendense-quickstart-*' | wc -l)
quickly "$quickstart"
rc=$?
msec=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
is "$rc" 0 "it succeeds" || diag "$(tail -n 40 "$out")"
diag "it took $msec ms, with packages and build in place"
for heading in Packages Build Machines MariaDB Hub Node vCenter 'A full backup' 'The VM writes, and an incremental' Proof 'The way back'; do
    ok "there is the step $heading" grep -Eq "^==> [0-9]+/11 $heading\$" "$out"
done
ok "a disk that was restored is what it was" grep -q "was what disk 2001 was at its snapshot" "$out"
ok "it shows the hub's object" grep -q '/com/sendense/Hub1' "$out"
ok "it shows that the hub is active" grep -q 'Active: active (running)' "$out"
ok "it shows the hub's journal" grep -q 'Ready on the bus as com.sendense.Hub1' "$out"
is "$(grep -cE 'job [12]: completed' "$out")" 2 "it makes two backups"
ok "of which the second stands on the first" grep -q 'backing file: backup-pgtest1-' "$out"
is "$(grep -cE '^    [12] +200[01] +[0-9a-f]{16} +[0-9a-f]{16} equal$' "$out")" 4 "and each is what its disks were"
ok "through the tunnel of a node that was enrolled" grep -q 'Node edge1 is enrolled, and its tunnel to hub port 443 is up' "$out"
ok "it says what to type next" grep -q 'sudo tests/run' "$out"
took=$(sed -nE 's/.*one came back: in ([0-9]+)\.[0-9] s, build and machines included\.$/\1/p' "$out")
ok "it says how long it took" test "${took:-0}" -gt 0
is "$(grep -c 'more than the 180 s that it should take' "$out")" "$((${took:-0} >= 180))" "and when that was too long (${took:-?} s)"
is "$(find /run -maxdepth 1 -name 'sendense-quickstart-*' | wc -l)" "$before" "its folder in /run is gone"

# --keep.
export LAB_STATE=$TEST_TMP/lab
at_end '"$SENDENSE_SRC/tests/lab/lab" down'
quickly env QUICKSTART_SEC=1 "$quickstart" --keep
is "$?" 0 "--keep succeeds" || diag "$(tail -n 40 "$out")"
like "$(<"$out")" 'more than the 1 s that it should take; the machine is busy or slow' "which took longer than it was given, and says so"
ok "it says how to enter the hub" grep -q 'tests/lab/lab exec hub' "$out"
ok "it says how to end the machines" grep -q 'tests/lab/lab down' "$out"
like "$("$SENDENSE_SRC/tests/lab/lab" exec hub sendensectl status)" ready "the hub can be looked at"
is "$("$SENDENSE_SRC/tests/lab/lab" exec hub systemctl is-enabled sendense-hub mariadb | sort -u)" enabled \
    "and would come back after a reboot"
quickly "$quickstart" --keep
is "$?" 1 "a second --keep is refused"
like "$(<"$out")" 'step 3, Machines, failed: .*still up' "the step and the cause are named"
like "$(<"$out")" 'remedy: .*lab down' "and the remedy"

# Wrong calls.
"$quickstart" --kep >"$out" 2>&1
is "$? $(grep -c 'unknown argument --kep; see' "$out")" "2 1" "an unknown argument is named"
# Another user, who may read the tree wherever it lies.
setpriv --reuid 65534 --clear-groups --inh-caps +dac_read_search --ambient-caps +dac_read_search "$quickstart" >"$out" 2>&1
is "$? $(grep -c 'type: sudo deploy/quickstart' "$out")" "2 1" "without root it says what to type"
SENDENSE_BUILD=/dev/null/x "$quickstart" >"$out" 2>&1
is "$?" 1 "a build that cannot be is a failure"
like "$(<"$out")" 'step 2, Build, failed: ' "of the step Build"

done_testing
