/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/bus/bus-dict: options of each type, and every refusal with its exact words.
 */
#include "unit.h"

#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "sealed-message.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct Options {
        const char *name;
        bool force;
        uint16_t tiny;
        uint32_t small;
        uint64_t large;
        int fd;
        bool force_given, fd_given;
} Options;

static const Options untouched = { "untouched", true, 76, 77, 78, 79, false, false };

static void expect_untouched(const Options *options)
{
        assert_string_equal(options->name, untouched.name);
        assert_true(options->force);
        assert_int_equal(options->tiny, untouched.tiny);
        assert_int_equal(options->small, untouched.small);
        assert_int_equal(options->large, untouched.large);
        assert_int_equal(options->fd, untouched.fd);
        assert_false(options->force_given || options->fd_given);
}

static int read_options(sd_bus_message *message, Options *options, sd_bus_error *error)
{
        const BusOption table[] = {
                { "name", BUS_OPTION_STRING, 8, &options->name, NULL },
                { "force", BUS_OPTION_BOOL, 0, &options->force, &options->force_given },
                { "tiny", BUS_OPTION_UINT16, 9, &options->tiny, NULL },
                { "small", BUS_OPTION_UINT32, 10, &options->small, NULL },
                { "large", BUS_OPTION_UINT64, UINT64_MAX - 1, &options->large, NULL },
                { "fd", BUS_OPTION_FD, 0, &options->fd, &options->fd_given },
        };

        return bus_options_read(message, table, ELEMENTSOF(table), error);
}

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

#define APPEND(...) assert_true(sd_bus_message_append(call.message, __VA_ARGS__) >= 0)

static void expect_refused(Call *call, const char *name, const char *want)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Options options = untouched;

        assert_true(sealed_message_end(call->message) >= 0);
        assert_int_equal(read_options(call->message, &options, &error), bus_error_to_errno(name));
        assert_string_equal(error.name, name);
        assert_string_equal(error.message, want);
        expect_untouched(&options);
}

static void all_types(void **state)
{
        CLEANUP(call_done) Call call = call_new();
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        Options options = untouched;

        (void) state;
        APPEND("a{sv}", 6, "large", "t", UINT64_MAX - 1, "name", "s", "12345678", "force", "b", 0,
               "small", "u", 10, "fd", "h", fd, "tiny", "q", 9);
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(read_options(call.message, &options, &error), 0);
        assert_string_equal(options.name, "12345678");
        assert_false(options.force);
        assert_true(options.force_given);
        assert_int_equal(options.tiny, 9);
        assert_int_equal(options.small, 10);
        assert_true(options.large == UINT64_MAX - 1);
        assert_true(options.fd >= 0 && options.fd != 79);
        assert_true(options.fd_given);
        assert_int_equal(sd_bus_message_at_end(call.message, true), 1);
}

static void none_given(void **state)
{
        CLEANUP(call_done) Call call = call_new();
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Options options = untouched;

        (void) state;
        APPEND("sa{sv}", "before", 0);
        assert_true(sealed_message_end(call.message) >= 0);
        assert_true(sd_bus_message_skip(call.message, "s") >= 0);
        assert_int_equal(read_options(call.message, &options, &error), 0);
        expect_untouched(&options);
}

static void unknown(void **state)
{
        CLEANUP(call_done) Call call = call_new(), second = call_new();
        _cleanup_free_ char *key64 = unit_repeat('k', 64), *key65 = unit_repeat('k', 65),
                            *want = NULL;

        (void) state;
        APPEND("a{sv}", 2, "small", "u", 1, "x\n\x1b", "s", "v");
        expect_refused(&call, BUS_ERROR_UNKNOWN_OPTION,
                       "Unknown option 'x?\?', must be one of name, force, tiny, small, large, fd");

        call_done(&call);
        call = call_new();
        APPEND("a{sv}", 1, key64, "s", "v");
        assert_true(asprintf(&want,
                             "Unknown option '%s', must be one of name, force, tiny, small, "
                             "large, fd",
                             key64) > 0);
        expect_refused(&call, BUS_ERROR_UNKNOWN_OPTION, want);
        free(TAKE(want));
        assert_true(sd_bus_message_append(second.message, "a{sv}", 1, key65, "s", "v") >= 0);
        assert_true(asprintf(&want,
                             "Unknown option '%s...', must be one of name, force, tiny, small, "
                             "large, fd",
                             key64) > 0);
        expect_refused(&second, BUS_ERROR_UNKNOWN_OPTION, want);
}

static void repeated(void **state)
{
        CLEANUP(call_done) Call call = call_new();

        (void) state;
        APPEND("a{sv}", 2, "small", "u", 1, "small", "u", 2);
        expect_refused(&call, BUS_ERROR_INVALID_ARGUMENT, "Option small must be given once");
}

static void wrong_types(void **state)
{
        static const struct {
                const char *key, *type, *want;
        } wrong[] = {
                { "name", "u", "Option name must be a string (s)" },
                { "name", "o", "Option name must be a string (s)" },
                { "force", "u", "Option force must be a boolean (b)" },
                { "small", "t", "Option small must be a number (u)" },
                { "small", "i", "Option small must be a number (u)" },
                { "large", "u", "Option large must be a number (t)" },
                { "fd", "u", "Option fd must be a file descriptor (h)" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                CLEANUP(call_done) Call call = call_new();

                if (*wrong[i].type == 'o')
                        APPEND("a{sv}", 1, wrong[i].key, "o", "/a");
                else if (*wrong[i].type == 't')
                        APPEND("a{sv}", 1, wrong[i].key, "t", UINT64_C(1));
                else
                        APPEND("a{sv}", 1, wrong[i].key, wrong[i].type, 1);
                expect_refused(&call, BUS_ERROR_INVALID_ARGUMENT, wrong[i].want);
        }
}

static void wrong_containers(void **state)
{
        static const char *const signatures[] = { "as", "a{ss}", "s", "a{sa{sv}}" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(signatures); i++) {
                CLEANUP(call_done) Call call = call_new();

                if (*signatures[i] == 's')
                        APPEND("s", "text");
                else
                        APPEND(signatures[i], 0);
                expect_refused(&call, BUS_ERROR_INVALID_ARGUMENT,
                               "Argument options must be a dictionary a{sv}");
        }
}

static void missing_container(void **state)
{
        CLEANUP(call_done) Call call = call_new();

        (void) state;
        expect_refused(&call, BUS_ERROR_INVALID_ARGUMENT,
                       "Argument options must be a dictionary a{sv}");
}

static void too_much(void **state)
{
        CLEANUP(call_done)
        Call name = call_new(), small = call_new(), large = call_new(), tiny = call_new();

        (void) state;
        assert_true(sd_bus_message_append(name.message, "a{sv}", 1, "name", "s", "123456789") >= 0);
        expect_refused(&name, BUS_ERROR_INVALID_ARGUMENT, "Option name must have 8 bytes at most");
        assert_true(sd_bus_message_append(small.message, "a{sv}", 1, "small", "u", 11) >= 0);
        expect_refused(&small, BUS_ERROR_INVALID_ARGUMENT, "Option small must be 10 at most");
        assert_true(sd_bus_message_append(tiny.message, "a{sv}", 1, "tiny", "q", 10) >= 0);
        expect_refused(&tiny, BUS_ERROR_INVALID_ARGUMENT, "Option tiny must be 9 at most");
        assert_true(sd_bus_message_append(large.message, "a{sv}", 1, "large", "t", UINT64_MAX) >=
                    0);
        expect_refused(&large, BUS_ERROR_INVALID_ARGUMENT,
                       "Option large must be 18446744073709551614 at most");
}

static void no_options_known(void **state)
{
        CLEANUP(call_done) Call call = call_new(), empty = call_new();
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        (void) state;
        APPEND("a{sv}", 1, "name", "s", "x");
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(bus_options_none(call.message, &error), -ENOPROTOOPT);
        assert_string_equal(error.name, BUS_ERROR_UNKNOWN_OPTION);
        assert_string_equal(error.message, "Unknown option 'name', this method knows none");
        sd_bus_error_free(&error);

        assert_true(sd_bus_message_append(empty.message, "a{sv}", 0) >= 0);
        assert_true(sealed_message_end(empty.message) >= 0);
        assert_int_equal(bus_options_none(empty.message, &error), 0);
}

static int read_texts(sd_bus_message *message, json_t **texts, sd_bus_error *error)
{
        uint32_t small = 0;
        const BusOption table[] = {
                { "small", BUS_OPTION_UINT32, 10, &small, NULL },
                { "texts", BUS_OPTION_KEY_TEXTS, 2, texts, NULL },
        };

        return bus_options_read(message, table, ELEMENTSOF(table), error);
}

static void key_texts(void **state)
{
        CLEANUP(call_done) Call call = call_new();
        json_t *texts = NULL;

        (void) state;
        APPEND("a{sv}", 1, "texts", "a{us}", 2, 2000, "a", UINT32_MAX, "");
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(read_texts(call.message, &texts, NULL), 0);
        assert_int_equal(json_object_size(texts), 2);
        assert_string_equal(json_string_value(json_object_get(texts, "2000")), "a");
        assert_string_equal(json_string_value(json_object_get(texts, "4294967295")), "");
        json_decref(texts);
}

static int read_pairs(sd_bus_message *message, json_t **texts, sd_bus_error *error)
{
        const BusOption table[] = { { "texts", BUS_OPTION_PAIRS, 2, texts, NULL } };

        return bus_options_read(message, table, ELEMENTSOF(table), error);
}

static void pairs(void **state)
{
        CLEANUP(call_done) Call call = call_new(), twice = call_new(), many = call_new();
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        json_t *texts = NULL;

        (void) state;
        APPEND("a{sv}", 1, "texts", "a{ss}", 2, "VM Network", "DR", "x=y", "");
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(read_pairs(call.message, &texts, NULL), 0);
        assert_int_equal(json_object_size(texts), 2);
        assert_string_equal(json_string_value(json_object_get(texts, "VM Network")), "DR");
        json_decref(texts);
        texts = NULL;
        assert_true(sd_bus_message_append(twice.message, "a{sv}", 1, "texts", "a{ss}", 2, "a", "b",
                                          "a", "c") >= 0);
        assert_true(sealed_message_end(twice.message) >= 0);
        assert_int_equal(read_pairs(twice.message, &texts, &error), -EINVAL);
        assert_string_equal(error.message, "Option texts has the key a twice");
        sd_bus_error_free(&error);
        assert_true(sd_bus_message_append(many.message, "a{sv}", 1, "texts", "a{ss}", 3, "a", "b",
                                          "b", "c", "c", "d") >= 0);
        assert_true(sealed_message_end(many.message) >= 0);
        assert_int_equal(read_pairs(many.message, &texts, &error), -EINVAL);
        assert_string_equal(error.message, "Option texts must have 2 entries at most");
        assert_null(texts);
}

static void expect_texts_refused(Call *call, const char *want)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        json_t *texts = NULL;

        assert_true(sealed_message_end(call->message) >= 0);
        assert_int_equal(read_texts(call->message, &texts, &error), -EINVAL);
        assert_string_equal(error.message, want);
        assert_null(texts);
}

/* What was read of the texts before the fault is freed: the sanitizers look. */
static void bad_key_texts(void **state)
{
        CLEANUP(call_done)
        Call call = call_new(), twice = call_new(), many = call_new(), other = call_new(),
             later = call_new();
        _cleanup_free_ char *text1024 = unit_repeat('t', BUS_OPTION_TEXT_MAX),
                            *text1025 = unit_repeat('t', BUS_OPTION_TEXT_MAX + 1);

        (void) state;
        APPEND("a{sv}", 1, "texts", "a{us}", 2, 1, text1024, 2, text1025);
        expect_texts_refused(&call, "Option texts: the text of 2 must have 1024 bytes at most");
        assert_true(sd_bus_message_append(twice.message, "a{sv}", 1, "texts", "a{us}", 2, 7, "a", 7,
                                          "b") >= 0);
        expect_texts_refused(&twice, "Option texts has the key 7 twice");
        assert_true(sd_bus_message_append(many.message, "a{sv}", 1, "texts", "a{us}", 3, 1, "a", 2,
                                          "b", 3, "c") >= 0);
        expect_texts_refused(&many, "Option texts must have 2 entries at most");
        assert_true(sd_bus_message_append(other.message, "a{sv}", 1, "texts", "a{ss}", 1, "1",
                                          "a") >= 0);
        expect_texts_refused(&other,
                             "Option texts must be a dictionary of numbers and texts (a{us})");
        assert_true(sd_bus_message_append(later.message, "a{sv}", 2, "texts", "a{us}", 1, 1, "a",
                                          "small", "u", 11) >= 0);
        expect_texts_refused(&later, "Option small must be 10 at most");
}

static int read_numbers(sd_bus_message *message, json_t **numbers, sd_bus_error *error)
{
        uint32_t small = 0;
        const BusOption table[] = {
                { "small", BUS_OPTION_UINT32, 10, &small, NULL },
                { "numbers", BUS_OPTION_NUMBERS, 2, numbers, NULL },
        };

        return bus_options_read(message, table, ELEMENTSOF(table), error);
}

static void numbers(void **state)
{
        CLEANUP(call_done) Call call = call_new();
        json_t *list = NULL;

        (void) state;
        APPEND("a{sv}", 1, "numbers", "au", 2, 2000, UINT32_MAX);
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(read_numbers(call.message, &list, NULL), 0);
        assert_int_equal(json_array_size(list), 2);
        assert_int_equal(json_integer_value(json_array_get(list, 0)), 2000);
        assert_true(json_integer_value(json_array_get(list, 1)) == UINT32_MAX);
        json_decref(list);
}

static void expect_numbers_refused(Call *call, const char *want)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        json_t *list = NULL;

        assert_true(sealed_message_end(call->message) >= 0);
        assert_int_equal(read_numbers(call->message, &list, &error), -EINVAL);
        assert_string_equal(error.message, want);
        assert_null(list);
}

static void bad_numbers(void **state)
{
        CLEANUP(call_done)
        Call twice = call_new(), many = call_new(), other = call_new(), later = call_new();

        (void) state;
        assert_true(sd_bus_message_append(twice.message, "a{sv}", 1, "numbers", "au", 2, 7, 7) >=
                    0);
        expect_numbers_refused(&twice, "Option numbers has the number 7 twice");
        assert_true(sd_bus_message_append(many.message, "a{sv}", 1, "numbers", "au", 3, 1, 2, 3) >=
                    0);
        expect_numbers_refused(&many, "Option numbers must have 2 entries at most");
        assert_true(sd_bus_message_append(other.message, "a{sv}", 1, "numbers", "as", 1, "1") >= 0);
        expect_numbers_refused(&other, "Option numbers must be a list of numbers (au)");
        assert_true(sd_bus_message_append(later.message, "a{sv}", 2, "numbers", "au", 1, 1, "small",
                                          "u", 11) >= 0);
        expect_numbers_refused(&later, "Option small must be 10 at most");
}

static int read_text_list(sd_bus_message *message, json_t **texts, sd_bus_error *error)
{
        const BusOption table[] = { { "texts", BUS_OPTION_TEXTS, 2, texts, NULL } };

        return bus_options_read(message, table, ELEMENTSOF(table), error);
}

static void expect_text_list_refused(Call *call, const char *want)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        json_t *list = NULL;

        assert_true(sealed_message_end(call->message) >= 0);
        assert_int_equal(read_text_list(call->message, &list, &error), -EINVAL);
        assert_string_equal(error.message, want);
        assert_null(list);
}

static void list_of_texts(void **state)
{
        CLEANUP(call_done)
        Call call = call_new(), many = call_new(), other = call_new(), long_one = call_new();
        static char text[BUS_OPTION_TEXT_MAX + 2];
        json_t *list = NULL;

        (void) state;
        APPEND("a{sv}", 1, "texts", "as", 2, "web*", "web*");
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(read_text_list(call.message, &list, NULL), 0);
        assert_int_equal(json_array_size(list), 2);
        assert_string_equal(json_string_value(json_array_get(list, 1)), "web*");
        json_decref(list);
        assert_true(sd_bus_message_append(many.message, "a{sv}", 1, "texts", "as", 3, "a", "b",
                                          "c") >= 0);
        expect_text_list_refused(&many, "Option texts must have 2 entries at most");
        assert_true(sd_bus_message_append(other.message, "a{sv}", 1, "texts", "au", 1, 1) >= 0);
        expect_text_list_refused(&other, "Option texts must be a list of texts (as)");
        memset(text, 'x', BUS_OPTION_TEXT_MAX + 1);
        assert_true(sd_bus_message_append(long_one.message, "a{sv}", 1, "texts", "as", 1, text) >=
                    0);
        expect_text_list_refused(&long_one, "Option texts: a text must have 1024 bytes at most");
}

static void table_too_long(void **state)
{
        CLEANUP(call_done) Call call = call_new();
        BusOption table[BUS_OPTIONS_MAX + 1];
        char names[BUS_OPTIONS_MAX + 1][8];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                (void) snprintf(names[i], sizeof(names[i]), "o%zu", i);
                table[i] = (BusOption){ .name = names[i], .type = BUS_OPTION_BOOL };
        }
        APPEND("a{sv}", 0);
        assert_true(sealed_message_end(call.message) >= 0);
        assert_int_equal(bus_options_read(call.message, table, BUS_OPTIONS_MAX + 1, NULL), -E2BIG);
        assert_int_equal(bus_options_read(call.message, table, BUS_OPTIONS_MAX, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_types),         cmocka_unit_test(none_given),
                cmocka_unit_test(unknown),           cmocka_unit_test(repeated),
                cmocka_unit_test(wrong_types),       cmocka_unit_test(wrong_containers),
                cmocka_unit_test(missing_container), cmocka_unit_test(too_much),
                cmocka_unit_test(no_options_known),  cmocka_unit_test(table_too_long),
                cmocka_unit_test(key_texts),         cmocka_unit_test(bad_key_texts),
                cmocka_unit_test(numbers),           cmocka_unit_test(bad_numbers),
                cmocka_unit_test(list_of_texts),     cmocka_unit_test(pairs),
        };

        return RUN_TESTS(tests);
}
