/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where one QCOW2 file keeps what it holds, by its own tables, so that it can be read without a server in between.
 * For the images that we make, and others like them; whatever is unusual or doubtful is left to qemu.
 */
#pragma once

#include "qcow2-header.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum RunKind {
        RUN_NOTHING, /* what lies below shows */
        RUN_ZEROES,
        RUN_DATA,
} RunKind;

typedef struct LayerMap {
        int fd, direct_fd; /* direct_fd -1: none */
        uint64_t virtual_bytes;
        unsigned cluster_bits;
        bool is_extended; /* entries are of two words, the second about subclusters */
        uint64_t table_clusters; /* that a table is about */
        uint64_t n_tables;
        uint64_t **tables; /* NULL: all of it is nothing */
} LayerMap;

/* A run of bytes of the disk that are held alike. */
typedef struct LayerRun {
        RunKind kind;
        uint64_t length;
        uint64_t file_offset; /* of data */
} LayerRun;

/* Locks the file as qemu does that only reads it. *bytes_left: of tables that may be kept; is lessened. -EOPNOTSUPP: it is to be
 * read by qemu, which also knows what is wrong with it; -ENOMEM. */
int layer_map_open(LayerMap *map, int folder, const char *name, uint64_t *bytes_left,
                   Qcow2Header *ret_header);
void layer_map_done(LayerMap *map);

/* What is at offset; beyond the end of the layer there are zeroes without an end. */
LayerRun layer_map_find(const LayerMap *map, uint64_t offset);

/* What lies behind the end of the file is zero. -errno of the kernel. The buffer is best one of whole pages. */
int layer_map_read(const LayerMap *map, void *data, size_t length, uint64_t file_offset);
