/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two shapes that sendensectl prints: one JSON value, or a table for people.
 */
#pragma once

#include <jansson.h>

/* Prints value and a newline, keys in the order they were set. 0, or -ENOMEM. */
int output_json(const json_t *value);

/* rows is an array of arrays of strings, all as long as the first, which is the heading. Columns are as
 * wide as their widest text; control characters become '?'. 0, or -EINVAL for another shape. */
int output_table(const json_t *rows);
