/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of a backup as they come from the hub's job: through a socket that is made here and handed over.
 */
#pragma once

#include "ctl.h"

#include <stdint.h>

typedef struct FilesStream {
        int fd; /* where they come from; -1: nowhere */
        uint64_t job;
} FilesStream;

/* method is ListFiles or GetFiles; backup is an id, or a VM, whose newest backup is taken. Paths may be none. */
ExitStatus files_stream_open(FilesStream *stream, const char *method, const char *backup,
                             char *paths[], int n_paths);

/* After the end of what came: whether it was all, as the job says; complains when not. */
ExitStatus files_stream_end(FilesStream *stream);
void files_stream_done(FilesStream *stream);
