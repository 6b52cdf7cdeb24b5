#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The searcher for passwords itself: one planted leak of each form is found and called by its name, and what it cannot
# look at is never clean. The leaks of each kind of place are planted in backup.sh, where those places are.

. "$(dirname "$0")/../lib/tap.sh"

search=$SENDENSE_SRC/tests/lib/secret-search
marker=Mk7$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
password="&<>\"'\$ü$marker&<>\"'\$ü"
printf '%s\n' "$password" >"$TEST_TMP/password"
place=$TEST_TMP/place
mkdir "$place"

look() { "$search" "$TEST_TMP/password" -- files="$place" >"$TEST_TMP/said" 2>&1; }

printf 'Mk7 and %s, but not all of it\n' "${marker%?}" >"$place/innocent"
printf '%s' "${password%%"$marker"*}" | base64 >"$place/innocent-too"
ok "nothing is found where nothing is" look

# A form is planted in the middle of a binary file, and a searcher that misses it would be green.
plant() { # FORM TEXT
    { head -c 5000 /dev/zero && printf '\377\0%s\1' "$2" && head -c 3000 /dev/urandom; } >"$place/leak"
    look
    is "$?" 1 "$1: red"
    like "$(<"$TEST_TMP/said")" "^leak files: $place/leak: $1\$" "$1: by its name"
    rm "$place/leak"
}
whole() { printf '%s' "$password"; }
bytes() { whole | od -An -v -tx1 | tr -d '\n'; }
plant raw "$password"
plant raw "vcenter_password=$marker"
for before in '' x xy xyz; do
    plant "base64 at [012]" "$(printf '%s%s' "$before" "$password" | base64 -w0)"
    plant "base64url at [012]" "$(printf '%s%s' "$before" "$password" | base64 -w0 | tr '+/' '-_')"
done
plant percent-encoded "$(bytes | sed 's/ /%/g')"
plant percent-encoded "$(bytes | tr a-f A-F | sed 's/ /%/g')"
plant raw "$(jq -nr --arg p "$password" '$p | @uri')"
plant raw "$(jq -nr --arg p "$password" '$p | @html')"
plant raw "$(jq -nac --arg p "$password" '$p')"
plant XML-escaped "$(bytes | sed -E 's/ (..)/\&#x\1;/g')"
plant XML-escaped "$(whole | od -An -v -tu1 -w1 | sed -E 's/ *([0-9]+)/\&#\1;/' | tr -d '\n')"
plant JSON-escaped "$(bytes | sed -E 's/ (..)/\\u00\1/g')"
plant hexadecimal "$(bytes | tr -d ' ')"
plant "hexadecimal, C" "$(bytes | sed -E 's/ (..)/\\x\1/g')"
plant "a list of numbers" "[$(whole | od -An -v -tu1 -w1 | tr -d ' ' | paste -sd,)]"

mkdir -p "$place/deep/$marker"
look
is "$?" 1 "a folder of that name: red"
like "$(<"$TEST_TMP/said")" 'its name$' "a folder of that name: by its name"
rm -r "$place/deep"

not_clean() { # NAME WORD...
    "${@:2}" >"$TEST_TMP/said" 2>&1
    is "$?" 2 "$1: status 2"
    ok "$1: it says why" test -s "$TEST_TMP/said"
}
not_clean "a place that is not there" "$search" "$TEST_TMP/password" -- files="$place" core="$TEST_TMP/none"
not_clean "a password that cannot be read" "$search" "$TEST_TMP/none" -- files="$place"
printf 'short&<1234567890\n' >"$TEST_TMP/short"
not_clean "a password without a marker" "$search" "$TEST_TMP/password" "$TEST_TMP/short" -- files="$place"
not_clean "no place at all" "$search" "$TEST_TMP/password" --
mkfifo "$place/fifo"
ok "a fifo is not waited for" timeout 10 "$search" "$TEST_TMP/password" -- files="$place"
printf 'x%s\n' "$marker" >"$TEST_TMP/other"
"$search" "$TEST_TMP/other" "$TEST_TMP/password" -- files="$TEST_TMP/other" >"$TEST_TMP/said"
is "$?" 1 "of several passwords each is looked for"
done_testing
