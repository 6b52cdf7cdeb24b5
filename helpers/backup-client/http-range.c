/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Content-Range (see http-range.h).
 */
#include "http-range.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

enum {
        TEXT_MAX = 80, /* the unit and three numbers */
};

int http_range_parse(const char *text, HttpRange *ret_range)
{
        static const char unit[] = "bytes ";
        char copy[TEXT_MAX], *dash, *slash;
        HttpRange range;

        if (strlen(text) >= sizeof(copy) || strncmp(text, unit, strlen(unit)) != 0)
                return -EBADMSG;
        (void) snprintf(copy, sizeof(copy), "%s", text + strlen(unit));
        dash = strchr(copy, '-');
        slash = strchr(copy, '/');
        if (!dash || !slash || slash < dash)
                return -EBADMSG;
        *dash = *slash = '\0';
        if (parse_uint64(copy, 0, INT64_MAX, &range.first) < 0 ||
            parse_uint64(dash + 1, range.first, INT64_MAX, &range.last) < 0 ||
            parse_uint64(slash + 1, range.last + 1, INT64_MAX, &range.total) < 0)
                return -EBADMSG;
        *ret_range = range;
        return 0;
}
