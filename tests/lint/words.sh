#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Words that do not belong into the tree: promises nobody can keep, work put off, names of the past,
# hosts and paths of the place where somebody happened to work.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# rule TAB extended regex (case counts only where "i" is the first field) TAB why. Written so that no
# pattern matches its own line.
rules() {
    cat <<'EOF'
i	promise	production[ -]read[y]	say what is proven instead
c	later	(^|[^A-Za-z])(TOD[O]|FIXM[E]|XX[X]|HAC[K])([^A-Za-z]|$)	do it now, or write an issue
i	old-name	(^|[^a-z])([o]ma|[v]ma|o[m]a-[a-z]+|migrate[k]it)([^a-z]|$)	a name of the past
c	host	(pyp[i]\.org|pythonhoste[d]|npmj[s]\.(org|com)|prox[y]\.golang\.org|crate[s]\.io|(deb|ftp|security|snapshot)\.debia[n]\.org|artifactor[y])	the machine's own sources decide where packages come from
c	place	(^|[ "'=(:])/(wor[k]|home/[a-z]+)/	a path of somebody's machine
EOF
}

check() {
    local case_of rule pattern why option
    cd "$1" || return
    lint_files . | grep -vE '^COPYING$' >"$TEST_TMP/word-files"
    while IFS=$'\t' read -r case_of rule pattern why; do
        option=
        [ "$case_of" = c ] || option=-i
        tr '\n' '\0' <"$TEST_TMP/word-files" | xargs -0r grep -HnoIE $option -e "$pattern" |
            awk -v rule="$rule" -v why="$why" '{
                split($0, part, ":")
                text = substr($0, length(part[1] ":" part[2] ":") + 1)
                print part[1] ":" part[2] ": " rule ": \"" text "\": " why
            }'
    done < <(rules)
}

plant bad.md <<'EOF'
This is Production@@ Ready software, production@@-ready even.
Nothing is to do here, and the soma, comma, Roma and vmadmin are fine; so is "hack".
TO@@DO: later
/* FIX@@ME */ /* XX@@X */
the vm@@a reader and OM@@A-thing
apt source http://deb.@@debian.org/x
from pypi.@@org
cd "/wor@@k/x"
see =/home/@@joe/x
/var/lib/home/x /root/x /network/x the/work/of http://x/home/
XXXXXX is for mktemp, sendense-XXXXXX too.
EOF
lint_planted bad.md:{1,3,4,5,6,7,8,9}
lint_tree promise later old-name host place
done_testing
