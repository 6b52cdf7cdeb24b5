/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pauses (see pause.h).
 */
#include "pause.h"

#include "parse.h"

unsigned pause_next(unsigned before_msec, uint64_t up_usec)
{
        if (before_msec == 0 || up_usec >= PAUSE_FORGOTTEN_SEC * USEC_PER_SEC)
                return PAUSE_MIN_MSEC;
        return before_msec < PAUSE_MAX_MSEC / 2 ? before_msec * 2 : PAUSE_MAX_MSEC;
}

unsigned pause_with_chance(unsigned pause_msec, unsigned chance)
{
        return pause_msec / 2 + chance % (pause_msec - pause_msec / 2 + 1);
}
