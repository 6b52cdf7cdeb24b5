/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict readers of numbers and time spans (see parse.h). Pure: no I/O, no logging. Called by the
 * config reader, the command lines and the bus handlers.
 */
#include "parse.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

/* Reads the digits at the start of text; *ret_end is the first byte that is none. */
static int parse_digits(const char *text, uint64_t *ret_value, const char **ret_end)
{
        uint64_t value = 0;
        const char *p = text;

        if (*p < '0' || *p > '9')
                return -EINVAL;
        if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
                return -EINVAL;

        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t) (*p - '0'), &value))
                        return -ERANGE;

        *ret_value = value;
        *ret_end = p;
        return 0;
}

int parse_uint64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
        uint64_t value;
        const char *end;
        int r;

        r = parse_digits(text, &value, &end);
        if (r < 0)
                return r;
        if (*end)
                return -EINVAL;
        if (value < min || value > max)
                return -ERANGE;

        *ret_value = value;
        return 0;
}

int parse_port(const char *text, uint16_t *ret_port)
{
        uint64_t value;
        int r;

        r = parse_uint64(text, 1, UINT16_MAX, &value);
        if (r < 0)
                return r;

        *ret_port = (uint16_t) value;
        return 0;
}

int parse_bool(const char *text, bool *ret_value)
{
        if (strcmp(text, "yes") == 0)
                *ret_value = true;
        else if (strcmp(text, "no") == 0)
                *ret_value = false;
        else
                return -EINVAL;
        return 0;
}

typedef struct Suffix {
        const char *text;
        uint64_t factor;
} Suffix;

/* Digits and one of the suffixes. */
static int parse_with_suffix(const char *text, const Suffix *suffixes, size_t n, uint64_t min,
                             uint64_t max, uint64_t *ret_value)
{
        uint64_t value;
        const char *end;
        int r;

        r = parse_digits(text, &value, &end);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                if (strcmp(end, suffixes[i].text) != 0)
                        continue;
                if (__builtin_mul_overflow(value, suffixes[i].factor, &value) || value < min ||
                    value > max)
                        return -ERANGE;
                *ret_value = value;
                return 0;
        }
        return -EINVAL;
}

int parse_span_usec(const char *text, uint64_t min_usec, uint64_t max_usec, uint64_t *ret_usec)
{
        static const Suffix suffixes[] = {
                { "", USEC_PER_SEC },         { "ms", USEC_PER_MSEC },
                { "s", USEC_PER_SEC },        { "min", 60 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC }, { "d", 86400 * USEC_PER_SEC },
        };

        return parse_with_suffix(text, suffixes, ELEMENTSOF(suffixes), min_usec, max_usec,
                                 ret_usec);
}

int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
        static const Suffix suffixes[] = {
                { "", 1 },
                { "K", UINT64_C(1) << 10 },
                { "M", UINT64_C(1) << 20 },
                { "G", UINT64_C(1) << 30 },
                { "T", UINT64_C(1) << 40 },
        };

        return parse_with_suffix(text, suffixes, ELEMENTSOF(suffixes), min, max, ret_bytes);
}

static const char *const log_levels[] = {
        [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "crit",
        [LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

int parse_log_level(const char *text, int *ret_level)
{
        for (size_t i = 0; i < ELEMENTSOF(log_levels); i++)
                if (strcmp(text, log_levels[i]) == 0) {
                        *ret_level = (int) i;
                        return 0;
                }
        return -EINVAL;
}

const char *log_level_to_string(int level)
{
        return level >= 0 && (size_t) level < ELEMENTSOF(log_levels) ? log_levels[level] : NULL;
}
