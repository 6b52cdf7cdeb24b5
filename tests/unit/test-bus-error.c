/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/bus/bus-error: the table both ways, and that sd-bus knows it.
 */
#include "unit.h"

#include "bus/bus-error.h"

#include <errno.h>
#include <string.h>

static void table_both_ways(void **state)
{
        unsigned n = 0;

        (void) state;
        for (const char *name; (name = bus_error_name(n)); n++) {
                int error = bus_error_to_errno(name);

                assert_true(error < 0 && error != -EIO);
                assert_string_equal(bus_error_from_errno(error),
                                    name); /* so each errno is unique */
                assert_true(strlen(bus_error_sentence(name)) > 10);
                if (strcmp(name, BUS_ERROR_ACCESS_DENIED) != 0)
                        assert_memory_equal(name, "com.sendense.Error.", 19);
        }
        assert_int_equal(n, 48);
        assert_int_equal(bus_error_to_errno("com.sendense.Error.Nonsense"), -EIO);
        assert_int_equal(bus_error_to_errno(""), -EIO);
        assert_null(bus_error_from_errno(-EIO));
        assert_null(bus_error_from_errno(0));
        assert_null(bus_error_sentence("com.sendense.Error.Nonsense"));
        assert_string_equal(BUS_ERROR_ACCESS_DENIED, "org.freedesktop.DBus.Error.AccessDenied");
}

/* What needs a hand is never tried again: a wrong password would lock the account. */
static void what_passes(void **state)
{
        (void) state;
        assert_true(bus_error_passes(BUS_ERROR_NODE_UNREACHABLE));
        assert_true(bus_error_passes(BUS_ERROR_COPY_FAILED));
        assert_false(bus_error_passes(BUS_ERROR_VCENTER_LOGIN));
        assert_false(bus_error_passes(BUS_ERROR_CERTIFICATE_CHANGED));
        assert_false(bus_error_passes(BUS_ERROR_REPOSITORY_FULL));
        assert_false(bus_error_passes(BUS_ERROR_CANCELLED));
        assert_false(bus_error_passes(BUS_ERROR_FAILED));
        assert_false(bus_error_passes(""));
}

static void filled(void **state)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        (void) state;
        assert_int_equal(bus_error_setf(&error, BUS_ERROR_BUSY, "%s %i", "job", 5), -EBUSY);
        assert_string_equal(error.name, BUS_ERROR_BUSY);
        assert_string_equal(error.message, "job 5");
        sd_bus_error_free(&error);
        assert_int_equal(bus_error_setf(NULL, BUS_ERROR_NOT_FOUND, "x"), -ENOENT);
        assert_int_equal(bus_error_setf(&error, "com.sendense.Error.Nonsense", "x"), -EIO);
        sd_bus_error_free(&error);
}

/* A name that is cut may end within a character, and what is no text is no message. */
static void cut_names(void **state)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        (void) state;
        assert_int_equal(bus_error_setf(&error, BUS_ERROR_NOT_FOUND, "There is no '%.4s'",
                                        "a\u00e4\u00e4"),
                         -ENOENT);
        assert_string_equal(error.message, "There is no 'a\u00e4?'");
        sd_bus_error_free(&error);
}

static void known_to_sd_bus(void **state)
{
        (void) state;
        assert_int_equal(bus_error_register(), 0);
        assert_int_equal(bus_error_register(), 0);
        for (unsigned i = 0; bus_error_name(i); i++) {
                sd_bus_error error = SD_BUS_ERROR_NULL;
                int want = bus_error_to_errno(bus_error_name(i));

                assert_int_equal(sd_bus_error_set(&error, bus_error_name(i), "x"), want);
                assert_int_equal(sd_bus_error_get_errno(&error), -want);
                sd_bus_error_free(&error);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(table_both_ways), cmocka_unit_test(what_passes),
                cmocka_unit_test(filled),          cmocka_unit_test(cut_names),
                cmocka_unit_test(known_to_sd_bus),
        };

        return RUN_TESTS(tests);
}
