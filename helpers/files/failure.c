/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and texts of failures (see failure.h).
 */
#include "failure.h"

#include "bus/bus-error.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>

int failure_set(Failure *failure, const char *name, const char *format, ...)
{
        va_list ap;

        failure->name = name;
        va_start(ap, format);
        (void) vsnprintf(failure->text, sizeof(failure->text), format, ap);
        va_end(ap);
        utf8_make_line(failure->text);
        return bus_error_to_errno(name);
}

int failure_guest(Failure *failure, guestfs_h *guest, const char *name, const char *format, ...)
{
        const char *why = guestfs_last_error(guest);
        char what[256];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        return failure_set(failure, name, "%s: %.360s", what, why ?: "libguestfs does not say why");
}
