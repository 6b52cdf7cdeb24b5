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

/* Bytes that two or three bytes of valid UTF-8 make, and that no line may have. */
static size_t dangerous_size(const unsigned char *c)
{
        if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
                return 2; /* C1: U+009B begins a terminal's sequences */
        if (c[0] == 0xe2 && c[1] == 0x80 &&
            ((c[2] >= 0xa8 && c[2] <= 0xae) || c[2] == 0x8e || c[2] == 0x8f))
                return 3; /* line separators; marks and overrides of direction */
        if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
                return 3; /* isolates of direction */
        if (c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf)
                return 3; /* a byte order mark */
        return c[0] < ' ' || c[0] == 0x7f ? 1 : 0;
}

void vsphere_text_clean(char *text)
{
        unsigned char *to = (unsigned char *) text;

        utf8_make_valid(text);
        for (const unsigned char *from = (unsigned char *) text; *from; to++) {
                size_t size = dangerous_size(from);

                *to = size > 0 ? '?' : *from;
                from += size > 0 ? size : 1;
        }
        *to = '\0';
}

int vsphere_error_set(VSphereError *error, const char *name, const char *format, ...)
{
        char text[VSPHERE_ERROR_TEXT_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        vsphere_text_clean(text);
        (void) memcpy(error->text, text, sizeof(text));
        error->name = name;
        error->is_transient = false;
        return bus_error_to_errno(name);
}

int vsphere_error_prefix(VSphereError *error, const char *name, const char *format, ...)
{
        char before[VSPHERE_ERROR_TEXT_SIZE / 2], text[VSPHERE_ERROR_TEXT_SIZE];
        bool is_transient = error->is_transient;
        va_list ap;
        int r;

        va_start(ap, format);
        (void) vsnprintf(before, sizeof(before), format, ap);
        va_end(ap);
        (void) memcpy(text, error->text, sizeof(text));
        r = vsphere_error_set(error, name, "%s: %s", before, text);
        error->is_transient = is_transient;
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
