/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk as a stream-optimised VMDK, the form in which vCenter takes disks over HTTPS: a header, the descriptor, then
 * grains of 64 KiB, each deflated for itself behind a marker, with a table behind each 512 of them and the directory and
 * the footer at the end. It is pulled, piece by piece, so that whoever sends it decides the pace; memory is some hundred KiB
 * and 4 bytes for each 32 MiB of the disk. Grains of zeroes are not in it. It waits only where its source waits.
 */
#pragma once

#include "cleanup.h"

#include <stddef.h>
#include <stdint.h>

enum {
        VMDK_GRAIN_BYTES = 64 * 1024,
        VMDK_BATCH_BYTES = 1024 * 1024, /* the most that is read at once */
};

#define VMDK_CAPACITY_MAX (UINT64_C(64) * 1024 * 1024 * 1024 * 1024)

/* Where the disk comes from. Negative errnos are passed on. */
typedef struct VmdkSource {
        /* The first stretch at or behind offset that may hold something: *ret_start is the capacity when there is none. */
        int (*find)(void *userdata, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end);
        int (*read)(void *userdata, uint64_t offset, void *data, size_t length);
        void *userdata;
} VmdkSource;

typedef struct VmdkStream VmdkStream;

/* adapter: "lsilogic", "buslogic" or "ide", for the descriptor; borrowed, as source is. -EINVAL: the capacity is not whole sectors;
 * -EFBIG: it is too large; -ENOMEM. */
int vmdk_stream_new(const VmdkSource *source, uint64_t capacity_bytes, const char *adapter,
                    VmdkStream **ret_stream);
VmdkStream *vmdk_stream_free(VmdkStream *stream);
DEFINE_CLEANUP(VmdkStream *, vmdk_stream_free)

/* The next bytes of the file, at most size. *ret_size is 0 at its end and nowhere else. -EFBIG: the file would be larger than its own
 * numbers reach, 2 TiB deflated. */
int vmdk_stream_read(VmdkStream *stream, void *data, size_t size, size_t *ret_size);

/* How far in the disk it has come: everything before was read or is a hole. */
uint64_t vmdk_stream_position(const VmdkStream *stream);
