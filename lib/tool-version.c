/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading versions (see tool-version.h).
 */
#include "tool-version.h"

#include "parse.h"

#include <string.h>

/* The digits at *at, which then points behind them. */
static bool read_number(const char **at, uint64_t *ret_number)
{
        size_t n = strspn(*at, "0123456789");
        char number[16];

        if (n == 0 || n >= sizeof(number))
                return false;
        memcpy(number, *at, n);
        number[n] = '\0';
        *at += n;
        return parse_uint64(number, 0, UINT32_MAX, ret_number) >= 0;
}

bool tool_version_is_enough(const char *text, uint64_t major, uint64_t minor)
{
        uint64_t found_major, found_minor;
        const char *at = text + strcspn(text, "0123456789\n");

        if (!read_number(&at, &found_major) || *at++ != '.' || !read_number(&at, &found_minor))
                return false;
        return found_major > major || (found_major == major && found_minor >= minor);
}
