#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What does not answer for a while and then does, in the middle of a running backup: it completes with the right data, and is
# not owed anything that the node would give.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/faults.bash"

# An export may be silent for 5 s and twice 3 s.
e2e_up '[Exports]
ProbeSec=5s
AnswerTimeoutSec=3s'
vcenter_with_pgtest1 "24M:fill=10M,8M:fill=3M"
ok "a first backup" backup --type=full

each_export() { for unit in $(exports); do hub systemctl kill -s "$1" "$unit"; done; }
exports_are_slow() {
    each_export STOP
    hub systemctl restart sendense-hub
    sleep 8
    each_export CONT
}
completes "exports are slow while the hub is started anew" exports_are_slow sendense_hub_started_seconds

# The node's polkit is being restarted when the node is told that the backup is committed: it refuses that, and is told again.
in_hub 'mkdir -p /run/systemd/system/sendense-image-.service.d && touch /run/hold && cat >/run/systemd/system/sendense-image-.service.d/90-hold.conf <<"X"
[Service]
ExecStartPre=sh -c "case %n in *-commit*) while test -e /run/hold; do sleep 0.05; done ;; esac"
X
systemctl daemon-reload'
ctl backup start pgtest1 --type=full >/dev/null || fail "it starts"
job=$(last_job)
commit_waits() { hub systemctl list-units --plain --no-legend "sendense-image-$job-commit.service" | grep -q start-pre; }
ok "polkit is restarted: the commit waits" eventually "$patience_sec" commit_waits || diag "$(ctl job show "$job")"
node systemctl mask --runtime --now --quiet polkit
hub rm /run/hold
refuses() { node journalctl -q -o cat -u sendense-node | grep -q 'may not call com.sendense.Node1.*Release.*polkit'; }
ok "polkit is restarted: the node refuses the release" eventually "$patience_sec" refuses || diag "$(node journalctl -q -o cat -u sendense-node | tail)"
node systemctl unmask --runtime --quiet polkit
node systemctl start polkit
ok "polkit is restarted: the job comes to its end" over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State)" completed "polkit is restarted: the backup completes"
is_the_vm "polkit is restarted" "$job"
clean "polkit is restarted"
done_testing
