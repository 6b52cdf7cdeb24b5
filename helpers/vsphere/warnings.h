/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people should know of a job that did its work: lines of an array, which its result shows.
 */
#pragma once

#include <jansson.h>

/* One more line. Without memory for it there is one less: it is nothing that the work depends on. */
void warnings_add(json_t *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));
