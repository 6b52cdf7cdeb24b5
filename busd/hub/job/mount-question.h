/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a mounted disk serves: a handshake on its socket, in the name of the job, which may be over before the answer comes.
 */
#pragma once

#include "job/job.h"

/* Once, unless the job has gone on to something else: 0 with the size and the server's instance, or a negative errno and one line. */
typedef void (*MountAnswer)(Job *job, JobDisk *disk, int error, const char *text,
                            uint64_t size_bytes, const char *instance);

/* Fails the job when it cannot be asked. */
void mount_ask(Job *job, JobDisk *disk, MountAnswer answer);
