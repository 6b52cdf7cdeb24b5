/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first failure (see failure.h).
 */
#include "failure.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* Shortens a line to n bytes at most, between two letters. */
static void cut(char *line, size_t n)
{
        if (strlen(line) <= n)
                return;
        while (n > 0 && ((unsigned char) line[n] & 0xc0) == 0x80)
                n--;
        line[n] = '\0';
}

void failure_add(Failure *failure, const char *format, ...)
{
        char more[FAILURE_TEXT_SIZE];
        size_t length;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(more, sizeof(more), format, ap);
        va_end(ap);
        utf8_make_line(more);
        cut(more, FAILURE_TEXT_SIZE / 2);
        cut(failure->text, FAILURE_TEXT_SIZE - 1 - strlen(more));
        length = strlen(failure->text);
        (void) snprintf(failure->text + length, FAILURE_TEXT_SIZE - length, "%s", more);
}
