#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Only text that somebody wrote: no binaries, nothing huge, no link out of the tree, no odd names, and
# what is executable says by what.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

check() {
    local root file first
    root=$(cd "$1" && pwd -P)
    cd "$root" || return
    lint_files . | while IFS= read -r file; do
        if [[ ! $file =~ ^[A-Za-z0-9._@/+-]+$ ]]; then
            echo "${file//:/?}:0: name: letters, digits and ._@+- only"
        fi
        if [ -L "$file" ] && [[ $(readlink -m "$file") != "$root"/* ]]; then
            echo "$file:0: binary: a link out of the tree"
            continue
        fi
        [ -s "$file" ] || continue
        if ! grep -Iq '' "$file"; then
            echo "$file:0: binary: not text"
            continue
        fi
        [ "$(stat -c %s "$file")" -le 262144 ] || echo "$file:0: binary: more than 256 KiB"
        IFS= read -r first <"$file"
        if [ -x "$file" ] && [ "${first:0:2}" != '#!' ]; then
            echo "$file:0: executable: no program, has no #! line"
        fi
    done
}

plant good.txt <<<'text with ü'
plant good.sh <<<'#!/bin/bash'
chmod +x "$lint_plants/good.sh"
: | plant empty
plant "bad name" <<<'x'
printf 'a\0b' | plant bad-nul
head -c 300 /bin/true | plant bad-elf
yes 'a line' 2>/dev/null | head -c 262145 | plant bad-huge
plant bad-x <<<'x'
chmod +x "$lint_plants/bad-x"
ln -s /etc/passwd "$lint_plants/bad-link"
ln -s good.txt "$lint_plants/good-link"
lint_planted "bad name:0" bad-nul:0 bad-elf:0 bad-huge:0 bad-x:0 bad-link:0
lint_tree binary name executable
done_testing
