/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a link waits before it tries again: longer each time, and by chance, so that many nodes do not come back at one moment.
 * Pure.
 */
#pragma once

#include <stdint.h>

enum {
        PAUSE_MIN_MSEC = 500,
        PAUSE_MAX_MSEC = 30 * 1000,
        PAUSE_FORGOTTEN_SEC = 10, /* a session that stood for so long was a good one */
};

/* The pause after the one of before_msec (0: there was none), when the session in between stood for up_usec (0: there was none). */
unsigned pause_next(unsigned before_msec, uint64_t up_usec);

/* How much of it is waited: from its half to the whole, by a chance from anywhere. */
unsigned pause_with_chance(unsigned pause_msec, unsigned chance);
