/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map of zeroes (see zero-map.h): one window of block status at a time.
 */
#include "zero-map.h"

#include "cleanup.h"

#include <string.h>

enum {
        RANGES_MAX = 1024 * 1024, /* of one window: 16 MiB of memory */
};

#define WINDOW_BYTES (UINT64_C(1) << 30)

void zero_map_init(ZeroMap *map, struct nbd_handle *nbd, uint64_t size)
{
        *map = (ZeroMap){
                .nbd = nbd,
                .size = size,
                .is_known = nbd_can_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0,
        };
}

void zero_map_done(ZeroMap *map)
{
        free(map->ranges);
        *map = (ZeroMap){};
}

static bool add_range(ZeroMap *map, uint64_t start, uint64_t end)
{
        if (map->n_ranges > 0 && map->ranges[map->n_ranges - 1].end == start) {
                map->ranges[map->n_ranges - 1].end = end;
                return true;
        }
        if (map->n_ranges == map->n_allocated) {
                size_t n = map->n_allocated > 0 ? map->n_allocated * 2 : 64;
                ZeroRange *more = n <= RANGES_MAX ? realloc(map->ranges, n * sizeof(*map->ranges))
                                                  : NULL;

                if (!more)
                        return false;
                map->ranges = more;
                map->n_allocated = n;
        }
        map->ranges[map->n_ranges++] = (ZeroRange){ .start = start, .end = end };
        return true;
}

/* libnbd gives pairs of length and flags. The last one may reach beyond what was asked for. */
static int on_extents(void *userdata, const char *context, uint64_t offset, uint32_t *entries,
                      size_t n_entries, int *error)
{
        ZeroMap *map = userdata;

        (void) error;
        if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0 || offset != map->end)
                return 0;
        for (size_t i = 0; i + 1 < n_entries && map->end < map->size; i += 2) {
                uint64_t left = map->size - map->end;
                uint64_t end = map->end + (entries[i] < left ? entries[i] : left);

                if ((entries[i + 1] & LIBNBD_STATE_ZERO) && !add_range(map, map->end, end))
                        return 0; /* what follows is asked for again */
                map->end = end;
        }
        return 0;
}

static void ask(ZeroMap *map, uint64_t offset)
{
        uint64_t left = map->size - offset;

        map->start = map->end = offset;
        map->n_ranges = map->next = 0;
        if (nbd_block_status(map->nbd, left < WINDOW_BYTES ? left : WINDOW_BYTES, offset,
                             (nbd_extent_callback){ .callback = on_extents, .user_data = map },
                             0) < 0 ||
            map->end == offset)
                map->is_known = false;
}

uint64_t zero_map_end(ZeroMap *map, uint64_t offset)
{
        /* What is known of the block must be all of it, or its rest is asked for. */
        if (map->is_known && offset < map->size &&
            (offset < map->start || (offset + ZERO_MAP_GRAIN > map->end && map->end < map->size)))
                ask(map, offset);
        if (!map->is_known)
                return offset;
        while (map->next < map->n_ranges && map->ranges[map->next].end <= offset)
                map->next++;
        if (map->next == map->n_ranges || map->ranges[map->next].start > offset)
                return offset;
        return map->ranges[map->next].end;
}
