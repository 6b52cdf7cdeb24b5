#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A repository whose file system does not answer, as on a server that is away: whoever touches it cannot even be killed. The
# hub answers all the same; the job says what hangs, or is cancelled, within its time; what it left there is owed, and removed
# when the repository answers again.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

for device in /dev/fuse /dev/loop-control; do
    [ -c "$device" ] || skip_all "there is no $device here"
done
[ -e "$SENDENSE_BUILD/tests/lib/lossy.so" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"

fault_up '[Repositories]
MinFree=1M
StepTimeoutSec=12s
[Exports]
ProbeSec=1s
AnswerTimeoutSec=6s'
hub install -d /opt/lossy /srv/far
lab copy-in hub "$SENDENSE_SRC/tests/lib/lossy-disk" /opt/lossy/lossy-disk
lab copy-in hub "$SENDENSE_BUILD/tests/lib/lossy.so" /opt/lossy/lossy.so
lossy() { hub env LOSSY_PLUGIN=/opt/lossy/lossy.so /opt/lossy/lossy-disk "$@"; }
require "a file system behind FUSE and NBD" lossy create /var/lib/lossy 1G
require "mounted" lossy mount /var/lib/lossy /srv/far

freeze() { in_hub 'kill -STOP "$(cat /var/lib/lossy/nbdkit.pid)"'; }
thaw() { in_hub 'kill -CONT "$(cat /var/lib/lossy/nbdkit.pid)"'; }
# A machine that is killed while its kernel waits for such a file system does not go.
at_end 'thaw; lossy destroy /var/lib/lossy'

repo=/srv/far/repository
hub install -d -o sendense -g sendense-export -m 2750 "$repo"
require "a repository on it" hub sendensectl repository add far "$repo"
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk 16
backup web --repository=far --type=full

# answers WHAT: the hub's own answers come as ever.
answers() {
    local ms
    ms=$(wait_prop "$patience_sec" DatabaseState 's "ready"')
    figure "$1: the hub answers in" "$ms" 1000
    figure "$1: its longest turn of the loop, in microseconds" "$(prop DispatchMaxUSec | cut -d' ' -f2)" 1000000
}
# mended WHAT: the repository answers again.
mended() {
    thaw
    gone() { [ -z "$(hub systemctl list-units --plain --no-legend 'sendense-image-*' 'sendense-export-*')" ]; }
    ok "$1: the processes that hung are gone" eventually "$patience_sec" gone
    done_now() { hub sendensectl cleanup >/dev/null && [ "$(hub sendensectl obligation list --json)" = "[]" ]; }
    ok "$1: what was owed is undone" eventually "$patience_sec" done_now
    unharmed "$1"
    change web
    backup web --repository=far
    is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "$1: an incremental follows"
}

# Before the job touches anything.
change web
freeze
start web --repository=far || fail "a backup starts" "$ANSWER"
failed "it hangs at once" "^RepositoryHangs: Repository far: $repo does not answer: the step prepare did not end within 12 s; see to the disk"
answers "it hangs at once"
is "$(hub sendensectl obligation list --json | jq -r '[.[] | "\(.Kind) \(.State)"] | join(" ")')" "files owed" "its files are owed"
mended "it hangs at once"

# In the middle of the copy. Its exports greet whoever comes, and how long a write takes nobody can say: the copy waits, as it
# would for a slow disk, and the job says that it does.
change web
start_held web --repository=far --type=full
freeze
rate web ""
still() { [ "$(hub busctl get-property "$HUB_NAME" "$HUB_PATH/job/$JOB" "$HUB_NAME.Job" Phase)" = 's "nothing has moved for 12 s"' ]; }
ok "it hangs in the copy: the job says that nothing moves" eventually "$patience_sec" still
hub journalctl --quiet --sync
like "$(lab journal hub -o cat SENDENSE_JOB="$JOB" MESSAGE_ID="$(message_id copy-still)")" "^The copy stands still: .*; see to the sources and to $repo" "and the journal, what to see to"
is "$(job_state)" copying "it hangs in the copy: the copy waits"
thaw
is "$(wait_job)" completed "it hangs in the copy for a while: the job completes" || diag "$(job_error)"
keep web
unharmed "it hangs in the copy for a while"
change web
start_held web --repository=far --type=full
freeze
rate web ""
ok "it hangs in the copy: the job is cancelled" hub sendensectl job cancel "$JOB"
is "$(wait_job)" cancelled "it hangs in the copy: and ends so"
answers "it hangs in the copy"
mended "it hangs in the copy"

# Cancelled while the images are being checked, which nobody can interrupt.
change web
hold image finish
start web --repository=far || fail "a backup starts" "$ANSWER"
ok "the check waits" eventually "$patience_sec" held image finish
freeze
release
ok "it hangs in the check: the job is cancelled" hub sendensectl job cancel "$JOB"
is "$(wait_job)" cancelled "it hangs in the check: and ends so"
answers "it hangs in the check"
hub systemctl daemon-reload
mended "it hangs in the check"

# A scan takes its time, but not for ever. What the kernel remembers of the repository it would answer without the server.
is "$(hub sendensectl repository scan far --json | jq -r '.Problems | length')" 0 "the repository is scanned"
sync -f /
echo 3 >/proc/sys/vm/drop_caches
freeze
hub sendensectl repository scan far >"$TEST_TMP/scan" 2>&1 &
scan=$!
answers "it hangs in a scan"
wait "$scan"
like "$(cat "$TEST_TMP/scan")" "$repo does not answer: the step scan did not come further within 12 s" "a scan of one that hangs ends, and says so"
mended "it hangs in a scan"

# A verification, as a restore and a deletion, waits as a copy does, and is told.
kept=$(job .BackupId)
sync -f /
echo 3 >/proc/sys/vm/drop_caches
freeze
JOB=$(hub sendensectl backup verify "$kept" --json | grep -oE "[0-9]+\"" | tr -d "\"")
ok "it hangs in a verification: the job says that nothing moves" eventually "$patience_sec" still || diag "$(hub sendensectl job show "$JOB")"
hub journalctl --quiet --sync
like "$(lab journal hub -o cat SENDENSE_JOB="$JOB" MESSAGE_ID="$(message_id copy-still)")" "^The verify stands still: .*; see to $repo" "and the journal, what to see to"
thaw
is "$(wait_job)" completed "it hangs in a verification for a while: it completes" || diag "$(job_error)"
done_testing
