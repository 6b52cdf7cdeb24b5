#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A copy at a node in which nothing moves is told, by the job and in the journal, and goes on; nobody takes a VM that grows its snapshot
# all night for one that is being copied.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/faults.bash"

e2e_up '[Repositories]
StepTimeoutSec=5s'
vcenter_with_pgtest1 8M:fill=4M,8M:fill=2M
hold_copy() { simctl fault delay method=FolderGet at=5 ms=12000 count=0 >/dev/null; }
begin
ok "the source stands still: the job says that nothing moves" eventually "$patience_sec" phase_is "nothing has moved for 5 s" || diag "$(ctl job show "$job")"
hub journalctl --quiet --sync
like "$(hub journalctl -q -o cat SENDENSE_JOB="$job" | grep still)" "^The copy stands still: .*; see to the sources and to /var/lib/sendense/repository" \
    "and the journal, what to see to"
is "$(job_field "$job" State)" copying "and it goes on"
go_on
ok "it moves again, and comes to its end" over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State)" completed "it completes" || diag "$(job_field "$job" ErrorText)"
is_the_vm "a copy that stood still" "$job"
clean "a copy that stood still"
done_testing
