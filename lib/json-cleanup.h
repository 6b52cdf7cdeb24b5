/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json_t for CLEANUP(): the reference is dropped at the end of its scope.
 */
#pragma once

#include "cleanup.h"

#include <jansson.h>

static inline void json_decref_p(json_t **value)
{
        json_decref(*value);
}
