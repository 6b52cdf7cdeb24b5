/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formatted text of its own memory, without asprintf()'s traps: what is there after a failure is NULL.
 */
#pragma once

#include <stdarg.h>

/* For free(); NULL when out of memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_vformat(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
