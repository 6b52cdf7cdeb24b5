/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes, times and spans as people read them. Pure, but for the local time zone.
 */
#pragma once

#include <stdint.h>

enum {
        FORMAT_SIZE = 48, /* of any text made here, with its NUL */
};

/* "512 B", "5.0 GiB". */
const char *format_bytes(uint64_t bytes, char ret_text[static FORMAT_SIZE]);

/* "2026-11-21 05:17:56" in local time; "-" for 0 and for what no calendar holds. */
const char *format_time(uint64_t usec, char ret_text[static FORMAT_SIZE]);

/* "34 s", "12 min 5 s", "3 h 20 min", "2 d 4 h": two units at most. */
const char *format_span(uint64_t usec, char ret_text[static FORMAT_SIZE]);
