/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which digest a part of a restored disk is compared with: that of the topmost layer that has one, also where the disk grew and
 * its blocks with it.
 */
#include "expected.h"

#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

/* A layer whose digest of a block is a byte repeated: "2:aa 7:bb". */
static ChainLayer layer(uint64_t capacity_bytes, const char *blocks)
{
        json_t *object = json_object();
        char text[256], *rest = NULL;

        (void) snprintf(text, sizeof(text), "%s", blocks);
        for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
                char *colon = strchr(word, ':'), hex[LEAF_HEX_SIZE] = "";

                if (!colon)
                        continue;
                *colon = '\0';
                for (size_t i = 0; i < LEAF_SUM_BYTES; i++)
                        memcpy(hex + 2 * i, colon + 1, 2);
                hex[LEAF_HEX_SIZE - 1] = '\0';
                (void) json_object_set_new(object, word, json_string(hex));
        }
        return (ChainLayer){ .capacity_bytes = capacity_bytes,
                             .digest = json_pack("{s:o}", "blocks", object) };
}

/* "MIB+MIB:layer:aa …" of all that is expected. */
static void expect(ChainLayer *layers, size_t n_layers, const char *want)
{
        const Chain chain = { .capacity_bytes = layers[0].capacity_bytes,
                              .layers = layers,
                              .n_layers = n_layers };
        Expected *list = NULL;
        char got[1024] = "";
        size_t n = 0;

        assert_int_equal(expected_make(&chain, &list, &n), 0);
        for (size_t i = 0; i < n; i++)
                (void) snprintf(got + strlen(got), sizeof(got) - strlen(got),
                                "%s%" PRIu64 "+%" PRIu64 ":%zu:%02x", i > 0 ? " " : "",
                                list[i].offset / MIB, list[i].length / MIB, list[i].layer,
                                list[i].sum[LEAF_SUM_BYTES - 1]);
        assert_string_equal(got, want);
        free(list);
        for (size_t i = 0; i < n_layers; i++)
                json_decref(layers[i].digest);
}
#define EXPECT(want, ...)                                                              \
        do {                                                                           \
                ChainLayer chain_layers[] = { __VA_ARGS__ };                           \
                expect(chain_layers, sizeof(chain_layers) / sizeof(ChainLayer), want); \
        } while (0)

static void topmost_wins(void **state)
{
        (void) state;
        EXPECT("", layer(64 * MIB, ""));
        EXPECT("0+4:0:aa 8+4:0:bb", layer(64 * MIB, "2:bb 0:aa"));
        EXPECT("0+4:1:01 4+4:0:11 8+4:2:22", layer(64 * MIB, "1:11"), layer(64 * MIB, "0:01 1:02"),
               layer(64 * MIB, "0:20 1:21 2:22"));
}

static void last_block_is_short(void **state)
{
        (void) state;
        EXPECT("60+3:0:aa", layer(63 * MIB, "15:aa"));
}

/* A layer of before the disk grew knows nothing of what is behind its end. */
static void grown(void **state)
{
        (void) state;
        EXPECT("4+4:0:11 8+2:1:22", layer(20 * MIB, "1:11"), layer(10 * MIB, "1:21 2:22"));
        EXPECT("8+4:0:12", layer(20 * MIB, "2:12"), layer(10 * MIB, "2:22"));
}

/* 8 GiB have blocks of 4 MiB, more have 8 MiB: a larger block hides both of the smaller ones, or none. */
static void grown_to_larger_blocks(void **state)
{
        (void) state;
        EXPECT("0+8:0:aa 8+4:1:02 12+4:1:03", layer(8 * GIB + MIB, "0:aa"),
               layer(8 * GIB, "0:00 1:01 2:02 3:03"));
        EXPECT("8188+4:1:ff 8192+1:0:bb", layer(8 * GIB + MIB, "1024:bb"),
               layer(8 * GIB, "2047:ff"));
}

static void refused(void **state)
{
        const char *const bad[] = { "16:aa", "x:aa", "-1:aa", "0:zz", "01:aa" };

        (void) state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                ChainLayer one = layer(64 * MIB, bad[i]);
                const Chain chain = { .capacity_bytes = 64 * MIB, .layers = &one, .n_layers = 1 };
                Expected *list = NULL;
                size_t n = 0;

                assert_int_equal(expected_make(&chain, &list, &n), -EBADMSG);
                assert_null(list);
                json_decref(one.digest);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(topmost_wins), cmocka_unit_test(last_block_is_short),
                cmocka_unit_test(grown),        cmocka_unit_test(grown_to_larger_blocks),
                cmocka_unit_test(refused),
        };

        return RUN_TESTS(tests);
}
