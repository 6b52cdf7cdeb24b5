/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is looked at before the first byte is written: every source and every target of all disks answers and
 * has the size of its disk. Two targets that were swapped are found here.
 */
#pragma once

#include "disk.h"

/* What a disk has, and what its source or target has. */
typedef struct PreflightSize {
        uint32_t disk_key;
        uint64_t capacity_bytes, found_bytes;
} PreflightSize;

/* Opens sources and targets of n_keep disks (1 or more) at a time. Those of the first n_keep, which are started at once with that many
 * connections, stay open; all else is closed again. signal_fd: who cancels. 0, or negative with failure set. */
int preflight_check(Disk *disks, size_t n_disks, size_t n_keep, unsigned n_connections,
                    int signal_fd, Failure *failure);

/* Opens one, and waits until it answers. source->error says why not. -ECANCELED. */
int preflight_open_source(Source *source, int signal_fd);

/* Opens a target and tells its size; one of another size than it must have is no error, and not open afterwards.
 * target->error says why not. -ECANCELED. */
int preflight_open_target(Target *target, int signal_fd, uint64_t *ret_bytes);

/* Each found what its disk has, or failure says which did not, and which other disk it would fit. role: of whom. */
int preflight_judge(const PreflightSize *sizes, size_t n, const char *role, Failure *failure);
