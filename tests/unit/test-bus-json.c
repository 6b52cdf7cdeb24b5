/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON as dictionaries of the bus: the type of each value, what has no place in them, and depth.
 */
#include "bus/bus-json.h"
#include "cleanup.h"
#include "sealed-message.h"
#include "unit.h"

#include <errno.h>
#include <stdbool.h>

typedef struct Call {
        sd_bus *bus;
        sd_bus_message *message;
} Call;

static Call call_new(void)
{
        Call call;

        assert_int_equal(sealed_message_begin(&call.bus, &call.message), 0);
        return call;
}

static void call_done(Call *call)
{
        sd_bus_message_unref(call->message);
        sd_bus_unref(call->bus);
}

static int append(Call *call, const char *text)
{
        json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
        int r;

        assert_non_null(object);
        r = bus_json_append_dict(call->message, object);
        json_decref(object);
        return r;
}

/* One key: its value's signature on the bus. */
static void expect_type(const char *text, const char *want)
{
        CLEANUP(call_done) Call call = call_new();
        const char *contents, *key;
        char type;

        assert_true(append(&call, text) >= 0);
        assert_true(sealed_message_end(call.message) >= 0);
        assert_true(sd_bus_message_enter_container(call.message, 'a', "{sv}") > 0);
        assert_true(sd_bus_message_enter_container(call.message, 'e', "sv") > 0);
        assert_true(sd_bus_message_read_basic(call.message, 's', &key) > 0);
        assert_true(sd_bus_message_peek_type(call.message, &type, &contents) > 0);
        assert_int_equal(type, 'v');
        assert_string_equal(contents, want);
}

static void types_of_values(void **state)
{
        (void) state;
        expect_type("{\"Name\": \"x\"}", "s");
        expect_type("{\"Id\": 1}", "t");
        expect_type("{\"SizeBytes\": 0}", "t");
        expect_type("{\"Port\": 65535}", "q");
        expect_type("{\"ProcessId\": 4294967295}", "u");
        expect_type("{\"Flag\": true}", "b");
        expect_type("{\"Progress\": 0.5}", "d");
        expect_type("{\"Disks\": 2}", "u");
        expect_type("{\"Disks\": []}", "aa{sv}");
        expect_type("{\"Disks\": [{\"Key\": 2000}]}", "aa{sv}");
        expect_type("{\"Problems\": []}", "as");
        expect_type("{\"Match\": []}", "as");
        expect_type("{\"Except\": []}", "as");
        expect_type("{\"Strays\": [\"/x\"]}", "as");
        expect_type("{\"Nested\": {\"Id\": 1}}", "a{sv}");
}

static void null_is_left_out(void **state)
{
        CLEANUP(call_done) Call call = call_new();

        (void) state;
        assert_true(append(&call, "{\"A\": null}") >= 0);
        assert_true(sealed_message_end(call.message) >= 0);
        assert_true(sd_bus_message_enter_container(call.message, 'a', "{sv}") > 0);
        assert_int_equal(sd_bus_message_at_end(call.message, false), 1);
}

static void expect_refused(const char *text, int want)
{
        CLEANUP(call_done) Call call = call_new();

        assert_int_equal(append(&call, text), want);
}

static void values_without_a_place(void **state)
{
        (void) state;
        expect_refused("{\"Id\": -1}", -EINVAL);
        expect_refused("{\"Port\": 65536}", -EINVAL);
        expect_refused("{\"Key\": 4294967296}", -EINVAL);
        expect_refused("{\"List\": [1]}", -EINVAL);
        expect_refused("{\"Problems\": [1]}", -EINVAL);
        expect_refused("[]", -EINVAL);
        expect_refused("{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}", -E2BIG);
}

static void four_levels_are_allowed(void **state)
{
        CLEANUP(call_done) Call call = call_new();

        (void) state;
        assert_true(append(&call, "{\"a\":{\"b\":{\"c\":{}}}}") >= 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(types_of_values),
                cmocka_unit_test(null_is_left_out),
                cmocka_unit_test(values_without_a_place),
                cmocka_unit_test(four_levels_are_allowed),
        };

        return RUN_TESTS(tests);
}
