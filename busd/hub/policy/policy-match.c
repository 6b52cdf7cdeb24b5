/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The comparison of policy-match.h.
 */
#include "policy/policy-match.h"

#include "cleanup.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *vm, const char *key)
{
        return json_string_value(json_object_get(vm, key));
}

/* What the VM is called, letter by letter: a name may have brackets. */
static bool is_called(const json_t *vm, const char *text)
{
        static const char *const keys[] = { "Name", "Path", "ContextId" };
        const char *uuid = text_of(vm, "InstanceUuid");

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const char *value = text_of(vm, keys[i]);

                if (value && strcmp(text, value) == 0)
                        return true;
        }
        return uuid && strcasecmp(text, uuid) == 0;
}

static bool fits(const char *pattern, const json_t *vm)
{
        const char *text = text_of(vm, strchr(pattern, '/') ? "Path" : "Name");

        return text && fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

static bool any_fits(const json_t *patterns, const json_t *vm)
{
        const json_t *value;
        size_t i;

        json_array_foreach (patterns, i, value) {
                const char *pattern = json_string_value(value);

                if (pattern && (is_called(vm, pattern) || fits(pattern, vm)))
                        return true;
        }
        return false;
}

bool policy_matches(const json_t *match, const json_t *except, const json_t *vm)
{
        return any_fits(match, vm) && !any_fits(except, vm);
}
