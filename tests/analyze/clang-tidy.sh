#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# clang-tidy with the checks of .clang-tidy, where each check left out has its reason.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/analyze.sh"

analyze_one() {
    local file=$1
    shift
    clang-tidy --quiet --config-file="$SENDENSE_SRC/.clang-tidy" "$file" -- "$@" -Wno-unknown-warning-option \
        -Wno-everything 2>/dev/null | grep -E '^[^ ].*: (warning|error): '
}

cat >"$TEST_TMP/plants.c" <<'EOF'
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
int null(int *p);
int null(int *p)
{
        if (!p)
                return *p; /* found */
        return 0;
}
bool suspicious(const char *a, const char *b);
bool suspicious(const char *a, const char *b)
{
        if (a == b);  /* found */
                return true;
        if (strcmp(a, b)) /* found */
                return false;
        return true;
}
int same(int a);
int same(int a)
{
        return a == 3 || a == 3; /* found */
}
EOF
identity="$(clang-tidy --version | tr -s ' \n' ' ') $(declare -f analyze_one) $(<"$SENDENSE_SRC/.clang-tidy")"
analyze_planted "$identity" "-O2 -D_GNU_SOURCE -std=gnu17"
analyze_all "$identity"
done_testing
