/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What time it is, in microseconds. For anything that measures or waits: the monotonic clock.
 */
#pragma once

#include <stdint.h>

/* Since some moment before the start of the machine; nobody sets it. */
uint64_t clock_monotonic_usec(void);

/* Since the start of the machine, its sleep included: what /proc counts the start of processes in. */
uint64_t clock_boottime_usec(void);

/* Since 1970, as the administrator or the network set it. */
uint64_t clock_realtime_usec(void);
