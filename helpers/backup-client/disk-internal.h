/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What disk.c (slots) and disk-faults.c (source, target, commits) know of each other.
 */
#pragma once

#include "disk.h"

#define DISK_ZEROES_MAX (UINT64_C(64) << 20) /* of one request */

/* Sets the failure, which names the disk. Returns error. */
int disk_fail(Disk *disk, int error, const char *name, const char *format, ...)
                __attribute__((format(printf, 4, 5)));

/* Source and target: open, notice a loss, try again. Negative: they were away for too long. */
int disk_step_source(Disk *disk);
int disk_step_target(Disk *disk);
void disk_break_source(Disk *disk, int error);

/* It has done something: when it is lost again, that is another time. */
void disk_target_is_back(Disk *disk);

/* It is broken, and nothing of it is under way that might still be answered. */
bool disk_source_is_over(const Disk *disk);

/* An error that says: nobody is there. */
bool disk_is_loss(int error);

/* Begins, goes on with or ends a commit; at the end of the plan, ends the disk. */
int disk_step_commit(Disk *disk);

/* When something is to be done without an event. */
void disk_deadline(const Disk *disk, uint64_t *deadline_usec);
