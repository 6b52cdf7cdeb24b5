/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and remedies of failures (see failure.h).
 */
#include "failure.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const struct {
        int error;
        const char *name, *remedy;
} known[] = {
        { ENOSPC, BUS_ERROR_REPOSITORY_FULL, "; free space or make the file system larger" },
        { EDQUOT, BUS_ERROR_REPOSITORY_FULL, "; free space or raise the quota" },
        { EROFS, BUS_ERROR_REPOSITORY_READ_ONLY,
          "; the kernel's log says why, then: mount -o remount,rw" },
        { EACCES, BUS_ERROR_REPOSITORY_PERMISSIONS,
          "; it must belong to sendense:sendense-export, folders with mode 2750" },
        { EPERM, BUS_ERROR_REPOSITORY_PERMISSIONS,
          "; it must belong to sendense:sendense-export, folders with mode 2750" },
        { ESTALE, BUS_ERROR_REPOSITORY_MISSING, "; mount it again" },
        { ENOTCONN, BUS_ERROR_REPOSITORY_MISSING, "; mount it again" },
        { ENODEV, BUS_ERROR_REPOSITORY_MISSING, "; mount it again" },
        { ETIMEDOUT, BUS_ERROR_REPOSITORY_MISSING,
          "; its server does not answer: try again, or mount it again" },
        { EHOSTDOWN, BUS_ERROR_REPOSITORY_MISSING,
          "; its server does not answer: try again, or mount it again" },
        { EIO, BUS_ERROR_FAILED, "; the kernel's log says which device is failing" },
        { ELOOP, BUS_ERROR_FAILED, "; there must be no links in a repository" },
};

static void make_line(char *text)
{
        utf8_make_valid(text);
        for (char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        *c = ' ';
}

int failure_set(Failure *failure, const char *name, const char *format, ...)
{
        va_list ap;

        failure->name = name;
        va_start(ap, format);
        (void) vsnprintf(failure->text, sizeof(failure->text), format, ap);
        va_end(ap);
        make_line(failure->text);
        return bus_error_to_errno(name);
}

bool failure_is_away(int error)
{
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (known[i].error == -error)
                        return strcmp(known[i].name, BUS_ERROR_REPOSITORY_MISSING) == 0;
        return false;
}

int failure_errno(Failure *failure, int error, const char *format, ...)
{
        const char *name = BUS_ERROR_FAILED, *remedy = "";
        char what[400];
        va_list ap;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (known[i].error == -error) {
                        name = known[i].name;
                        remedy = known[i].remedy;
                }
        va_start(ap, format);
        (void) vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        return failure_set(failure, name, "%s: %s%s", what, strerror(-error), remedy);
}
