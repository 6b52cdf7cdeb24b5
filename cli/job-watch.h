/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following a job to its end, through restarts of the hub.
 */
#pragma once

#include "ctl.h"

#include <stdint.h>

/* Shows each step of the job and how it ends. CTL_OK: completed; CTL_FAILED: failed, or a complaint;
 * CTL_NOT_WELL: cancelled; CTL_INTERRUPTED: Ctrl-C or SIGTERM. */
ExitStatus job_watch(uint64_t id);
