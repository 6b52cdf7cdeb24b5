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
static LayerRun find(const ChainMap *map, uint64_t offset, size_t *ret_layer)
{
        uint64_t length = UINT64_MAX;
        LayerRun run = {};

        for (size_t i = 0; i < map->n_layers; i++) {
                run = layer_map_find(map->layers + i, offset);
                if (run.length < length)
                        length = run.length;
                *ret_layer = i;
                if (run.kind != RUN_NOTHING)
                        break;
        }
        run.length = length;
        if (run.kind == RUN_NOTHING)
                run.kind = RUN_ZEROES;
        return run;
}

uint64_t chain_map_find_end(const ChainMap *map, uint64_t offset, uint64_t limit, bool *ret_zero)
{
        RunKind kind;
        size_t layer;
        LayerRun run;

        run = find(map, offset, &layer);
        kind = run.kind;
        while (run.kind == kind && offset < limit) {
                if (run.length >= limit - offset)
                        offset = limit;
                else {
                        offset += run.length;
                        run = find(map, offset, &layer);
                }
        }
        *ret_zero = kind == RUN_ZEROES;
        return offset;
}

bool chain_map_is_held(const ChainMap *map, uint64_t offset, uint64_t end)
{
        while (offset < end) {
                LayerRun run = layer_map_find(map->layers, offset);

                if (run.kind != RUN_NOTHING)
                        return true;
                offset += run.length;
        }
        return false;
}

int chain_map_read(const ChainMap *map, void *data, size_t length, uint64_t offset)
{
        uint8_t *bytes = data;
        int r = 0;

        while (length > 0 && r >= 0) {
                size_t layer, n;
                LayerRun run = find(map, offset, &layer);

                n = run.length < length ? (size_t) run.length : length;
                /* Neighbours in the file are read at once. */
                while (run.kind == RUN_DATA && n < length) {
                        size_t other;
                        LayerRun next = find(map, offset + n, &other);

                        if (next.kind != RUN_DATA || other != layer ||
                            next.file_offset != run.file_offset + n)
                                break;
                        n += next.length < length - n ? (size_t) next.length : length - n;
                }
                if (run.kind == RUN_DATA)
                        r = layer_map_read(map->layers + layer, bytes, n, run.file_offset);
                else
                        memset(bytes, 0, n);
                bytes += n;
                offset += n;
                length -= n;
        }
        return r;
}
