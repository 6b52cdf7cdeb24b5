/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a mounted disk serves: a handshake on its socket, or what systemd says of its server, in the name of the job, which may be
 * over before the answer comes.
 */
#pragma once

#include "job/job.h"

/* Once, unless the job has gone on to something else: 0 with the size and the server's instance, or a negative errno and one line. */
typedef void (*MountAnswer)(Job *job, JobDisk *disk, int error, const char *text,
                            uint64_t size_bytes, const char *instance);

/* Fails the job when it cannot be asked. */
void mount_ask(Job *job, JobDisk *disk, MountAnswer answer);

/* The same of one that was served before. systemd is asked, because a server takes no client beyond those it is for, and whoever uses
 * it may have taken all places. Only where its server does not run a handshake shows whether there is one. */
void mount_look(Job *job, JobDisk *disk, MountAnswer answer);
