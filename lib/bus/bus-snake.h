/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of our bus objects as the HTTP APIs spell them: BytesDone becomes bytes_done, StartedUSec started_usec.
 * Pure.
 */
#pragma once

#include <jansson.h>

/* Renames the keys of all objects in value, which stays the caller's. Keys that are no such names (disk keys, say)
 * stay. 0 or -ENOMEM; -EEXIST when two names became one. */
int bus_snake_names(json_t *value);
