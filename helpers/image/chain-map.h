/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk as its guest saw it, read out of the files of its chain by their tables: what a private qemu-nbd would serve,
 * without the server's copies and connections. May be used by several threads.
 */
#pragma once

#include "layer-map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ChainMap {
        LayerMap *layers; /* the topmost first */
        size_t n_layers; /* 0: none is open */
} ChainMap;

/* name: of the topmost image, in its folder; links are followed as qemu does. Zeroed before. -EOPNOTSUPP: the disk is to be read by
 * qemu, because a layer is unusual, damaged or being written to, or has not that size; -ENOMEM. */
int chain_map_open(ChainMap *map, int folder, const char *name, uint64_t capacity_bytes);
void chain_map_done(ChainMap *map);

/* How far there is the same from offset on, at most to limit: zeroes, or data. */
uint64_t chain_map_find_end(const ChainMap *map, uint64_t offset, uint64_t limit, bool *ret_zero);

/* Whether the topmost layer holds any part of it, even if zeroes. */
bool chain_map_is_held(const ChainMap *map, uint64_t offset, uint64_t end);

/* -errno of the kernel. */
int chain_map_read(const ChainMap *map, void *data, size_t length, uint64_t offset);
