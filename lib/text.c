/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formatted text (see text.h).
 */
#include "text.h"

#include <stdio.h>

char *text_vformat(const char *format, va_list ap)
{
        char *text;

        return vasprintf(&text, format, ap) < 0 ? NULL : text;
}

char *text_format(const char *format, ...)
{
        va_list ap;
        char *text;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        return text;
}
