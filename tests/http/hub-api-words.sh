#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One list of routes and of metrics, in several places: the router and the program's text are compared with openapi.json, the API
# reference and the man page.

. "$(dirname "$0")/../lib/tap.sh"

. "$(dirname "$0")/examples.bash"

source=$SENDENSE_SRC/helpers/hub-api
reference=$SENDENSE_SRC/docs/API_REFERENCE.md
same() { # NAME WANT GOT: two sets of lines
    is "$(diff <(sort <<<"$2") <(sort <<<"$3"))" '' "$1"
    ok "$1: it is not empty" test -n "$2"
}

routes=$(sed -nE 's/^ *\{ "([A-Z]+)", "(\/[^"]*)".*/\1 \2/p' "$source/lists.c")
same "openapi.json has the routes of the router" "$routes" \
    "$(jq -r '.paths | to_entries[] | .key as $path | .value | keys[] | "\(ascii_upcase) \($path)"' "$source/openapi.json")"
same "the API reference has them" "$routes" "$(sed -n '/^## HTTP: the hub/,$p' "$reference" | sed -nE 's/^\| `([A-Z]+ \/[^`]*)`.*/\1/p')"
same "the man page has them" "$routes" "$(sed -nE 's/^\.B ((GET|POST|DELETE) \/.*)/\1/p' "$SENDENSE_SRC/docs/man/sendense-hub-api.8")"

# Every method of the bus has a route, or a reason in the reference why it has none.
methods=$(grep -oE '<method name="[A-Za-z]+"' "$SENDENSE_SRC/tests/bus/golden/com.sendense.Hub1.Manager.xml" | cut -d'"' -f2)
http=$(sed -n '/^## HTTP: the hub/,$p' "$reference")
names() { cut -d'|' -f"$1" | grep -oE '`[A-Z][A-Za-z]+`' | tr -d '`' | sort -u; } # COLUMN
with_route=$(grep -E '^\| `(GET|POST|DELETE) /' <<<"$http" | names 4)
without=$(sed -n '/^| methods | why not |$/,/^$/p' <<<"$http" | names 2)
same "each method of the bus has a route, or a reason why it has none" "$methods" "$with_route"$'\n'"$without"
same "the table names the methods that the program calls" "$with_route"$'\n'Authenticate \
    "$(grep -ohE '"[A-Z][A-Za-z]+"' "$source"/*.c | tr -d '"' | sort -u | grep -Fxf <(echo "$methods"))"

# The examples are of these routes, and of the node's, which its man page has too; tests/e2e/examples.sh compares what stands in them.
same "the node's man page has its routes" "$(examples_routes node | sed 's/{id}/{JOB}/; s/{disk}/{KEY}/')" \
    "$(sed -nE 's/^\.B ((GET|POST|DELETE) \/.*)/\1/p' "$SENDENSE_SRC/docs/man/sendense-node-api.8" | sed -E 's/\\fI([A-Z]+)\\fP/{\1}/g')"
for api in hub node; do
    same "each route of the $api has an example" "$(examples_routes "$api")" "$(examples_on_page "$api" | sed -nE 's/^\*\*`(.*)`\*\*$/\1/p')"
    is "$(examples_on_page "$api" | awk '/^\*\*`/ { route = substr($0, 4, length($0) - 6); pattern = "^" route "([?].*)?$"; gsub("[{][a-z_]+[}]", "[^/?]+", pattern); n = 0 }
        /^```$/ { n++; next } n == 1 { if ($0 !~ pattern) print route; n = 2 }')" '' "each begins with a request of its route ($api)"
done
is "$(examples_on_page hub | awk '/^\*\*`/ { route = substr($0, 4, length($0) - 6) } /^[1-5][0-9][0-9] [A-Z]/ { print route, $1 }' | while read -r method path status; do
    jq -e --arg m "${method,,}" --arg p "$path" --arg s "$status" '.paths[$p][$m].responses | has($s)' "$source/openapi.json" >/dev/null || echo "$method $path $status"
done)" '' "openapi.json has the status of each example"

# What openapi.json refers to is there, and what is there is referred to.
refs=$(jq -r '.. | objects | .["$ref"]? // empty' "$source/openapi.json" | sort -u)
same "openapi.json refers to what it has" "$(jq -r '.components | (.schemas | keys[] | "#/components/schemas/\(.)"), (.responses | keys[] | "#/components/responses/\(.)")' "$source/openapi.json")" "$refs"
is "$(jq -r '.paths | to_entries[] | .key as $p | ([$p | scan("\\{([a-z_]+)\\}")[0]] | sort) as $names | .value | to_entries[] |
    select(([.value.parameters // [] | .[] | select(.in == "path").name] | sort) != $names) | "\(.key) \($p)"' "$source/openapi.json")" '' \
    "every name in a path is a parameter of it"
# The filters of a list, and the fields of a body, are those that the program reads.
filters() { sed -nE "s/^static const List $1 = \{ \"[A-Za-z]*\", +\"[a-z]*\", *(NULL|\"[a-z]*\"), *\{(.*)\} \};/\1 \2/p" "$source/lists.c" | tr -d '",'; }
sed -nE 's/^static const List ([a-z]+) = .*/\1/p' "$source/lists.c" >"$TEST_TMP/lists"
ok "there are lists" test "$(wc -l <"$TEST_TMP/lists")" -ge 7
while read -r list; do
    read -r id own <<<"$(filters "$list")"
    want=$own
    [ "$id" = NULL ] || want+=" limit after"
    is "$(jq -r --arg path "/api/v1/$list" '.paths[$path].get.parameters // [] | [.[].name] | sort | join(" ")' "$source/openapi.json")" \
        "$(xargs -n1 <<<"$want" | sort | xargs)" "the filters of $list"
done <"$TEST_TMP/lists"
same "the body of a new backup" "$(sed -nE 's/^ *\{ "([a-z_]+)", JSON_FIELD.*/\1/p' "$source/backup-request.c"; echo repository_id)" \
    "$(jq -r '.components.schemas.NewBackup.properties | keys[]' "$source/openapi.json")"
told() { # FUNCTION VARIABLE: the members that it sets
    sed -n "/^static json_t \\*$1/,/^}/p" "$source/backups.c" | tr -d ' \n' | grep -oE "(copy\\($2,|_new\\($2,|pack\\(\"\\{s:s\\}\",)\"[a-z0-9_]+\"" | sed -E 's/.*"([a-z0-9_]+)"$/\1/'
}
words() { grep -oE "\\[$1_[A-Z]+\\] = \"[a-z]+\"" "$SENDENSE_SRC/lib/job-types.c" | cut -d'"' -f2; }
same "what is told of a backup" "$(told backup_body body)" \
    "$(jq -r '.components.schemas.Backup.properties | keys[]' "$source/openapi.json")"
same "what is told of a disk" "$(told disk_result result)" \
    "$(jq -r '.components.schemas.DiskResult.properties | keys[]' "$source/openapi.json")"
same "the words of disks are the state table's, and one" "$(words DISK)"$'\n'qemu_started "$(jq -r '.components.schemas.DiskResult.properties.status.enum[]' "$source/openapi.json")"
same "the words of jobs are the state table's" "$(words JOB | grep -vxE 'backup|restore|delete|verify|mount|files')" \
    "$(jq -r '.components.schemas.JobState.enum[]' "$source/openapi.json")"

same "the API reference has the metrics" "$(grep -ohE '"sendense_[a-z_]+"' "$source/metrics.c" | tr -d '"' | sort -u)" \
    "$(sed -nE 's/^\| `(sendense_[a-z_]+)`.*/\1/p' "$reference")"
# The alerts speak of metrics and labels that there are, and the reference of the alerts.
rules=$SENDENSE_SRC/deploy/alerts/sendense.rules.yml
is "$(grep -oE 'sendense_[a-z_]+' "$rules" | sort -u | while read -r metric; do grep -qF "\"$metric\"" "$source/metrics.c" || echo "$metric"; done)" '' "the alerts know no other metrics"
is "$(grep -oE '\$labels\.[a-z_]+' "$rules" | sort -u | cut -d. -f2 | while read -r label; do grep -qF "\"$label\"" "$source/metrics.c" || echo "$label"; done)" '' "nor other labels"
same "the API reference has the alerts" "$(sed -nE 's/^ *- alert: (.*)/\1/p' "$rules")" "$(sed -nE 's/^\| `(Sendense[A-Za-z]+)`.*/\1/p' "$reference")"
# A test of faults sees each figure move that the reference says a fault moves.
moves=$(sed -n '/^| fault, in the middle of a backup /,/^$/p' "$reference" | grep -oE 'sendense_[a-z_]+(\{[^}`]*\})?' | sort -u)
looks=$(grep -rhE 'metric|^completes|^fails' "$SENDENSE_SRC"/tests/{e2e,e2e-long,fault} --include=*.sh --include=*.bash --exclude=examples.sh)
ok "faults move figures" test "$(wc -l <<<"$moves")" -ge 12
while IFS= read -r metric; do
    name=${metric%%\{*} reason=$(sed -nE 's/.*reason="com\.sendense\.Error\.([^"]*)".*/\1/p' <<<"$metric")
    like "$looks" "$name.*$reason${reason:+|^fails .* $reason }" "a test sees a fault move $metric"
done <<<"$moves"
is "$(man -l --warnings "$SENDENSE_SRC/docs/man/sendense-hub-api.8" 2>&1 >/dev/null)" '' "the man page is well-formed"
same "the man page has the options of --help" "$("$SENDENSE_BUILD/helpers/hub-api/sendense-hub-api" --help | grep -Eo -e '--[a-z-]+' | sort -u)" \
    "$(sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/s/\\-/-/gp' "$SENDENSE_SRC/docs/man/sendense-hub-api.8" | grep -Eo -e '--[a-z-]+' | sort -u)"
done_testing
