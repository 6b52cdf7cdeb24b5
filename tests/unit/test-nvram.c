/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/nvram: what goes in comes out; a file that people can unpack; its limits, at each and one beyond; and that nothing but what pack
 * makes is taken, whatever was changed in it.
 */
#include "unit.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "nvram.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* As VMware's: little content and then one byte over and over. */
static unsigned char *file_new(size_t size, size_t content)
{
        unsigned char *data = malloc(size);
        const unsigned char seed[randombytes_SEEDBYTES] = "the same each time";

        assert_non_null(data);
        (void) memset(data, 0xff, size);
        randombytes_buf_deterministic(data, content, seed);
        return data;
}

static void round_trip(size_t size, size_t content)
{
        _cleanup_free_ unsigned char *data = file_new(size, content);
        CLEANUP(json_decref_p) json_t *object = NULL, *again = NULL;
        _cleanup_free_ void *back = NULL;
        size_t back_size = 0;

        assert_int_equal(nvram_pack(data, size, &object), 0);
        assert_int_equal(nvram_pack(data, size, &again), 0);
        assert_true(json_equal(object, again));
        assert_int_equal(nvram_unpack(object, &back, &back_size), 0);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, data, size);
}

static void there_and_back(void **state)
{
        (void) state;
        round_trip(1, 1);
        round_trip(8684, 1000);
        round_trip(270840, 40000);
        round_trip(NVRAM_SIZE_MAX, 1000);
}

static void limits(void **state)
{
        _cleanup_free_ unsigned char *data = file_new(NVRAM_SIZE_MAX + 1, 524288);
        json_t *object = NULL;
        size_t fits = 0;

        (void) state;
        assert_int_equal(nvram_pack(data, 0, &object), -ENODATA);
        (void) memset(data, 0, NVRAM_SIZE_MAX + 1);
        assert_int_equal(nvram_pack(data, NVRAM_SIZE_MAX + 1, &object), -EFBIG);
        free(data);
        data = file_new(NVRAM_PACKED_MAX, NVRAM_PACKED_MAX); /* of which nothing can be saved */
        assert_int_equal(nvram_pack(data, NVRAM_PACKED_MAX, &object), -EFBIG);
        assert_null(object);
        for (size_t step = 32768; step > 0; step /= 2)
                if (nvram_pack(data, fits + step, &object) == 0) {
                        assert_true(strlen(json_string_value(json_object_get(object, "gzip"))) <=
                                    NVRAM_PACKED_MAX);
                        json_decref(object);
                        object = NULL;
                        fits += step;
                }
        /* Three bytes are four characters, and gzip's own are few. */
        assert_in_range(fits, NVRAM_PACKED_MAX / 4 * 3 / 2, NVRAM_PACKED_MAX / 4 * 3);
}

static void plain(void **state)
{
        (void) state;
        assert_true(nvram_is_plain("MRVN", 4));
        assert_true(nvram_is_plain("MRVN\x01", 5));
        assert_false(nvram_is_plain("MRVN", 3));
        assert_false(nvram_is_plain("NVRM", 4));
        assert_false(nvram_is_plain("", 0));
}

static void set(json_t *object, const char *key, json_t *value)
{
        assert_int_equal(json_object_set_new(object, key, value), 0);
}

static void refuse(json_t *object)
{
        _cleanup_free_ void *data = NULL;
        size_t size = 77;

        assert_int_equal(nvram_unpack(object, &data, &size), -EBADMSG);
        assert_null(data);
        assert_int_equal(size, 77);
}

/* Some bits of gzip mean nothing: a time, what fills the last byte. */
static void refuse_or_same(const json_t *object, const void *data, size_t size)
{
        _cleanup_free_ void *back = NULL;
        size_t back_size = 0;
        int r = nvram_unpack(object, &back, &back_size);

        if (r == 0) {
                assert_int_equal(back_size, size);
                assert_memory_equal(back, data, size);
        } else
                assert_int_equal(r, -EBADMSG);
}

static void lies(void **state)
{
        _cleanup_free_ unsigned char *data = file_new(5000, 700);
        CLEANUP(json_decref_p) json_t *good = NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;

        (void) state;
        assert_int_equal(nvram_pack(data, 5000, &good), 0);
        text = strdup(json_string_value(json_object_get(good, "gzip")));
        assert_non_null(text);
        length = strlen(text);
        refuse(NULL);
        for (json_int_t bytes = 4999; bytes <= 5001; bytes += 2) {
                set(good, "bytes", json_integer(bytes));
                refuse(good);
        }
        set(good, "bytes", json_integer((json_int_t) NVRAM_SIZE_MAX + 1));
        refuse(good);
        set(good, "bytes", json_integer(0));
        refuse(good);
        set(good, "bytes", json_integer(5000));
        /* Each character is another one, or the last that is there. */
        for (size_t i = 0; i < length; i++) {
                char was = text[i];

                text[i] = was == 'A' ? 'B' : 'A';
                set(good, "gzip", json_string(text));
                refuse_or_same(good, data, 5000);
                text[i] = '\0';
                set(good, "gzip", json_string(text));
                refuse(good);
                text[i] = was;
        }
        set(good, "gzip", json_string(text));
        set(good, "sha256", json_string("00"));
        refuse(good);
        assert_int_equal(json_object_del(good, "sha256"), 0);
        refuse(good);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back),
                cmocka_unit_test(limits),
                cmocka_unit_test(lies),
                cmocka_unit_test(plain),
        };

        return sodium_init() < 0 ? 1 : RUN_TESTS(tests);
}
