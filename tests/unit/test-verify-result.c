/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left of the result of a verification that would be too long for its reader: which layers are damaged, and by which last one
 * it is known which were read.
 */
#include "verify-result.h"

#include "result-file.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

enum {
        LONG_CHAIN = 4000,
        DAMAGED = 7, /* the layer that is */
};

/* The result of one disk with so many layers, one of them damaged. */
static json_t *make(size_t n)
{
        VerifyLayer *layers = calloc(n, sizeof(VerifyLayer));
        VerifyLayerResult *results = calloc(n, sizeof(VerifyLayerResult));
        VerifyResult result;
        json_t *object;

        assert_non_null(layers);
        assert_non_null(results);
        for (size_t i = 0; i < n; i++) {
                (void) snprintf(layers[i].backup_id, sizeof(layers[i].backup_id),
                                "backup-web-17000%05zu", n - i);
                layers[i].problems = json_array();
                layers[i].reachable = true;
                results[i].layer = layers + i;
        }
        assert_int_equal(json_array_append_new(layers[DAMAGED].problems, json_string("rotten")), 0);
        assert_int_equal(verify_result_init(&result), 0);
        assert_int_equal(verify_result_add(&result, 2000, results, n), 0);
        assert_int_equal(verify_result_make(&result, &object), 0);
        verify_result_done(&result);
        for (size_t i = 0; i < n; i++)
                json_decref(layers[i].problems);
        free(results);
        free(layers);
        return object;
}

static json_t *disk_of(const json_t *object)
{
        return json_array_get(json_object_get(object, "disks"), 0);
}

static void test_short(void **state)
{
        json_t *object = make(20), *disk = disk_of(object);

        (void) state;
        assert_int_equal(json_array_size(json_object_get(disk, "layers")), 20);
        assert_null(json_object_get(disk, "lowest"));
        json_decref(object);
}

static void test_long(void **state)
{
        json_t *object = make(LONG_CHAIN), *disk = disk_of(object);
        const json_t *layers = json_object_get(disk, "layers");

        (void) state;
        assert_true(json_dumpb(object, NULL, 0, JSON_COMPACT) < RESULT_SIZE_MAX);
        assert_int_equal(json_array_size(layers), 1);
        assert_string_equal(
                        json_string_value(json_object_get(json_array_get(layers, 0), "verdict")),
                        "damaged");
        assert_int_equal(json_integer_value(json_object_get(disk, "n_layers")), LONG_CHAIN);
        assert_string_equal(json_string_value(json_object_get(disk, "lowest")),
                            "backup-web-1700000001");
        json_decref(object);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_short),
                cmocka_unit_test(test_long),
        };

        return RUN_TESTS(tests);
}
