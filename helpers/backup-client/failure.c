/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first failure (see failure.h).
 */
#include "failure.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>

int failure_set(Failure *failure, int error, const char *name, uint32_t disk_key,
                const char *format, ...)
{
        va_list ap;

        if (failure->name)
                return error;
        failure->name = name;
        failure->disk_key = disk_key;
        va_start(ap, format);
        (void) vsnprintf(failure->text, sizeof(failure->text), format, ap);
        va_end(ap);
        utf8_make_line(failure->text); /* texts of servers and children come in here */
        return error;
}
