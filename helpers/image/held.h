/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image that is served to this process alone, as what certain of its layers hold: run by run, so that to go through
 * them costs what they hold and not what the disk is long. Below merges.
 */
#pragma once

#include "extents.h"
#include "server.h"

#include <libnbd.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Held {
        const Image *image;
        uint64_t capacity_bytes;
        bool is_writable;
        Server server;
        struct nbd_handle *nbd; /* for data */
        struct nbd_handle *status; /* for extents */
        void (*moved)(void *userdata,
                      uint64_t n_bytes); /* read, written or compared; may be NULL */
        void *userdata;

        /* Where it is. */
        ExtentsLayers layers;
        Extents extents; /* of a part of the disk */
        size_t extent;
        uint64_t next; /* the part after that */
} Held;

/* Serves the image, to be written to or not. ImageDamaged: it cannot be opened, or is of another size. */
int held_open(Held *held, const Image *image, uint64_t capacity_bytes, bool is_writable,
              Failure *failure);
void held_done(Held *held);

/* Goes to the beginning, of what these layers hold. */
void held_begin(Held *held, ExtentsLayers layers);

/* The next run. 0: there is none. */
int held_next(Held *held, Extent *ret_run, Failure *failure);

/* Whether a part of the disk is known to read as zeroes without being read. */
int held_is_zero(Held *held, uint64_t offset, uint64_t length, bool *ret_is_zero, Failure *failure);

/* After an error of libnbd: what the server said, or what libnbd says. */
int held_failure(Held *held, Failure *failure);

/* After an answer with an errno: RepositoryFull, RepositoryReadOnly, or what the server said, or else why. */
int held_failure_errno(Held *held, int error, const char *why, Failure *failure);

/* One that was written to: flushed and closed. */
int held_end(Held *held, Failure *failure);
