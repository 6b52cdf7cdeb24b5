/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What backups are expected to take up in their repositories, so that none begins on room that others have been
 * promised. An expectation: what the newest backup of the disk of that kind took up; of a first full a part of the capacity, of a first
 * incremental nothing. For run-prepare.c.
 */
#pragma once

#include "job-types.h"

#include <stdint.h>

typedef struct Job Job;

/* Of one image; last_bytes is 0 when there was none of that kind. Pure. */
uint64_t space_of_image(BackupType type, uint64_t last_bytes, uint64_t capacity_bytes,
                        uint64_t first_full_percent);

/* What is still to come of so much, when so much of the reading is done. Pure. */
uint64_t space_to_come(uint64_t expected_bytes, uint64_t done_bytes, uint64_t total_bytes);

/* Of the whole job. INT64_MAX at most. */
uint64_t space_needed(const Job *job);

/* Of all other backups that write into its repository. INT64_MAX at most. */
uint64_t space_promised(const Job *job);
