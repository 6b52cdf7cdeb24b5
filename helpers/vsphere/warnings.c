/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines for people (see warnings.h). What vCenter says may be in them.
 */
#include "warnings.h"

#include "cleanup.h"
#include "text.h"
#include "utf8.h"

#include <stdarg.h>

void warnings_add(json_t *warnings, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        if (!text)
                return;
        utf8_make_line(text);
        (void) json_array_append_new(warnings, json_string(text));
}
