/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tries again what failed for a reason that passes by itself: after a pause, as a job of its own, so many times and no more. One for
 * each hub, in the loop's thread.
 */
#pragma once

typedef struct Jobs Jobs;
typedef struct Retrier Retrier;

/* jobs is borrowed, and must end later, or answer what is open before. */
int retrier_new(Jobs *jobs, Retrier **ret_retrier);

/* NULL in, NULL out. */
Retrier *retrier_free(Retrier *retrier);
