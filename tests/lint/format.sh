#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The shape of the sources, judged by the tools that also make it: clang-format, gofmt, shellcheck,
# xmllint, jq, and the simple rules of .editorconfig.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# each COMMAND...: hands the files of stdin to the command, in the tree.
each() { tr '\n' '\0' | xargs -0r "$@" 2>&1; }

check() {
    local root=$1 file
    cp "$SENDENSE_SRC/.clang-format" "$SENDENSE_SRC/.shellcheckrc" "$TEST_TMP"
    cd "$root" || return
    lint_c_files . | tr '\n' '\0' | xargs -0r -n 8 -P 2 clang-format --dry-run --style=file:"$TEST_TMP/.clang-format" 2>&1 |
        sed -nE 's/^([^:]+:[0-9]+):[0-9]+: (warning|error): (.*)/\1: format: \3; clang-format -i mends it/p'
    lint_files . | grep '\.go$' | each gofmt -l | sed -E 's/^(.*)$/\1:0: format: gofmt -w mends it/'
    lint_shell_files . | each -n 6 -P 2 shellcheck -f gcc |
        sed -nE 's/^([^:]+:[0-9]+):[0-9]+: (.*)/\1: shellcheck: \2/p'
    lint_files . | grep -E '\.(xml|policy|conf\.xml)$' | each xmllint --nonet --noout |
        sed -nE 's/^([^:]+:[0-9]+): (parser error.*)/\1: format: \2/p'
    lint_files . | grep '\.json$' | while IFS= read -r file; do
        jq empty "$file" >/dev/null 2>&1 || echo "$file:0: format: not JSON"
    done
    lint_files . | grep -vE '(^|/)(COPYING|.*\.(patch|diff))$|/corpus/' | each grep -HnIE '[[:space:]]$' |
        sed -E 's/^([^:]+:[0-9]+):.*/\1: space: white space at the end of the line/'
    # A shell script may use tabs for a here-document that drops them.
    lint_files . | { grep -vxFf <(lint_shell_files . | each grep -l '<<-') || :; } | grep -vE '\.(go|patch|diff)$|/corpus/|^COPYING$|(^|/)go\.(mod|sum)$|(^|/)Makefile$' | each grep -HnIP '^ *\t' |
        sed -E 's/^([^:]+:[0-9]+):.*/\1: space: indented by a tab/'
    lint_files . | grep -v /corpus/ | each grep -HnIE '^(<{7}|={7}|>{7}|\|{7})( |$)' |
        sed -E 's/^([^:]+:[0-9]+):.*/\1: conflict: an unresolved merge/'
    lint_files . | grep -v /corpus/ | while IFS= read -r file; do
        [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file" | tr -d '\n\0')" ] ||
            echo "$file:0: space: no newline at the end"
    done
}

plant good.c <<'EOF'
static int f(int a)
{
        return a;
}
EOF
plant bad.c <<'EOF'
static int f(int a) {
  return a; }
EOF
printf 'package x\n\nfunc f() {\n\treturn\n}\n' | plant good.go
printf 'package x\nfunc f()  { return }\n' | plant bad.go
plant good.sh <<<$'#!/bin/bash\necho "$1"'
plant bad.sh <<<$'#!/bin/bash\necho $1'
plant bad-by-first-line <<<$'#!/bin/sh\n\ncd $1'
plant good.xml <<<'<a></a>'
plant bad.xml <<<$'<a>\n</b>'
plant bad.json <<<'{"a": }'
plant good.json <<<'{"a": 1}'
plant bad-space <<<$'one\ntwo @@'
plant good-tab.sh <<<$'#!/bin/bash\ncat <<-E\n\tx\n\tE'
plant bad-tab <<<$'one\n\ttwo'
plant bad-merge <<<$'a\n<<<@@<<<< HEAD\nb\n===@@====\nc\n>>>@@>>>> x'
printf 'no newline' >"$lint_plants/bad-end"
lint_planted bad.c:{1,2} bad.go:0 bad.sh:2 bad-by-first-line:3 bad.xml:2 bad.json:0 bad-space:2 bad-tab:2 bad-merge:{2,4,6} bad-end:0
lint_tree format shellcheck space conflict
done_testing
