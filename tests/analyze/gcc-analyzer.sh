#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# gcc -fanalyzer: paths that leak, free twice, use what is freed or dereference NULL. It follows
# cleanup attributes, which clang's analyser does not.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/analyze.sh"

# Without optimisation: it takes what the optimiser made of a cleanup for a use of garbage.
analyze_one() {
    local file=$1
    shift
    gcc "$@" -O0 -U_FORTIFY_SOURCE -fanalyzer -Wno-error -fdiagnostics-path-format=none -fdiagnostics-show-option -fdiagnostics-color=never \
        -S -o /dev/null "$file" 2>&1 | grep -E ': (warning|error|fatal error): |^gcc: '
}

cat >"$TEST_TMP/plants.c" <<'EOF'
#include <stdlib.h>
#include <string.h>
static void free_pp(char **p)
{
        free(*p);
}
int twice(void);
int twice(void)
{
        char *p = malloc(3);
        if (!p)
                return -1;
        free(p);
        free(p); /* found */
        return 0;
}
int leak(int n);
int leak(int n)
{
        char *p = strdup("x");
        if (n > 3) return -1; /* found */
        free(p);
        return 0;
}
int good(int n);
int good(int n)
{
        __attribute__((cleanup(free_pp))) char *p = strdup("x");
        if (n > 3 || !p)
                return -1;
        return p[0];
}
EOF
identity="$(gcc --version | head -n 1) $(declare -f analyze_one)"
analyze_planted "$identity" "-O2 -D_GNU_SOURCE -std=gnu17"
analyze_all "$identity"
done_testing
