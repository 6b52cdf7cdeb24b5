/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The comparison of policy-match.h.
 */
#include "policy/policy-match.h"

#include <fnmatch.h>
#include <string.h>

static bool fits(const char *pattern, const json_t *vm, const char *key, bool is_pattern)
{
        const char *text = json_string_value(json_object_get(vm, key));

        if (!text)
                return false;
        return is_pattern ? fnmatch(pattern, text, FNM_NOESCAPE) == 0 : strcmp(pattern, text) == 0;
}

static bool any_fits(const json_t *patterns, const json_t *vm)
{
        const json_t *value;
        size_t i;

        json_array_foreach (patterns, i, value) {
                const char *pattern = json_string_value(value);

                if (pattern && (fits(pattern, vm, "ContextId", false) ||
                                fits(pattern, vm, "InstanceUuid", false) ||
                                fits(pattern, vm, strchr(pattern, '/') ? "Path" : "Name", true)))
                        return true;
        }
        return false;
}

bool policy_matches(const json_t *match, const json_t *except, const json_t *vm)
{
        return any_fits(match, vm) && !any_fits(except, vm);
}
