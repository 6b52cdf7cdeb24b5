/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock of deadlines and intervals, which only goes forward. For every room of sendense-import that
 * waits for something.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#include "parse.h"

static inline uint64_t clock_now_usec(void)
{
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}
