/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first failure (see failure.h).
 */
#include "failure.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>

/* Texts of servers and children come in here: they may hold anything. */
static void make_line(char *text)
{
        utf8_make_valid(text);
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = ' ';
}

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
        make_line(failure->text);
        return error;
}
