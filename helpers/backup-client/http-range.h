/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header Content-Range of an answer 206, strictly: "bytes FIRST-LAST/TOTAL". Pure.
 */
#pragma once

#include <stdint.h>

typedef struct HttpRange {
        uint64_t first, last; /* inclusive */
        uint64_t total; /* of the whole file */
} HttpRange;

/* -EBADMSG for everything else, also for an unknown total and for ranges that lie outside of it. */
int http_range_parse(const char *text, HttpRange *ret_range);
