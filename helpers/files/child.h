/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program run to its end, within a time, and what it said.
 */
#pragma once

#include <stddef.h>

enum {
        CHILD_SAID_SIZE = 64 * 1024,
};

/* Both outputs together, the first CHILD_SAID_SIZE - 1 bytes of them. 0 and the exit status, or -errno: -ETIMEDOUT when it was killed for
 * the time it took, -ECHILD when something else killed it. */
int child_run(const char *const argv[], unsigned seconds, char *said, int *ret_status);
