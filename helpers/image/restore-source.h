/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk, of a restore or of what was just copied, read through all its layers: out of their files where that can be, else from a private
 * qemu-nbd by several connections: one for each reader, and one that asks where there are zeroes.
 */
#pragma once

#include "chain-map.h"
#include "extents.h"
#include "server.h"

#include <stdbool.h>

enum {
        RESTORE_READERS_MAX = 8,
};

typedef struct RestoreSource {
        Image image;
        unsigned n_readers;
        uint64_t capacity_bytes;
        ChainMap map; /* with layers: all below is not used */

        Server server;
        struct nbd_handle *readers[RESTORE_READERS_MAX];
        struct nbd_handle *asker;
        Extents extents; /* what is known, from start to end */
        bool is_unknown; /* the images do not tell: it is read as if it were all data */
        uint64_t start, end;
        size_t next; /* the first extent that does not end before the last question */
} RestoreSource;

/* The strings and the folder of image are borrowed. */
int restore_source_open(RestoreSource *source, const Image *image, uint64_t capacity_bytes,
                        unsigned n_readers, Failure *failure);
void restore_source_done(RestoreSource *source);

/* How many bytes are not zeroes, as far as the images tell. */
int restore_source_count(RestoreSource *source, uint64_t *ret_bytes, Failure *failure);

/* The end of the zeroes from offset on, at most limit; of whole leaves, unless it is limit. offset: its leaf holds
 * something. Offsets only go forward between two calls of the function above. */
int restore_source_zero_end(RestoreSource *source, uint64_t offset, uint64_t limit,
                            uint64_t *ret_end, Failure *failure);

/* For one thread each. 1: this part cannot be read, others may; nothing is in data. */
int restore_source_read(RestoreSource *source, unsigned reader, void *data, size_t length,
                        uint64_t offset, Failure *failure);
