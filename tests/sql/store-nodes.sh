#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions of the store for nodes: what they change, what they refuse, and what they write for sshd. The rest of a node's life is
# in tests/bus/nodes.sh.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"
. "$SENDENSE_SRC/tests/lib/public-key.bash"

store_ready
folder=$TEST_TMP/nodes
install -d -m 0777 "$folder"
chmod 0711 "$TEST_TMP"

add_json() { # NAME KEY [MORE]
    jq -cn --arg name "$1" --arg key "$(public_key "$2")" --argjson more "${3:-{\}}" \
        '{Name: $name, TokenKey: $key, FirstPort: 9081, LastPort: 9090, ExpiresUSec: 2000000, NowUSec: 1000000} + $more'
}
sealed=$(printf '%0100d' 7)
enrol_json() { # TOKEN KEY [NOW]
    jq -cn --arg token "$(public_key "$1")" --arg key "$(public_key "$2")" --arg sealed "$sealed" --argjson now "${3:-1000000}" \
        '{TokenKey: $token, PublicKey: $key, TokenSealed: $sealed, NowUSec: $now}'
}
files() { # NOW
    store_do node_files_write "{\"Folder\":\"$folder\",\"NowUSec\":$1}"
}
names() { grep -v '^#' "$folder/$1" | cut -d' ' -f1,2 | paste -sd,; }

# Ports: the lowest that is free, whatever the order.
for name in c b a; do store_do node_add "$(add_json $name "$(printf %d "'$name")")"; done
is "$(rows 'SELECT name, reverse_port FROM nodes ORDER BY id' | paste -sd,)" "c 9081,b 9082,a 9083" "ports are given from the lowest on"
store_do node_remove '{"Node":"b","NowUSec":5}'
store_do node_add "$(add_json d 4)"
is "$(rows "SELECT reverse_port FROM nodes WHERE name = 'd'")" 9082 "one that is free again is given again"
store_do node_add "$(add_json e 5 '{"ReversePort":9090}')"
store_do node_add "$(add_json f 6 '{"FirstPort":9090}')"
refused EADDRNOTAVAIL 'PortsExhausted.*9090 to 9090' "a range that is full is named"
store_do node_list
is "$(got '[.Nodes[].Name] | join(" ")')" "a c d e" "the list is by name, without those that were removed"
is "$(got '.Nodes[0] | keys | join(" ")')" "CreatedUSec Id IsLocal Name ReversePort TokenExpiresUSec" "one that waits has neither key nor secret"
store_do node_get '{"Node":"1"}'
is "$(got .Name)" c "an id names a node"
store_do node_get '{"Node":"2"}'
refused ENOENT "no node '2'" "but none that was removed"

# The files, and tokens that end.
files 1000000
is "$(got '[.Nodes, .Tokens, .NextExpiryUSec] | join(" ")')" "0 4 2000000" "four tokens are open, the first until then"
is "$(names tokens)" "a 2,c 2,d 2,e 2" "and in the file, with their second"
store_do node_rotate "{\"Node\":\"c\",\"TokenKey\":\"$(public_key 30)\",\"ExpiresUSec\":9000000}"
files 2000000
is "$(got '[.Nodes, .Tokens, .NextExpiryUSec] | join(" ")')" "0 1 9000000" "at their very end they are open no more"
is "$(names tokens)" "c 9" "and out of the file"
files 9000000
is "$(got '[.Tokens, .NextExpiryUSec] | join(" ")')" "0 0" "after the last there is none to come"

# Enrolment to the microsecond.
store_do node_enrol "$(enrol_json 4 40 2000000)"
refused ENOANO 'TokenInvalid.*node d has expired' "a token is worth nothing at its end"
store_do node_enrol "$(enrol_json 4 40 1999999)"
is "$(got '[.Name, .ReversePort, .IsAgain, .HadKey, .TokenSealed] | join(" ")')" "d 9082 false false $sealed" "and good right before"
store_do node_enrol "$(enrol_json 4 40 1999999 | jq -c '.TokenSealed = "00"')"
is "$(got '[.IsAgain, .TokenSealed] | join(" ")')" "true $sealed" "asked again it has the secret from before"
store_do node_enrol "$(enrol_json 4 40 2000000)"
refused ENOANO 'has expired' "until it expires"
store_do node_list
is "$(got '.Nodes[] | select(.Name == "d") | keys | join(" ")')" "CreatedUSec EnrolledUSec Id IsLocal Name PublicKey ReversePort" \
    "a used token is none that is open; the list has no secret"
files 1000000
is "$(names keys)" "d 9082" "the key is in the file"
rows "UPDATE nodes SET name = 'a b' WHERE name = 'a'" >/dev/null
cp "$folder/tokens" "$TEST_TMP/before"
files 1000000
refused EINVAL "Failed.*would not take" "a row that sshd's command would not take, made by hand, is refused"
ok "and the file stays as it was, so that the others keep their tunnels" cmp "$folder/tokens" "$TEST_TMP/before"
done_testing
