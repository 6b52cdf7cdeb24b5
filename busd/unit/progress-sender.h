/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a process belongs to a unit of a job that tells how far it is. The daemons' units hide the processes of others
 * (ProtectProc=invisible), so /proc/PID/cgroup cannot be asked; the unit's own control group lists its
 * processes to everybody, also inside that sandbox. It asks for one small file of the kernel and waits
 * for nothing.
 */
#pragma once

#include "names.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where the control groups of this machine are: the root of cgroup v2, also on a machine where it stands
 * beside v1. A static string. */
const char *progress_sender_root(void);

/* root as above, or a folder made like one. A process that has ended belongs to nothing. */
bool progress_sender_is_copy(const char *root, UnitSide side, uint64_t job, pid_t pid);
