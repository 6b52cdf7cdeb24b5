#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whatever happens between a change of the nodes and the files that sshd reads, the files follow the database: a folder that
# cannot be written, a hub that is killed, a database that is lost or was changed meanwhile, tokens that expire, a master key
# that is not there or another one.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
. "$(dirname "$0")/nodes.bash"

nodes_ready
add edge1 1
enrol 1 11
is "$(keys) $(tokens)" "edge1:11 edge1:1" "a node is there"

# The folder cannot be written.
break_folder() { chmod 0555 "$SENDENSE_NODES_FOLDER"; }
mend_folder() { chmod 0777 "$SENDENSE_NODES_FOLDER"; }
break_folder
add edge2 2
refused Failed "do not follow the database yet: $SENDENSE_NODES_FOLDER/keys.* Permission denied. The hub tries again" \
    "a folder that cannot be written: adding says so"
remove edge1
refused Failed 'do not follow' "and so does removing"
is "$(nodes)" "edge2:waiting:9082" "both are done in the database"
is "$(keys) $(tokens)" "edge1:11 edge1:1" "and neither in the files, which are whole"
is "$(grep -c 'do not follow the database yet' "$hub_log")" 1 "the journal says it once"
mend_folder
ok "the files follow by themselves when it is mended" eventually 30 tokens_are edge2:2
is "$(keys)" '' "all of them"
ok "and the journal says so" eventually 30 grep -q 'as the database has them again' "$hub_log"

# The hub is killed between the two.
break_folder
before=$(swept)
remove edge2
hub_kill
mend_folder
is "$(tokens)" edge2:2 "killed before its files were written: they are old"
nodes_hub
ok "a hub that starts mends them" eventually 30 tokens_are ''
ok "and looks for sessions that should have been cut" eventually 30 swept_is $((before + 1))
add edge1 3
enrol 3 13
rm "$SENDENSE_NODES_FOLDER/keys" "$SENDENSE_NODES_FOLDER/tokens"
printf 'half a li' >"$SENDENSE_NODES_FOLDER/keys.partial"
hub_stop
nodes_hub
ok "files that are lost are made again" eventually 30 keys_are edge1:13
not_ok "and what was half written is gone" test -e "$SENDENSE_NODES_FOLDER/keys.partial"

# The database is lost in the middle.
mariadb_freeze
add edge2 4
refused DatabaseUnavailable 'lost in the middle' "the database is silent: nobody knows whether it took effect"
is "$(tokens)" edge1:3 "so no file has it"
mariadb_thaw
ok "the database is back" eventually 60 hub_property_is DatabaseState 's "ready"'
same() { [ "$(lines "$SENDENSE_NODES_FOLDER/tokens" | cut -d' ' -f1 | paste -sd' ')" = "$(rows 'SELECT name FROM nodes WHERE token_key IS NOT NULL ORDER BY name' | paste -sd' ')" ]; }
ok "and the files have what it has, whichever that is" eventually 30 same
mariadb_stop
ok "the database is stopped" eventually 60 hub_property_is DatabaseState 's "unreachable"'
enrol 3 13
refused DatabaseUnavailable 'not there' "without a database nobody is enrolled"
is "$(keys)" edge1:13 "and who is stays let in"
mariadb_start "$private_bus_dir/mariadb" || exit 1
ok "it is started" eventually 60 hub_property_is DatabaseState 's "ready"'
enrol 3 13
like "$answer" "^\('edge1'," "and who had asked gets his answer"

# A token expires. Its end is moved, as an hour would be long; the hub looks at it when it writes.
rows "UPDATE nodes SET token_expires_usec = 1 WHERE live_name = 'edge1'"
enrol 3 13
refused TokenInvalid 'edge1 has expired.*node rotate edge1' "an expired token is refused"
remove edge2
add edge2 5
is "$(tokens)" edge2:5 "and leaves the file at the next change"
rows "UPDATE nodes SET token_expires_usec = UNIX_TIMESTAMP() * 1000000 + 10000000 WHERE live_name = 'edge2'"
rotate edge1 6
is "$(tokens)" "edge1:6 edge2:5" "one that is about to expire"
ok "leaves it without a change" eventually 30 tokens_are edge1:6
enrol 5 15
refused TokenInvalid 'edge2 has expired' "and is refused"

# The master key.
hub_stop
head -c 32 /dev/urandom >"$CREDENTIALS_DIRECTORY/master-key"
nodes_hub
enrol 6 16
like "$answer" "^\('edge1'," "with another master key nodes can be enrolled"
hub_stop
head -c 32 /dev/urandom >"$CREDENTIALS_DIRECTORY/master-key"
nodes_hub
enrol 6 16
refused MasterKeyUnusable 'another master key.*node rotate' "but an answer from before cannot be given again"
hub_stop
for key in none "$(printf '%032d' 0)" ''; do
    printf '%s' "$key" >"$CREDENTIALS_DIRECTORY/master-key"
    nodes_hub
    add edge3 7
    refused MasterKeyUnusable 'cannot use its master key' "master key '$key': nobody is added"
    rotate edge1 8
    refused MasterKeyUnusable 'cannot use its master key' "master key '$key': nor is a token made"
    enrol 5 15
    refused MasterKeyUnusable 'cannot use its master key' "master key '$key': nor anybody enrolled"
    like "$(nodes)" 'edge1:enrolled' "all else works"
    is "$(keys)" edge1:16 "and those that are stay let in"
    hub_stop
done
unset CREDENTIALS_DIRECTORY
nodes_hub
add edge3 7
refused MasterKeyUnusable 'there is none.*sendense-key' "without any credential, too"
remove edge1
is "$answer" '()' "removing needs no key"
is "$(grep -c 'cannot use its master key' "$hub_log")" 4 "each start says it once"
hub_stop
is $? 0 "it ends on SIGTERM"
done_testing
