/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a verb does that has begun a job: the hub's answer is the job's object, and whoever asked wants to follow it, or to know how.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>
#include <stdint.h>

/* The number of the job that the answer, "o", names. */
ExitStatus job_number(const json_t *path, uint64_t *ret_id);

/* Follows it to its end, or tells how that is done. */
ExitStatus job_begun(json_t *path, bool is_awaited);
