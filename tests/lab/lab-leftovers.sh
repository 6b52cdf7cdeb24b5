#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two labs live beside each other. However one ends - down, or kill -9 of what holds it - nothing of it stays: no
# process, mount, link or cgroup; and the other one does not notice.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

# Everything that carries the name of one of our two state folders or of their cgroups.
traces() { # STATE CGROUP-ID
    local file
    # A zombie is out of our hands: its parent, the host's PID 1 by then, collects it when it likes.
    { grep -lz -Ff <(echo "$1") /proc/[0-9]*/cmdline; grep -l -Ff <(echo "$2") /proc/[0-9]*/cgroup; } 2>/dev/null |
        while read -r file; do
            grep -q '^State:.Z' "${file%/*}/status" 2>/dev/null || echo "process ${file%/*}: $(tr '\0' ' ' <"${file%/*}/cmdline")"
        done
    grep -F -e "$1" -e "$2" /proc/self/mountinfo
    find /sys/fs/cgroup -maxdepth 3 -type d -name "*$2*"
}
links() { ip -o link | awk -F': ' '$2 ~ /^(v-|lab0)/ { print $2 }'; }
mounts() { awk '{ print $5 }' /proc/self/mountinfo | sort; }

one=$TEST_TMP/one two=$TEST_TMP/two
mounts_before=$(mounts)
links_before=$(links)
lab_up --state "$one"
at_end 'lab --state "$one" down; lab --state "$two" down'
ok "a second lab boots beside it" lab --state "$two" up --names "hub third fourth"
is "$(lab --state "$two" names | wc -l)" 3 "it has its own machines"
id_one=$(cat "$one/id") id_two=$(cat "$two/id")
ok "their cgroups differ" test "$id_one" != "$id_two"
like "$(lab --state "$one" up 2>&1)" "already up" "an up on top of a lab is refused"
ok "and did not harm it" lab --state "$one" exec hub true

# What an open command, a service and a delay proxy leave when all ends at once.
lab --state "$one" exec node sleep 1000 2>/dev/null &
ok "the first lab runs a proxy" lab --state "$one" delay 5 node:7000 hub:7001
lab --state "$one" exec hub systemd-run -q sleep 1000
ok "its traces are visible, so their absence means something" test -n "$(traces "$one" "$id_one")"
kill -9 "$(lab --state "$one" status | awk '$1 == "holder" { print $2 }')"
ok "down after kill -9 of the holder" lab --state "$one" down
is "$(traces "$one" "$id_one")" "" "kill -9 and down leave no process, mount or cgroup"
like "$(lab --state "$one" journal hub -o cat)" "Reached target lab.target" "the journal of the killed lab is readable"
ok "the second lab did not notice" lab --state "$two" exec third systemctl is-system-running

ok "the killed lab's folder can be used again" lab --state "$one" up --names solo
id_one=$(cat "$one/id")
launcher=$(cut -d' ' -f1 "$one/holder")
kill -9 "$launcher"
ok "down after kill -9 of the launcher" lab --state "$one" down
is "$(traces "$one" "$id_one")" "" "that leaves nothing either"

cp "$two/cgroups" "$two/cgroups.before"
ok "down of the second" lab --state "$two" down
is "$(traces "$two" "$id_two")" "" "a clean down leaves nothing"
ok "down once more has nothing to do" lab --state "$two" down
orphan=$(head -n 1 "$two/cgroups.before")-orphan
mkdir "$orphan" && touch -d "2 minutes ago" "$orphan"
ok "any later down" lab --state "$two" down
not_ok "removes the old empty cgroup of a lab whose folder is gone" test -d "$orphan"
is "$(mounts)" "$mounts_before" "mounts are as before"
is "$(links)" "$links_before" "links are as before"

lab --state "$two" run sh -c 'exit 5' >/dev/null
is $? 5 "run ends as its script ended"
is "$(lab --state "$two" run sh -c '$LAB exec node hostname' | tail -n 1)" node "and its script finds the lab by \$LAB"
lab --state "$two" status >/dev/null
is $? 3 "run takes the lab down"
done_testing
