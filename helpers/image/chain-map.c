/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going down through the layers (see chain-map.h).
 */
#include "chain-map.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        LAYERS_MAX = 1024,
};

#define TABLES_BYTES_MAX \
        (UINT64_C(256) * 1024 * 1024) /* of all layers; each GiB of a layer has 16 KiB */

static int add_layer(ChainMap *map, int folder, const char *name, uint64_t *bytes_left,
                     Qcow2Header *ret_header)
{
        LayerMap *grown;
        int r;

        if (map->n_layers == LAYERS_MAX)
                return -EOPNOTSUPP;
        grown = reallocarray(map->layers, map->n_layers + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        map->layers = grown;
        r = layer_map_open(grown + map->n_layers, folder, name, bytes_left, ret_header);
        map->n_layers += r >= 0;
        return r;
}

/* A link that leads out of the folder, or may be taken for a protocol, is left to qemu. */
static bool is_neighbour(const Qcow2Header *header)
{
        return !strpbrk(header->backing, "/:") && strcmp(header->backing_format, "qcow2") == 0;
}

int chain_map_open(ChainMap *map, int folder, const char *name, uint64_t capacity_bytes)
{
        uint64_t bytes_left = TABLES_BYTES_MAX;
        Qcow2Header header;
        int r;

        r = add_layer(map, folder, name, &bytes_left, &header);
        if (r >= 0 && header.virtual_bytes != capacity_bytes)
                r = -EOPNOTSUPP;
        while (r >= 0 && header.backing[0] != '\0') {
                char next[QCOW2_BACKING_SIZE];

                (void) snprintf(next, sizeof(next), "%s", header.backing);
                r = is_neighbour(&header) ? add_layer(map, folder, next, &bytes_left, &header)
                                          : -EOPNOTSUPP;
        }
        if (r < 0)
                chain_map_done(map);
        return r;
}

void chain_map_done(ChainMap *map)
{
        for (size_t i = 0; i < map->n_layers; i++)
                layer_map_done(map->layers + i);
        free(map->layers);
        *map = (ChainMap){};
}

/* What shows at offset, and in which layer. */
static Held find(const ChainMap *map, uint64_t offset, size_t *ret_layer)
{
        uint64_t length = UINT64_MAX;
        Held held = {};

        for (size_t i = 0; i < map->n_layers; i++) {
                held = layer_map_find(map->layers + i, offset);
                if (held.length < length)
                        length = held.length;
                *ret_layer = i;
                if (held.kind != HELD_NOTHING)
                        break;
        }
        held.length = length;
        if (held.kind == HELD_NOTHING)
                held.kind = HELD_ZEROES;
        return held;
}

uint64_t chain_map_find_end(const ChainMap *map, uint64_t offset, uint64_t limit, bool *ret_zero)
{
        HeldKind kind;
        size_t layer;
        Held held;

        held = find(map, offset, &layer);
        kind = held.kind;
        while (held.kind == kind && offset < limit) {
                if (held.length >= limit - offset)
                        offset = limit;
                else {
                        offset += held.length;
                        held = find(map, offset, &layer);
                }
        }
        *ret_zero = kind == HELD_ZEROES;
        return offset;
}

bool chain_map_is_held(const ChainMap *map, uint64_t offset, uint64_t end)
{
        while (offset < end) {
                Held held = layer_map_find(map->layers, offset);

                if (held.kind != HELD_NOTHING)
                        return true;
                offset += held.length;
        }
        return false;
}

int chain_map_read(const ChainMap *map, void *data, size_t length, uint64_t offset)
{
        uint8_t *bytes = data;
        int r = 0;

        while (length > 0 && r >= 0) {
                size_t layer, n;
                Held held = find(map, offset, &layer);

                n = held.length < length ? (size_t) held.length : length;
                /* Neighbours in the file are read at once. */
                while (held.kind == HELD_DATA && n < length) {
                        size_t other;
                        Held next = find(map, offset + n, &other);

                        if (next.kind != HELD_DATA || other != layer ||
                            next.file_offset != held.file_offset + n)
                                break;
                        n += next.length < length - n ? (size_t) next.length : length - n;
                }
                if (held.kind == HELD_DATA)
                        r = layer_map_read(map->layers + layer, bytes, n, held.file_offset);
                else
                        memset(bytes, 0, n);
                bytes += n;
                offset += n;
                length -= n;
        }
        return r;
}
