#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Exports by TLS ([Exports] TlsPsk=yes) for a node: a full backup and one by changes go through it, and a VM comes back through it. The node
# gets the keys of a job with its start, keeps them over a restart of its own, and they are found nowhere where others look, at neither
# end. A restarted hub and a node that got another key, are no way around them.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up '[Exports]
TlsPsk=yes
ProbeSec=1s'
vcenter_with_pgtest1

hold_copy() { simctl fault delay method=FolderGet ms=2000 count=0 >/dev/null; }
go_on() { simctl faults clear >/dev/null; }
copies() { [ "$(job_field "$job" BytesDone)" -gt 0 ]; }
over() { [[ $(job_field "$job" State) =~ ^(completed|failed|cancelled)$ ]]; }

# The snapshot takes its time, so that a restart of the node comes before the copy is begun.
simctl fault slow-task method=CreateSnapshot_Task hold=1 count=1 >/dev/null
hold_copy
ctl backup start pgtest1 --type=full >/dev/null || fail "it starts"
job=$(last_job)
snapshotting() { [ "$(on node sendensectl --json task list 2>/dev/null | jq -r '.[0].State')" = snapshotting ]; }
ok "the node takes a snapshot" eventually "$patience_sec" snapshotting || diag "$(ctl job show "$job")"
node systemctl restart sendense-node
simctl tasks finish >/dev/null
ok "after a restart of the node its copy is under way" eventually "$patience_sec" copies || diag "$(job_field "$job" ErrorText)"

# Where the keys are: in files for the hub alone, and in the credentials of the units.
files=/run/sendense/units
is "$(in_hub "stat -c '%a %U' $files/*.psk" | sort | uniq -c | tr -s ' ')" " 2 600 sendense" "the hub keeps a key for each export, for itself alone"
in_hub "cut -d: -f2 $files/*.psk" >"$TEST_TMP/keys"
is "$(sort -u "$TEST_TMP/keys" | grep -cE '^[0-9a-f]{64}$')" 2 "of 256 bits, which are different"
is "$(node sha256sum "/run/credentials/sendense-copy-$job.service/keys.psk" | cut -d' ' -f1)" "$(in_hub "cat $files/*.psk" | sha256sum | cut -d' ' -f1)" "the copy at the node has both"
is "$(node runuser -u sendense-node -- cat "/run/credentials/sendense-copy-$job.service/keys.psk" 2>/dev/null | wc -c)" 0 "as a credential, which not even the daemon of the node can read"
is "$(ctl port list --json | jq -r '[.[].ExportName | endswith("-tls")] | unique | join(" ")')" true "the names of the exports say how they are served"

# Nobody without the key gets to them through the tunnel, not even root of the node.
while IFS=$'\t' read -r key port name; do
    like "$(node nbdinfo "nbd://127.0.0.1:$port/$name" 2>&1)" 'Operation not supported|not permitted' "disk $key: at the node root cannot read it without the key"
    node install -m 600 /dev/stdin /root/wrong.psk <<<"$name:$(printf '%064d' 7)"
    unlike "$(node timeout 20 nbdinfo "nbds://$name@127.0.0.1:$port/$name?tls-psk-file=/root/wrong.psk" 2>&1)" 'export-size' "nor with a wrong one"
done < <(ctl port list --json | jq -r '.[] | [.DiskKey, .Port, .ExportName] | @tsv')

# A hub that is killed asks its exports again, and the node has noticed nothing.
hub bash -c 'kill -KILL $(systemctl show --value -p MainPID sendense-hub)'
ok "the hub is there again" eventually "$patience_sec" in_hub 'sendensectl database probe >/dev/null'
is "$(job_field "$job" State)" copying "after the hub was killed the copy goes on"

# Where they are not, at both ends, while all of it is under way.
found_no_key() { # MACHINE
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" bash -c 'for p in /proc/[0-9]*; do cat "$p/cmdline" "$p/environ" 2>/dev/null | tr "\0" "\n"; done' >"$TEST_TMP/processes"
    on "$1" bash -c 'journalctl --sync; journalctl --quiet -o export' >"$TEST_TMP/journal"
    on "$1" bash -c 'systemctl show "sendense-*"; cat /run/systemd/transient/sendense-*' >"$TEST_TMP/units"
    on "$1" bash -c 'busctl --system tree com.sendense.Hub1; busctl --system call com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager ListTasks "a{sv}" 0' >"$TEST_TMP/bus" 2>&1
    on "$1" bash -c 'find /var/lib/sendense-node /run/sendense-node /etc/sendense -type f -exec cat {} +' >"$TEST_TMP/files"
    [ "$1" != hub ] || in_hub 'mariadb-dump --skip-extended-insert sendense' >"$TEST_TMP/database"
    for place in processes journal units bus files $([ "$1" != hub ] || echo database); do
        ok "$1: $place: something was looked at" test -s "$TEST_TMP/$place"
        is "$(grep -aciFf "$TEST_TMP/keys" "$TEST_TMP/$place")" 0 "$1: $place: no key"
    done
}
found_no_key hub
found_no_key node
go_on
ok "it comes to its end" eventually 120 over || diag "$(ctl job show "$job")"
full=$job
is "$(job_field "$full" State)" completed "the full backup is completed" || diag "$(job_field "$full" ErrorText)"
is_the_vm "full" "$full"
clean "after the full"
is "$(in_hub "ls $files/*.psk 2>/dev/null")$(node bash -c 'ls /run/credentials | grep -E "^sendense-(copy|vsphere)"')" "" "with the job its keys are gone at both ends"

head -c 1536000 /dev/urandom | guest_writes "${keys[0]}" 4194304
ok "an incremental" backup
incremental=$(last_job)
is_the_vm "incremental" "$incremental"
is "$(job_field "$incremental" 'Disks | map(.BackupType) | unique | join(" ")')" incremental "both disks by their changes"
clean "after the incremental"

# A VM comes back: the node reads what the hub serves, with keys of that job.
ctl restore vm "$(job_field "$incremental" BackupId)" --name="back again" --datastore=datastore1 --no-verify >/dev/null || fail "a restore starts"
job=$(last_job)
reads() { [ "$(in_hub "stat -c '%a %U' $files/sendense-mount-$job-*.psk 2>/dev/null" | sort | uniq -c | tr -s ' ')" = " 2 600 sendense" ] && in_hub "cut -d: -f2 $files/sendense-mount-$job-*.psk" >"$TEST_TMP/keys"; }
ok "its disks are served with keys" eventually "$patience_sec" reads
ok "it comes to its end" eventually 120 over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State)" completed "the VM is back" || diag "$(job_field "$job" ErrorText)"
disk_hash() { simctl disk hash vm="$1" key="$2" | jq -r .hash; } # VM KEY
mapfile -t back_keys < <(simctl vm list | jq -r '.[] | select(.name == "back again") | .disks[].key')
for i in 0 1; do
    is "$(disk_hash "back again" "${back_keys[$i]}")" "$(was_at_snapshot "$incremental" "${keys[$i]}")" "disk ${keys[$i]} is what it was at the snapshot's moment"
done
found_no_key hub
found_no_key node
clean "after the restore"

# What is switched counts for jobs that begin from then on.
printf '[Exports]\nTlsPsk=no\n' | hub install -m 644 /dev/stdin /etc/sendense/hub.conf.d/90-plain.conf
hub systemctl restart sendense-hub
ok "the hub is ready" eventually "$patience_sec" node_answers edge1
ok "without TLS" backup
is_the_vm "without TLS" "$(last_job)"
clean "at the end"
done_testing
