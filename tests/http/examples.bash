# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The examples of docs/API_REFERENCE.md: what they are made of, and how two of them are compared. Values differ from run to run; what a
# request and its answer consist of does not. Sourced by tests/e2e/examples.sh, which records them, and by tests/http/hub-api-words.sh.

examples_page=$SENDENSE_SRC/docs/API_REFERENCE.md

# examples_routes hub|node: "METHOD PATH" of each route of the program, in its order.
examples_routes() {
    local room=$SENDENSE_SRC/helpers/hub-api/lists.c
    [ "$1" = hub ] || room=$SENDENSE_SRC/helpers/node-api/api.c
    sed -nE 's/^ *\{ "([A-Z]+)", "(\/[^"]*)".*/\1 \2/p' "$room"
}

# examples_of RECORDS hub|node: the text for the page.
examples_of() { jq -rs --arg api "$2" -f "$SENDENSE_SRC/tests/http/examples.jq" "$1"; }

# examples_on_page hub|node
examples_on_page() { sed -n "/^<!-- examples: $1 -->\$/,/^<!-- end -->\$/p" "$examples_page" | sed '1d;$d'; }

# examples_write hub|node, the text on stdin
examples_write() {
    local text
    text=$(cat)
    awk -v api="$1" -v text="${text//\\/\\\\}" '
        $0 == "<!-- end -->" { if (inside) print text; inside = 0 }
        !inside { print }
        $0 == "<!-- examples: " api " -->" { inside = 1 }' "$examples_page" >"$TEST_TMP/page" && cp "$TEST_TMP/page" "$examples_page"
}

# examples_shapes: "ROUTE SHAPE" of each example in the text on stdin, where every value is _.
examples_shapes() {
    perl -0ne 'while (/^\*\*`(.*?)`\*\*\n\n```\n(.*?)\n```$/msg) {
        my ($route, $shape) = ($1, $2);
        $shape =~ s/("(?:[^"\\]|\\.)*")(\s*:)?/defined $2 ? "$1:" : "_"/ge;
        $shape =~ s/\b(?:true|false|null)\b/_/g;
        $shape =~ s/(?<![A-Za-z0-9_"])-?\d+(?:\.\d+)?(?![A-Za-z0-9"])/_/g;
        $shape =~ s/\s+//g;
        1 while $shape =~ s/_,_/_/g;
        print "$route $shape\n";
    }'
}
