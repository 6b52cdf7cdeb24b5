#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A whole backup while the network between node and hub is cut for a minute: it waits, and completes with the right data. One whose
# repository fills up in the middle fails and says so. A node of another protocol is asked for nothing. Nothing is left each time,
# and the next backup works.
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/e2e/e2e.bash"

e2e_up '[Repositories]
MinFree=0'
vcenter_with_pgtest1
ok "a first backup" backup --type=full

hold_copy() { simctl fault delay method=FolderGet ms=400 count=0 >/dev/null; }
go_on() { simctl faults clear >/dev/null; }
copies() { [ "$(job_field "$job" BytesDone)" -gt 0 ]; }
over() { [[ $(job_field "$job" State) =~ ^(completed|failed|cancelled)$ ]]; }
begin() { # [OPTION...]
    hold_copy
    ctl backup start pgtest1 --type=full "$@" >/dev/null || fail "it starts"
    job=$(last_job)
    ok "its copy is under way" eventually "$patience_sec" copies || diag "$(job_field "$job" ErrorText)"
}
phase_is() { hub busctl --json=short get-property com.sendense.Hub1 "/com/sendense/Hub1/job/$job" com.sendense.Hub1.Job Phase | grep -q "$1"; }

reconnects=$(metric hub 'sendense_tunnel_reconnects_total{node="edge1"}')
begin
before=$(job_field "$job" BytesDone)
# The hub's cable is out: not a byte comes through either way, and nobody is told. The node's way to vCenter stays.
lab link hub down
ok "the hub notices" eventually 90 phase_is 'does not answer'
in_node 'sleep 60'
is "$(job_field "$job" State)" copying "after a minute the job waits still"
lab link hub up
went_on() { [ "$(job_field "$job" BytesDone)" -gt "$before" ] && ! phase_is 'does not answer'; }
ok "the network is back, and it goes on by itself" eventually 120 went_on || diag "$(ctl job show "$job")"
go_on
ok "it comes to its end" eventually 120 over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State)" completed "the backup completes" || diag "$(job_field "$job" ErrorText)"
is_the_vm "the network was cut" "$job"
metric_moves "the network was cut" hub 'sendense_tunnel_reconnects_total{node="edge1"}' "$reconnects"
clean "the network was cut"

# A repository that has room for a part of it.
# shellcheck disable=SC2016 # expanded in the machine
require "a small repository" in_hub 'mkdir -p /srv/small && mount -t tmpfs -o size=64M,mode=2750 small /srv/small && chown sendense:sendense-export /srv/small &&
    sendensectl repository add small /srv/small >/dev/null'
begin --repository=small
# shellcheck disable=SC2016 # expanded in the machine
ok "somebody else fills it" in_hub 'head -c 1G /dev/zero >/srv/small/filler 2>/dev/null; [ "$(stat -f -c %a /srv/small)" -lt 4 ]'
go_on
ok "full: the job comes to its end" eventually "$patience_sec" over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State) $(job_field "$job" ErrorName)" "failed com.sendense.Error.RepositoryFull" "full: it fails by its name" || diag "$(job_field "$job" ErrorText)"
like "$(job_field "$job" ErrorText)" 'full|space' "full: and says so"
is "$(metric hub 'sendense_jobs{state="failed",reason="com.sendense.Error.RepositoryFull"}')" 1 "full: it is counted"
less_is_free() { [ "$(metric hub 'sendense_repository_free_bytes{repository="small"}')" -lt 67108864 ]; }
ok "full: what is free is told" eventually "$patience_sec" less_is_free
hub rm /srv/small/filler
clean "full"
ok "with room again the next works" backup --type=full --repository=small
repository=/srv/small is_the_vm "with room again" "$(last_job)"

# A node that speaks another protocol.
another_protocol() {
    node systemctl stop sendense-node-api.socket sendense-node-api.service
    printf '#!/bin/bash\nread -r line\nwhile read -r more && [ "${more%%%%$(printf "\\\\r")}" ]; do :; done\nbody='"'"'{"protocol":2,"state":"running","version":"9.9"}'"'"'\nprintf "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %%d\\r\\nConnection: close\\r\\n\\r\\n%%s" "${#body}" "$body"\nprintf "%%s\\n" "$line" >>/srv/asked\n' |
        node install -m 755 /dev/stdin /srv/newer
    node systemd-run -q --unit=newer -- socat TCP-LISTEN:8081,bind=127.0.0.1,reuseaddr,fork EXEC:/srv/newer
}
told() { ctl --json node show edge1 | jq -r .Error | grep -q 'speaks protocol 2, this hub speaks 1'; }
another_protocol
ok "a node of another protocol is seen" eventually "$patience_sec" told || diag "$(ctl node show edge1)"
is "$(metric hub 'sendense_node_reachable{node="edge1"}')" 0 "and its figures say that it cannot be used"
before=$(last_job)
hub sendensectl backup start pgtest1 >"$TEST_TMP/refused" 2>&1
is "$?" 1 "a backup by it is refused"
like "$(<"$TEST_TMP/refused")" 'No node answers' "at the call"
is "$(last_job)" "$before" "and no job was made"
is "$(node sort -u /srv/asked | grep -vc health)" 0 "it was asked for its health alone"
node systemctl stop newer
node systemctl start sendense-node-api.socket
ok "a node of ours is back" eventually "$patience_sec" node_answers edge1
ok "the next backup works" backup
is_the_vm "the next" "$(last_job)"
clean "at the end"
done_testing
