#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Code in comments is a question nobody answers; the history keeps what was. A guess, tuned so that
# prose passes: a comment line counts when it is a whole statement of its language.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# Both get "file:line:comment text" with the comment's marks gone, and print what is code in it.
c_code() {
    grep -E '^[^:]+:[0-9]+:[[:space:]*]*('"$(
        paste -sd '|' <<'EOF'
[A-Za-z_][A-Za-z0-9_.>-]*(\[[^]]*\])? ?([-+|&*/]?=) ?[^=].*;
(\*|&|\(void\) ?)?[A-Za-z_][A-Za-z0-9_.>-]*\(.*\);
(static |const |unsigned |struct |enum )*[A-Za-z_][A-Za-z0-9_]* \**[a-z_][A-Za-z0-9_]*( = .*|\[.*\])?;
(return|goto|break|continue)( [-A-Za-z0-9_()>. ]*)?;
(\} )?(else )?(if|for|while|switch) \(.*\)( \{)?
\} else( \{)?|else \{|do \{|\} while \(.*\);
(case [A-Z0-9_]+|default):
#[[:space:]]*(include|define|ifdef|ifndef|endif|undef)( .*)?
[{}];?
(func|type|var) .*\{
[a-z][A-Za-z0-9_, ]* := .*
if .* (\{|:= .*)
return [a-z]+(, [a-z]+)+
EOF
    )"')[[:space:]]*$'
}

shell_code() {
    grep -E '^[^:]+:[0-9]+:[[:space:]]*('"$(
        paste -sd '|' <<'EOF'
(if|elif|while|until|for) .*; ?(then|do)
(fi|done|esac|then|do|else|;;)
(local |export |readonly |declare )?[A-Za-z_][A-Za-z0-9_]*\+?=("[^"]*"|'[^']*'|\$.*|[^ ]*\(.*\))
(local|export|readonly|unset) [a-z_A-Z]+(=.*)?
(echo|printf|rm|cp|mv|mkdir|cd|exec|source|trap|chmod|sleep|cat|grep|sed|kill|mount|umount|systemctl|ninja|meson|ok|is|like|diag) .*["$>|].*
(exit|return) ([0-9]+|\$.*)
\[\[? .* \]\]?( (&&|\|\|) .*)?
[a-z_][a-z0-9_]*\(\) \{
[a-z_]+\(.*\)
.* (\|\||&&) (exit|return|continue|true|break)( [0-9]+)?
(SELECT|INSERT|UPDATE|DELETE|ALTER|CREATE|DROP) .*;
EOF
    )"')[[:space:]]*$'
}

# hash_comments MARK: the "# text" lines of shell, meson and units, or the "-- text" lines of SQL, as
# file:line:text. Lines with three and more blanks are examples of use and meant.
hash_comments() {
    tr '\n' '\0' | xargs -0r grep -HnE -e "^[[:space:]]*$1( {0,2}[^# !])" |
        sed -E "s/^([^:]+:[0-9]+:)[[:space:]]*$1[[:space:]]*/\1/"
}

check() {
    cd "$1" || return
    {
        lint_files . | grep -E '\.([ch]|go)$' | tr '\n' '\0' |
            xargs -0r env LC_ALL=C awk -v part=comments -f "$SENDENSE_SRC/tests/lint/c-parts.awk" | c_code
        lint_c_files . | tr '\n' '\0' | xargs -0r grep -HnE '^[[:space:]]*#[[:space:]]*if[[:space:]]+0'
        {
            lint_shell_files .
            lint_files . | grep -E '(^|/)meson(\.build|_options\.txt)$|\.(service|socket|slice|target|mount|conf|in)$'
        } | hash_comments '#' | shell_code
        lint_files . | grep '\.sql$' | hash_comments -- | shell_code
    } | sed -E 's/^([^:]+:[0-9]+):[[:space:]]*(.*)/\1: commented-code: \2/'
}

plant bad.c <<'EOF'
int x; /* strcpy(a, b); */
/* r = f(x); */
// return -EINVAL;
/*
 * if (r < 0) {
 *         goto out;
 * }
 */
// #include <stdio.h>
#if 0
int unused;
#endif
/* unsigned n_old = 0; */
/* foo->bar(1, 2); */
EOF
plant good.c <<'EOF'
/* Reads the file; the caller frees it. If (and only if) it is there, r is 0. */
/*
 * The order is: write, fsync, rename; a reader sees all or nothing.
 * config_load() says which file, line and key.
 * Returns 0; -ENOENT when there is none.
 * See RFC 4251 (section 5);
 * Positive = outcome; negative = fault.
 */
int x; /* of a table, NULL before the first header */
int y; /* case matters here: yes */
/* clang-format off */
/* if it is gone, the next one is taken */
static const char sql[] = "/* return 0; */";
EOF
plant bad.go <<'EOF'
package x
// x := f(1)
// if x == nil {
// return nil, err
EOF
plant good.go <<'EOF'
package x
// The answer is a list: see the paging note (an empty page too).
// Return what was asked for.
EOF
plant bad.sh <<'EOF'
#!/bin/bash
# e@@cho "$1"
# i@@f [ -e x ]; then
# f@@i
#r@@m -rf "$TEST_TMP"
# na@@me@@=@@$(date)
# [ -e x ]@@ |@@| ex@@it 1
# run_it@@() {
EOF
plant good.sh <<'EOF'
#!/bin/bash
# shellcheck disable=SC2086 # a list
# ok NAME COMMAND [ARG...]: passes when the command succeeds.
# Sets out, err and status; returns 1 when there is none.
# If it is gone, do nothing. Done by the next run.
#   tests/lab/lab exec hub 'echo "$HOME"'
# exit status 3 means that the image has leaks
# echo is a builtin
# trouble=... what the runner saw itself
diff --old='%L' \
    --new='%L' "$a" "$b" && return 0
EOF
plant bad.sql <<'EOF'
-- DROP@@ TABLE x;
-- Drop tables only when nobody reads them; see below.
EOF
plant meson.build <<'EOF'
# install_data@@('x')
# The build. Each folder knows its own room.
EOF
lint_planted bad.c:{1,2,3,5,6,7,9,10,13,14} bad.go:{2,3,4} bad.sh:{2,3,4,5,6,7,8} bad.sql:1 meson.build:1
lint_tree commented-code
done_testing
