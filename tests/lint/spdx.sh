#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The first lines of a file: the licence, then in sources a few lines that say what this room does,
# who calls it and what it must not do.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# Files that can hold no comment, are golden output, or are a few lines without a thought of their own.
bare='(^|/)(COPYING|CHANGELOG|\.gitignore|\.gitattributes|\.editorconfig|\.clang-format|\.clang-tidy|\.shellcheckrc|suite\.conf|allow|go\.(mod|sum))$'
bare="$bare|\\.(md|json|golden|txt|csv|expected)\$|/(corpus|golden)/|^deploy/packages/|^debian/(changelog|source/format)$|^sql/schema\\.sql\$"

# least_words: for each file of stdin "LEAST FILE": how many words the comment must have that goes on after the licence.
least_words() {
    local file least
    while IFS= read -r file; do
        least=0
        case $file in
        *.c | *.h | *.sh | *.bash | *.go | *.awk | tests/run | .ci/run)
            # What has a header of its own says most of it there.
            least=10
            [ "$file" = "${file%.c}" ] || [ ! -e "${file%.c}.h" ] || least=3
            ;;
        esac
        printf '%s\t%s\n' "$least" "$file"
    done
}

# In one process: a tree has a thousand files.
check() {
    cd "$1" || return
    lint_files . | grep -vE "$bare" | least_words | awk -F '\t' '
        function look(file, least,    line, n, words, licensed, found) {
            while ((getline line <file) > 0 && (++n <= 4 || least > 0)) {
                if (n <= 4 && line ~ /SPDX-License-Identifier: LGPL-2\.1-or-later/) licensed = 1
                if (found && (line ~ /^#(include|pragma|define|if)/ || line !~ /^(#|\/\/|\/\*| \*|$)/)) break
                if (found && line !~ /^# shellcheck /) words += gsub(/[A-Za-z][A-Za-z]+/, "", line)
                if (line ~ /SPDX/) found = 1
            }
            close(file)
            if (!licensed)
                print file ":1: spdx: no '\''SPDX-License-Identifier: LGPL-2.1-or-later'\'' in the first lines"
            if (words + 0 < least)
                print file ":2: purpose: the first lines do not say what this is for"
        }
        { look($2, $1 + 0) }'
}

good=$'what this room does,\nwho calls it and what it must not do.'
licence='SPDX-License-Identifier: LGPL-2.1-or-later'
plant good.c <<<"/* $licence */"$'\n'"/*"$'\n'" * ${good/$'\n'/$'\n' * }"$'\n */\nint x;'
plant good.sh <<<$'#!/bin/bash\n'"# $licence"$'\n#\n# '"${good/$'\n'/$'\n'# }"
plant good.service <<<"# $licence"
plant bad.service <<<'[Unit]'
plant bad-licence.c <<<"/* SPDX-License-Identifier: GPL-3.0-only */"$'\n'"/* ${good/$'\n'/$'\n' * } */"
plant bad-purpose.c <<<"/* $licence */"$'\n#include <a.h>\n/* a later comment that\n * has two lines */'
plant bad-purpose.sh <<<$'#!/bin/bash\n'"# $licence"$'\n# shellcheck shell=bash\nset -u'
plant README.md <<<'# free'
lint_planted bad.service:1 bad-licence.c:1 bad-purpose.c:2 bad-purpose.sh:2
lint_tree spdx purpose
done_testing
