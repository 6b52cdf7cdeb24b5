/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for the end of a policy's run. Its exit status is that of the run.
 */
#pragma once

#include "ctl.h"

#include <stdint.h>

/* Waits, tells what became of it, and complains when that is no success. Ctrl-C ends the waiting and not the run. */
ExitStatus policy_watch(const char *policy, uint64_t run);
