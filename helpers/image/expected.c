/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting the digests of a chain on top of each other (see expected.h). Blocks of a larger disk are as large or
 * larger, by a power of two, and lower layers have no larger disks: a block is hidden by the layers above as a
 * whole, or not at all. What is hidden is noted in units of the smallest block.
 */
#include "expected.h"

#include "cleanup.h"
#include "manifest.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

typedef struct Cover {
        uint8_t *bits;
        Expected *list;
        size_t n, size;
} Cover;

static bool is_covered(const Cover *cover, uint64_t offset)
{
        uint64_t unit = offset / MANIFEST_BLOCK_BYTES_MIN;

        return cover->bits[unit / 8] & (1U << unit % 8);
}

static void set_covered(Cover *cover, uint64_t offset, uint64_t length)
{
        uint64_t unit = offset / MANIFEST_BLOCK_BYTES_MIN;
        uint64_t end = (offset + length + MANIFEST_BLOCK_BYTES_MIN - 1) / MANIFEST_BLOCK_BYTES_MIN;

        for (; unit < end; unit++)
                cover->bits[unit / 8] |= (uint8_t) (1U << unit % 8);
}

static int read_nibble(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_sum(const char *hex, uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        if (!hex || strlen(hex) != LEAF_HEX_SIZE - 1)
                return -EBADMSG;
        for (size_t i = 0; i < LEAF_SUM_BYTES; i++) {
                int high = read_nibble(hex[2 * i]), low = read_nibble(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                ret_sum[i] = (uint8_t) (high * 16 + low);
        }
        return 0;
}

static int add(Cover *cover, const Expected *expected)
{
        Expected *grown;

        if (cover->n == cover->size) {
                size_t size = cover->size > 0 ? cover->size * 2 : 256;

                grown = reallocarray(cover->list, size, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                cover->list = grown;
                cover->size = size;
        }
        cover->list[cover->n++] = *expected;
        return 0;
}

static int add_layer(Cover *cover, const ChainLayer *layer, size_t i)
{
        uint64_t block_bytes = manifest_block_bytes(layer->capacity_bytes), block;
        json_t *blocks = json_object_get(layer->digest, "blocks"), *value;
        size_t n_before = cover->n;
        const char *key;
        int r;

        json_object_foreach (blocks, key, value) {
                Expected expected = { .layer = i };

                if (parse_uint64(key, 0, (layer->capacity_bytes - 1) / block_bytes, &block) < 0)
                        return -EBADMSG;
                expected.offset = block * block_bytes;
                expected.length = layer->capacity_bytes - expected.offset;
                if (expected.length > block_bytes)
                        expected.length = block_bytes;
                if (is_covered(cover, expected.offset))
                        continue;
                r = read_sum(json_string_value(value), expected.sum);
                if (r >= 0)
                        r = add(cover, &expected);
                if (r < 0)
                        return r;
        }
        for (size_t k = n_before; k < cover->n; k++)
                set_covered(cover, cover->list[k].offset, cover->list[k].length);
        return 0;
}

static int compare(const void *a, const void *b)
{
        uint64_t x = ((const Expected *) a)->offset, y = ((const Expected *) b)->offset;

        return x < y ? -1 : x > y;
}

int expected_make(const Chain *chain, Expected **ret_list, size_t *ret_n)
{
        uint64_t n_units = chain->capacity_bytes / MANIFEST_BLOCK_BYTES_MIN + 1;
        _cleanup_free_ uint8_t *bits = calloc(n_units / 8 + 1, 1);
        Cover cover = { .bits = bits };
        int r = bits ? 0 : -ENOMEM;

        for (size_t i = 0; i < chain->n_layers && r >= 0; i++)
                r = add_layer(&cover, chain->layers + i, i);
        if (r < 0) {
                free(cover.list);
                return r;
        }
        if (cover.n > 0)
                qsort(cover.list, cover.n, sizeof(*cover.list), compare);
        *ret_list = cover.list;
        *ret_n = cover.n;
        return 0;
}
