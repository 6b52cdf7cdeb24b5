# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the rooms it sources, and of the tests that source it
#
# For tests of what dies in the middle of a running backup: source it after tap.sh, then e2e_up, vcenter_with_pgtest1. `completes NAME FUNCTION`
# has a backup that completes though the function is called in the middle of it, `fails` one that fails for a reason, `refused` one that is not
# begun; after each nothing is left, and the metric that is named has grown.

# shellcheck source=tests/e2e/e2e.bash
. "$SENDENSE_SRC/tests/e2e/e2e.bash"

# pid MACHINE UNIT
pid() { on "$1" systemctl show --value -p MainPID "$2"; }
dies() { on "$1" systemctl kill -s KILL "$2"; } # MACHINE UNIT
exports() { hub systemctl list-units --plain --no-legend 'sendense-export-*.service' | awk '{ print $1 }'; }

# From the fifth on: the first four are descriptors, before a byte is copied.
hold_copy() { simctl fault delay method=FolderGet at=5 ms=20000 count=0 >/dev/null; }
go_on() { simctl faults clear >/dev/null; }
not_reachable() { ! node_answers edge1; }
copies() { job_copies hub "$job" "$patience_sec"; }
over() { [[ $(job_over hub "$job" "$patience_sec") =~ ^(completed|failed|cancelled)$ ]]; }
begin() { # [OPTION...]
    hold_copy
    ctl backup start pgtest1 --type=full "$@" >/dev/null || fail "it starts"
    job=$(last_job)
    ok "its copy is under way" copies || diag "$(job_field "$job" ErrorText)"
}
end() { # NAME
    go_on
    ok "$1: the job comes to its end" over || diag "$(ctl job show "$job")"
}
completes() { # NAME FUNCTION [METRIC]: what happens in the middle of the copy
    local before
    [ -z "${3:-}" ] || before=$(metric hub "$3")
    begin
    "$2"
    end "$1"
    [ -z "${3:-}" ] || metric_moves "$1" hub "$3" "$before"
    is "$(job_field "$job" State)" completed "$1: the backup completes" || diag "$(job_field "$job" ErrorText)"
    is_the_vm "$1" "$job"
    clean "$1"
}
fails() { # NAME FUNCTION ERROR TEXT
    local metric="sendense_jobs{state=\"failed\",reason=\"com.sendense.Error.$3\"}" before
    before=$(metric hub "$metric")
    begin
    "$2"
    end "$1"
    metric_moves "$1" hub "$metric" "$before"
    is "$(job_field "$job" State) $(job_field "$job" ErrorName)" "failed com.sendense.Error.$3" "$1: the job fails"
    like "$(job_field "$job" ErrorText)" "$4" "$1: and says why"
    sessions_end
    clean "$1"
}
# Whoever is killed cannot log out: vCenter itself ends such a session.
sessions_end() { simctl sessions kill >/dev/null; }
phase_is() { hub busctl --json=short get-property com.sendense.Hub1 "/com/sendense/Hub1/job/$job" com.sendense.Hub1.Job Phase | grep -q "$1"; }
refused() { # NAME PATTERN
    hub sendensectl backup start pgtest1 >"$TEST_TMP/refused" 2>&1
    is "$?" 1 "$1: the call is refused"
    like "$(<"$TEST_TMP/refused")" "$2" "$1: and says why"
}
