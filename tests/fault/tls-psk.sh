#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Exports that are served by TLS ([Exports] TlsPsk=yes): a whole job goes through it, nobody without the key of that very export gets
# anywhere, not even root, and the key stands in no command line, environment, journal, unit or database. It outlives a restart of the
# hub in the middle of a copy, and is gone with the job.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up "[Exports]
TlsPsk=yes
ProbeSec=1s"
vm sealed 16 8
hold sealed
start sealed || fail "a backup starts" "$ANSWER"
ok "it copies" wait_state copying || diag "$(job_state): $(job_error)"
files=/run/sendense/units
is "$(hub bash -c "stat -c '%a %U' $files/*.psk" | sort | uniq -c | tr -s ' ')" " 3 600 sendense" "two exports and the copy have keys, for the hub alone to read"
is "$(hub bash -c "cat $files/sendense-export-*.psk" | sort)" "$(hub bash -c "cat $files/sendense-import-*.psk" | sort)" "the copy has the keys of both"
hub bash -c "cut -d: -f2 $files/sendense-import-*.psk" >"$TEST_TMP/keys"
is "$(sort -u "$TEST_TMP/keys" | wc -l)" 2 "which are different"

hub install -m 600 /dev/stdin /root/strange.psk <<<"strange:$(printf '%064d' 7)"
previous=
while IFS=$'\t' read -r key port name; do
    uri="nbds://$name@127.0.0.1:$port/$name?tls-psk-file"
    like "$(hub nbdinfo --list "nbd://127.0.0.1:$port/" 2>&1)" 'Operation not supported' "disk $key: without TLS root cannot list it"
    like "$(hub nbdinfo "nbd://127.0.0.1:$port/$name" 2>&1)" 'Operation not supported|not permitted' "nor look at it"
    unlike "$(hub timeout 20 nbdinfo "nbds://strange@127.0.0.1:$port/$name?tls-psk-file=/root/strange.psk" 2>&1)" 'export-size' "nor with another key"
    if [ -n "$previous" ]; then
        unlike "$(hub timeout 20 nbdinfo "nbds://$previous@127.0.0.1:$port/$name?tls-psk-file=$files/sendense-import-$JOB.service.psk" 2>&1)" 'export-size' \
            "nor with that of another disk of the job"
    fi
    like "$(hub nbdinfo "$uri=$files/sendense-export-$JOB-$key.service.psk" 2>&1)" 'with TLS' "with its key he can"
    previous=$name
done < <(hub sendensectl port list --json | jq -r '.[] | [.DiskKey, .Port, .ExportName] | @tsv')

# Without a group of its own a server searches for one at its start, longer than the hub waits for its greeting.
# shellcheck disable=SC2016 # expanded in the machine
ok "each export has been given a group for its key exchange" in_hub 'for key in 2000 2001; do
    cmp "/run/credentials/sendense-export-$1-$key.service/dh-params.pem" /usr/share/sendense/dh-params.pem || exit 1; done' "$JOB"

# The hub forgets nothing that it needs, and asks its exports again with their keys.
hub bash -c 'kill -KILL $(systemctl show --value -p MainPID sendense-hub)'
hub_ready
hub systemctl daemon-reload
is "$(job_state)" copying "after the hub was killed the copy goes on"
answered() { [ "$(hub journalctl --quiet -o cat -u sendense-hub --since=-5min | grep -c 'answers nothing')" = 0 ] && [ "$(job_state)" = copying ]; }
ok "and its exports answer it" answered

# Where the key is not.
in_hub 'for p in /proc/[0-9]*; do cat "$p/cmdline" "$p/environ" 2>/dev/null | tr "\0" "\n"; done' >"$TEST_TMP/processes"
in_hub 'journalctl --sync; journalctl --quiet -o export' >"$TEST_TMP/journal"
in_hub 'systemctl show "sendense-export-*" "sendense-import-*"; cat /run/systemd/transient/sendense-*' >"$TEST_TMP/units"
in_hub 'mariadb-dump --skip-extended-insert sendense' >"$TEST_TMP/database"
for place in processes journal units database; do
    ok "$place: something was looked at" test -s "$TEST_TMP/$place"
    is "$(grep -aciFf "$TEST_TMP/keys" "$TEST_TMP/$place")" 0 "$place: no key"
done
like "$(cat "$TEST_TMP/processes")" 'tls-creds-psk,.*dir=/run/credentials/sendense-export-' "the command line says where it is"
release sealed
finish_backup sealed
is "$(hub bash -c "ls $files/*.psk 2>/dev/null")" "" "with the job its keys are gone"

# What is switched counts for exports that are made from then on.
change sealed
hold sealed
start sealed || fail "a second backup starts" "$ANSWER"
ok "it copies" wait_state copying || diag "$(job_state): $(job_error)"
settings "[Exports]
TlsPsk=no"
release sealed
finish_backup sealed
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "one that began with TLS ends with it"
backup sealed
unharmed "all that"
done_testing
