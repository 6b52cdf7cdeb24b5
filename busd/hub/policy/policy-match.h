/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which VMs a policy means: by patterns, so that a VM that is told to the hub later is meant as well. Pure; used by the store in a
 * transaction.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum {
        POLICY_PATTERNS_MAX = 256, /* of each list */
        POLICY_PATTERN_MAX = 255, /* bytes */
};

/* vm: {ContextId, InstanceUuid, Name, Path}. A pattern with a slash is compared with its path, every other with its name, as a shell
 * compares names of files; or it is, letter by letter, its name, path or context id, or its instance UUID in
 * letters of any case. One of match must fit, and none of except. */
bool policy_matches(const json_t *match, const json_t *except, const json_t *vm);
