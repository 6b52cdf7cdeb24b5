/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is looked at before the first byte is written: every source and every target of all disks answers and
 * has the size of its disk. Two targets that were swapped are found here.
 */
#pragma once

#include "disk.h"

/* Opens and closes them one after the other. signal_fd: who cancels. 0, or negative with failure set. */
int preflight_check(Disk *disks, size_t n_disks, int signal_fd, Failure *failure);

/* Opens one, and waits until it answers. source->error says why not. -ECANCELED. */
int preflight_open_source(Source *source, int signal_fd);
