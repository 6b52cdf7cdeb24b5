/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors of the vSphere rooms (see error.h).
 */
#include "vsphere/error.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int vsphere_error_set(VSphereError *error, const char *name, const char *format, ...)
{
        char text[VSPHERE_ERROR_TEXT_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        utf8_make_line(text);
        (void) memcpy(error->text, text, sizeof(text));
        error->name = name;
        error->is_transient = error->is_too_large = false;
        return bus_error_to_errno(name);
}

int vsphere_error_prefix(VSphereError *error, const char *name, const char *format, ...)
{
        char before[VSPHERE_ERROR_TEXT_SIZE / 2], text[VSPHERE_ERROR_TEXT_SIZE];
        bool is_transient = error->is_transient, is_too_large = error->is_too_large;
        va_list ap;
        int r;

        va_start(ap, format);
        (void) vsnprintf(before, sizeof(before), format, ap);
        va_end(ap);
        (void) memcpy(text, error->text, sizeof(text));
        r = vsphere_error_set(error, name, "%s: %s", before, text);
        error->is_transient = is_transient;
        error->is_too_large = is_too_large;
        return r;
}

int vsphere_error_errno(VSphereError *error, int r, const char *what)
{
        const char *name = r == -ECANCELED ? BUS_ERROR_CANCELLED : BUS_ERROR_FAILED;

        error->fault[0] = '\0';
        (void) vsphere_error_set(error, name, "%s: %s", what, strerror(-r));
        return r;
}

bool vsphere_error_is_fault(const VSphereError *error, const char *fault)
{
        return strcmp(error->fault, fault) == 0;
}
