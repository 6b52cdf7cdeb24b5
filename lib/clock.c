/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clocks (see clock.h). Must not fail: all exist on every Linux.
 */
#include "clock.h"

#include "parse.h"

#include <time.h>

static uint64_t now_usec(clockid_t clock)
{
        struct timespec now;

        (void) clock_gettime(clock, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

uint64_t clock_monotonic_usec(void)
{
        return now_usec(CLOCK_MONOTONIC);
}

uint64_t clock_boottime_usec(void)
{
        return now_usec(CLOCK_BOOTTIME);
}

uint64_t clock_realtime_usec(void)
{
        return now_usec(CLOCK_REALTIME);
}
