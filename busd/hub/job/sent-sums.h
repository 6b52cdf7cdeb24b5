/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sums of what a node has read of each disk, from the end of its copy until the image was held against them: files of the hub, and
 * not in /run, because a machine that went down meanwhile is one more reason to look.
 */
#pragma once

#include "job/job.h"

/* What the node says of the disk: the object of lib/block-digest, checked. 0, or -errno. It is not waited for the disk: the loop
 * has others to serve, and what a power cut takes with it is not compared. */
int sent_sums_keep(const Job *job, const JobDisk *disk, const json_t *digest);

/* The caller's reference. 0: there are none. */
int sent_sums_read(const Job *job, const JobDisk *disk, json_t **ret_digest);

void sent_sums_remove(const Job *job);

/* After a start: removes those of jobs that are not open. */
void sent_sums_sweep(const Jobs *jobs);
