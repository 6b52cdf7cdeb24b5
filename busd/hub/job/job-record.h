/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hub knows of a backup, as the task of `sendense-image commit`: the VM commit record and the
 * manifest of each disk, all but what the images themselves say.
 */
#pragma once

#include "unit/unit-files.h"

#include <stdbool.h>

typedef struct Job Job;
typedef struct JobDisk JobDisk;

/* NULL when out of memory. */
json_t *job_commit_task(const Job *job);

/* Where the result of `sendense-image finish` is kept until the commit. */
void job_finish_result_path(const Job *job, const JobDisk *disk,
                            char ret_path[static UNIT_FILE_PATH_SIZE]);
/* Whether a file of the folder of unit files, named without its suffix, is such a result of the job. */
bool job_owns_finish_result(const Job *job, const char *name);
int job_finish_result_keep(const Job *job, const JobDisk *disk, const json_t *result);
