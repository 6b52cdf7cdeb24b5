/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/block-digest: the tree compared with sums made by hand, blocks that are not whole, the short leaf at the
 * end of a disk, and pieces, whose sum does not depend on anything but them.
 */
#include "unit.h"

#include "block-digest.h"
#include "cleanup.h"
#include "manifest.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

#define MIB (UINT64_C(1) << 20)

/* Of four leaves of zeroes: sha256(4 times sha256(1 MiB of zeroes)). */
#define ZERO_BLOCK "98515a346c0286694cc36f5fcc0b3f2f828bbed96b13a198a004552886242318"

static uint8_t leaf[LEAF_BYTES];

static void hash(const void *data, size_t size, uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        assert_true(EVP_Digest(data, size, ret_sum, NULL, EVP_sha256(), NULL));
}

static BlockDigest *new_digest(uint64_t capacity)
{
        BlockDigest *digest = NULL;

        assert_int_equal(block_digest_new(capacity, &digest), 0);
        return digest;
}

/* Of what is in leaf. */
static void sum_leaf(size_t length, uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        LeafHasher *hasher = NULL;

        assert_int_equal(leaf_hasher_new(&hasher), 0);
        assert_int_equal(leaf_hasher_sum_leaf(hasher, leaf, length, ret_sum), 0);
        (void) leaf_hasher_free(hasher);
}

static void sum_part(uint64_t from, size_t length, uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        LeafHasher *hasher = NULL;

        assert_int_equal(leaf_hasher_new(&hasher), 0);
        assert_int_equal(leaf_hasher_sum_part(hasher, from, leaf, length, ret_sum), 0);
        (void) leaf_hasher_free(hasher);
}

static void add_leaf(BlockDigest *digest, uint64_t offset, int byte)
{
        size_t length = (size_t) block_digest_leaf_length(digest, offset);
        uint8_t sum[LEAF_SUM_BYTES];

        memset(leaf, byte, length);
        sum_leaf(length, sum);
        assert_int_equal(block_digest_add_leaf(digest, offset, sum), 0);
}

/* Consumes the digest. */
static json_t *finish(BlockDigest *digest, uint64_t capacity)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        json_t *object = NULL;

        assert_int_equal(block_digest_finish(digest, &object), 0);
        (void) block_digest_free(digest);
        if (!json_object_get(object, "parts"))
                assert_int_equal(manifest_check_digest(object, capacity, error), 0);
        return object;
}

static const char *block(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(json_object_get(object, "blocks"), key));
}

static void trees(void **state)
{
        uint64_t capacity = 9 * MIB + 512;
        BlockDigest *digest = new_digest(capacity);
        uint8_t sums[4 * LEAF_SUM_BYTES], sum[LEAF_SUM_BYTES];
        char hex[LEAF_HEX_SIZE];
        json_t *object;

        (void) state;
        assert_int_equal(block_digest_add_zeroes(digest, 0, 4 * MIB), 0);
        for (size_t i = 0; i < 4; i++) {
                add_leaf(digest, (4 + i) * MIB, (int) i + 1);
                hash(leaf, LEAF_BYTES, sums + i * LEAF_SUM_BYTES);
        }
        hash(sums, sizeof(sums), sum);
        for (size_t i = 0; i < LEAF_SUM_BYTES; i++)
                (void) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
        assert_int_equal(block_digest_add_zeroes(digest, 8 * MIB, MIB + 512), 0);
        object = finish(digest, capacity);
        assert_int_equal(json_object_size(json_object_get(object, "blocks")), 3);
        assert_string_equal(block(object, "0"), ZERO_BLOCK);
        assert_string_equal(block(object, "1"), hex);
        assert_null(json_object_get(object, "parts"));
        json_decref(object);
}

/* Zeroes by one run, by leaves, or hashed: the same. */
static void zeroes(void **state)
{
        uint64_t capacity = 5 * MIB + 1024;
        BlockDigest *a = new_digest(capacity), *b = new_digest(capacity);
        json_t *x, *y;

        (void) state;
        assert_int_equal(block_digest_add_zeroes(a, 0, capacity), 0);
        for (uint64_t offset = 0; offset < capacity; offset += MIB)
                add_leaf(b, offset, 0);
        x = finish(a, capacity);
        y = finish(b, capacity);
        assert_true(json_equal(x, y));
        assert_string_equal(block(x, "0"), ZERO_BLOCK);
        json_decref(x);
        json_decref(y);
}

static json_t *with_parts(uint64_t from, bool skip)
{
        BlockDigest *digest = new_digest(16 * MIB);
        uint8_t sum[LEAF_SUM_BYTES];

        add_leaf(digest, 4 * MIB, 7);
        if (!skip) {
                memset(leaf, 9, 4096);
                sum_part(from, 4096, sum);
                assert_int_equal(block_digest_add_part(digest, from, 4096, sum), 0);
        }
        add_leaf(digest, 7 * MIB, 8);
        return finish(digest, 16 * MIB);
}

/* A block with a hole has no digest, but the sum of what is known; it changes with a piece's place. */
static void parts(void **state)
{
        json_t *a = with_parts(5 * MIB, false), *b = with_parts(5 * MIB + 4096, false);
        json_t *c = with_parts(0, true), *again = with_parts(5 * MIB, false), *part;

        (void) state;
        assert_null(block(a, "1"));
        part = json_object_get(json_object_get(a, "parts"), "1");
        assert_int_equal(json_integer_value(json_object_get(part, "count")), 3);
        assert_string_equal(json_string_value(json_object_get(part, "pieces")),
                            "0+1048576 1048576+4096 3145728+1048576");
        part = json_object_get(json_object_get(c, "parts"), "1");
        assert_int_equal(json_integer_value(json_object_get(part, "count")), 2);
        assert_true(json_equal(a, again));
        assert_false(json_equal(a, b));
        json_decref(a);
        json_decref(b);
        json_decref(c);
        json_decref(again);
}

/* Zeroes of a piece are told by its place and length alone; one byte that is none makes it data. */
static void zero_parts(void **state)
{
        const uint64_t head[] = { htole64(5 * MIB), htole64(4096) };
        uint8_t sum[LEAF_SUM_BYTES], want[LEAF_SUM_BYTES];

        (void) state;
        memset(leaf, 0, 4096);
        sum_part(5 * MIB, 4096, sum);
        hash(head, sizeof(head), want);
        assert_memory_equal(sum, want, sizeof(sum));
        for (size_t at = 0; at < 4096; at += 4095) {
                leaf[at] = 1;
                sum_part(5 * MIB, 4096, sum);
                assert_memory_not_equal(sum, want, sizeof(sum));
                leaf[at] = 0;
        }
}

/* More pieces than can be told: those of some blocks are not, and their sums are. */
static void many_parts(void **state)
{
        BlockDigest *digest = new_digest(1024 * MIB);
        uint8_t sum[LEAF_SUM_BYTES] = {};
        size_t n_told = 0, length = 0;
        json_t *object, *part;
        const char *key;

        (void) state;
        for (uint64_t offset = 0; offset < 1024 * MIB; offset += 4096)
                assert_int_equal(block_digest_add_part(digest, offset, 512, sum), 0);
        object = finish(digest, 1024 * MIB);
        assert_int_equal(json_object_size(json_object_get(object, "parts")), 256);
        json_object_foreach (json_object_get(object, "parts"), key, part) {
                const char *pieces = json_string_value(json_object_get(part, "pieces"));

                assert_int_equal(json_integer_value(json_object_get(part, "count")), 1024);
                n_told += pieces != NULL;
                length += pieces ? strlen(pieces) : 0;
        }
        assert_true(n_told > 100);
        assert_true(n_told < 256);
        assert_true(length <= PIECES_TEXT_MAX);
        json_decref(object);
}

/* As many blocks as there can be, each known in part: no longer than those who read it allow for. */
static void longest(void **state)
{
        const size_t limit = 17000;
        const uint64_t capacity = 8192 * MIB;
        BlockDigest *digest = new_digest(capacity);
        uint8_t sum[LEAF_SUM_BYTES] = {};
        json_t *object;
        char *text;

        (void) state;
        block_digest_limit_pieces(digest, limit);
        for (uint64_t offset = 0; offset < capacity; offset += 131072)
                assert_int_equal(block_digest_add_part(digest, offset, 512, sum), 0);
        object = finish(digest, capacity);
        text = json_dumps(object, JSON_COMPACT);
        assert_int_equal(json_object_size(json_object_get(object, "parts")), 2048);
        assert_true(strlen(text) > 200000);
        assert_true(strlen(text) <= DIGEST_TEXT_MAX + limit);
        free(text);
        json_decref(object);
}

static void refused(void **state)
{
        BlockDigest *digest = new_digest(4 * MIB + 512);
        const uint8_t sum[LEAF_SUM_BYTES] = {};

        (void) state;
        assert_int_equal(block_digest_add_leaf(digest, MIB, sum), 0);
        assert_int_equal(block_digest_add_leaf(digest, 0, sum), -EINVAL);
        assert_int_equal(block_digest_add_leaf(digest, MIB, sum), -EINVAL);
        assert_int_equal(block_digest_add_leaf(digest, 2 * MIB + 1, sum), -EINVAL);
        assert_int_equal(block_digest_add_leaf(digest, 5 * MIB, sum), -EINVAL);
        assert_int_equal(block_digest_add_part(digest, 3 * MIB - 512, 1024, sum), -EINVAL);
        assert_int_equal(block_digest_add_part(digest, 3 * MIB, 0, sum), -EINVAL);
        assert_int_equal(block_digest_add_zeroes(digest, 3 * MIB, 512), -EINVAL);
        assert_int_equal(block_digest_add_zeroes(digest, 4 * MIB, 1024), -EINVAL);
        assert_int_equal(block_digest_add_zeroes(digest, 4 * MIB, 512), 0);
        (void) block_digest_free(digest);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(trees),      cmocka_unit_test(zeroes),
                cmocka_unit_test(parts),      cmocka_unit_test(zero_parts),
                cmocka_unit_test(many_parts), cmocka_unit_test(longest),
                cmocka_unit_test(refused),
        };

        return RUN_TESTS(tests);
}
