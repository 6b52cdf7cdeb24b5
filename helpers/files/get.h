/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files as a tar stream, with all that belongs to them: owners, times, attributes, hard links, holes.
 */
#pragma once

#include "guest.h"
#include "stream.h"
#include "walk.h"

typedef struct GetCount {
        uint64_t entries;
        uint64_t skipped; /* sockets, which no stream can hold */
        LeftOut left_out;
} GetCount;

/* All paths of the spec. The two blocks at the end are written when all of it was. */
int get_paths(Guest *guest, const FilesSpec *spec, const Mounts *mounts, Stream *stream,
              GetCount *count, Failure *failure);
