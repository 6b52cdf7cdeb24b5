/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes, times and spans for people (see format.h).
 */
#include "format.h"

#include "cleanup.h"
#include "parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *format_bytes(uint64_t bytes, char ret_text[static FORMAT_SIZE])
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        uint64_t rest = 0;
        size_t i;

        for (i = 0; bytes >= 1024 && i + 1 < ELEMENTSOF(units); i++) {
                rest = bytes % 1024;
                bytes /= 1024;
        }
        if (i == 0)
                (void) snprintf(ret_text, FORMAT_SIZE, "%" PRIu64 " B", bytes);
        else /* cut, not rounded: what is said to be free is free */
                (void) snprintf(ret_text, FORMAT_SIZE, "%" PRIu64 ".%" PRIu64 " %s", bytes,
                                rest * 10 / 1024, units[i]);
        return ret_text;
}

const char *format_time(uint64_t usec, char ret_text[static FORMAT_SIZE])
{
        time_t at = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (usec == 0 || !localtime_r(&at, &tm) ||
            strftime(ret_text, FORMAT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                (void) snprintf(ret_text, FORMAT_SIZE, "-");
        return ret_text;
}

const char *format_span(uint64_t usec, char ret_text[static FORMAT_SIZE])
{
        static const struct {
                uint64_t sec;
                const char *unit;
        } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
        uint64_t sec = usec / USEC_PER_SEC, count;
        size_t i = 0;

        while (i + 1 < ELEMENTSOF(units) && sec < units[i].sec)
                i++;
        count = sec / units[i].sec;
        sec %= units[i].sec;
        if (i + 1 < ELEMENTSOF(units) && sec / units[i + 1].sec > 0)
                (void) snprintf(ret_text, FORMAT_SIZE, "%" PRIu64 " %s %" PRIu64 " %s", count,
                                units[i].unit, sec / units[i + 1].sec, units[i + 1].unit);
        else
                (void) snprintf(ret_text, FORMAT_SIZE, "%" PRIu64 " %s", count, units[i].unit);
        return ret_text;
}
