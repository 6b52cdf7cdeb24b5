/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of method options (see bus-dict.h). Values are gathered first and handed over at the
 * end, so that a refused call has changed nothing.
 */
#include "bus/bus-dict.h"

#include "bus/bus-error.h"
#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef union OptionValue {
        const char *string;
        int boolean; /* sd-bus reads b as int */
        uint16_t uint16;
        uint32_t uint32;
        uint64_t uint64;
        int fd;
        json_t *json;
} OptionValue;

/* Taken by all methods, and left to another reader; none in most programs. */
static BusOption passed_option = { NULL, BUS_OPTION_STRING, BUS_OPTION_NAME_MAX, NULL, NULL };

static const char option_signatures[BUS_OPTION_TYPE_MAX][6] = {
        [BUS_OPTION_STRING] = "s",        [BUS_OPTION_BOOL] = "b",      [BUS_OPTION_UINT16] = "q",
        [BUS_OPTION_UINT32] = "u",        [BUS_OPTION_UINT64] = "t",    [BUS_OPTION_FD] = "h",
        [BUS_OPTION_KEY_TEXTS] = "a{us}", [BUS_OPTION_PAIRS] = "a{ss}", [BUS_OPTION_NUMBERS] = "au",
        [BUS_OPTION_TEXTS] = "as",
};

static const char *const option_words[BUS_OPTION_TYPE_MAX] = {
        [BUS_OPTION_STRING] = "a string (s)",
        [BUS_OPTION_BOOL] = "a boolean (b)",
        [BUS_OPTION_UINT16] = "a number (q)",
        [BUS_OPTION_UINT32] = "a number (u)",
        [BUS_OPTION_UINT64] = "a number (t)",
        [BUS_OPTION_FD] = "a file descriptor (h)",
        [BUS_OPTION_KEY_TEXTS] = "a dictionary of numbers and texts (a{us})",
        [BUS_OPTION_PAIRS] = "a dictionary of texts and texts (a{ss})",
        [BUS_OPTION_NUMBERS] = "a list of numbers (au)",
        [BUS_OPTION_TEXTS] = "a list of texts (as)",
};

/* A key is the caller's, of any length and content: it is cut, and shown without what could fool a
 * terminal or a log. */
static void name_for_people(const char *name, char ret_text[static BUS_OPTION_NAME_MAX + 4])
{
        size_t n = strnlen(name, BUS_OPTION_NAME_MAX);

        for (size_t i = 0; i < n; i++)
                ret_text[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
        (void) snprintf(ret_text + n, 4, "%s", name[n] ? "..." : "");
}

static int fail_unknown(const char *name, const BusOption *options, size_t n_options,
                        sd_bus_error *error)
{
        char shown[BUS_OPTION_NAME_MAX + 4];
        _cleanup_free_ char *known = NULL;
        size_t size = 0;
        FILE *f;

        name_for_people(name, shown);
        if (n_options == 0)
                return bus_error_setf(error, BUS_ERROR_UNKNOWN_OPTION,
                                      "Unknown option '%s', this method knows none", shown);

        f = open_memstream(&known, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < n_options; i++)
                (void) fprintf(f, "%s%s", i > 0 ? ", " : "", options[i].name);
        if (fclose(f) != 0)
                return -ENOMEM;
        return bus_error_setf(error, BUS_ERROR_UNKNOWN_OPTION,
                              "Unknown option '%s', must be one of %s", shown, known);
}

static int fail_malformed(int r, sd_bus_error *error)
{
        if (r == -ENOMEM)
                return r;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Argument options must be a dictionary a{sv}");
}

static uint64_t number_of(const BusOption *option, const OptionValue *value)
{
        if (option->type == BUS_OPTION_UINT16)
                return value->uint16;
        return option->type == BUS_OPTION_UINT32 ? value->uint32 : value->uint64;
}

static int check_value(const BusOption *option, const OptionValue *value, sd_bus_error *error)
{
        switch (option->type) {
        case BUS_OPTION_STRING:
                if (strnlen(value->string, option->max + 1) > option->max)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Option %s must have %" PRIu64 " bytes at most",
                                              option->name, option->max);
                return 0;
        case BUS_OPTION_UINT16:
        case BUS_OPTION_UINT32:
        case BUS_OPTION_UINT64:
                if (number_of(option, value) > option->max)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Option %s must be %" PRIu64 " at most", option->name,
                                              option->max);
                return 0;
        case BUS_OPTION_BOOL:
        case BUS_OPTION_FD:
        case BUS_OPTION_KEY_TEXTS: /* while it was read */
        case BUS_OPTION_PAIRS:
        case BUS_OPTION_NUMBERS:
        case BUS_OPTION_TEXTS:
                return 0;
        case BUS_OPTION_TYPE_MAX:
        case BUS_OPTION_TYPE_INVALID:
                break;
        }
        return -EINVAL;
}

static int read_key_text(sd_bus_message *message, const BusOption *option, json_t *texts,
                         sd_bus_error *error)
{
        const char *text = "", *key_text = "";
        char number_text[16];
        uint32_t key;
        int r;

        if (option->type == BUS_OPTION_PAIRS)
                r = sd_bus_message_read(message, "{ss}", &key_text, &text);
        else
                r = sd_bus_message_read(message, "{us}", &key, &text);
        if (r < 0)
                return fail_malformed(r, error);
        if (option->type == BUS_OPTION_KEY_TEXTS) {
                (void) snprintf(number_text, sizeof(number_text), "%" PRIu32, key);
                key_text = number_text;
        }
        if (strnlen(key_text, BUS_OPTION_TEXT_MAX + 1) > BUS_OPTION_TEXT_MAX)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s: a key must have %d bytes at most", option->name,
                                      BUS_OPTION_TEXT_MAX);
        if (json_object_get(texts, key_text))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s has the key %s twice", option->name, key_text);
        if (json_object_size(texts) >= option->max)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s must have %" PRIu64 " entries at most",
                                      option->name, option->max);
        if (strnlen(text, BUS_OPTION_TEXT_MAX + 1) > BUS_OPTION_TEXT_MAX)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s: the text of %s must have %d bytes at most",
                                      option->name, key_text, BUS_OPTION_TEXT_MAX);
        return json_object_set_new(texts, key_text, json_string(text)) < 0 ? -ENOMEM : 0;
}

static int read_key_texts(sd_bus_message *message, const BusOption *option, json_t **ret_texts,
                          sd_bus_error *error)
{
        json_t *texts = json_object();
        int r = texts ? sd_bus_message_enter_container(message, 'a',
                                                       option_signatures[option->type] + 1)
                      : -ENOMEM;

        while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0)
                r = read_key_text(message, option, texts, error);
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r >= 0)
                *ret_texts = texts;
        else
                json_decref(texts);
        return r;
}

static bool has_number(const json_t *numbers, uint32_t number)
{
        const json_t *other;
        size_t i;

        json_array_foreach (numbers, i, other)
                if (json_integer_value(other) == (json_int_t) number)
                        return true;
        return false;
}

static int read_number(sd_bus_message *message, const BusOption *option, json_t *numbers,
                       sd_bus_error *error)
{
        uint32_t number;
        int r = sd_bus_message_read_basic(message, 'u', &number);

        if (r < 0)
                return fail_malformed(r, error);
        if (has_number(numbers, number))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s has the number %" PRIu32 " twice", option->name,
                                      number);
        if (json_array_size(numbers) >= option->max)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s must have %" PRIu64 " entries at most",
                                      option->name, option->max);
        return json_array_append_new(numbers, json_integer(number)) < 0 ? -ENOMEM : 0;
}

static int read_text(sd_bus_message *message, const BusOption *option, json_t *texts,
                     sd_bus_error *error)
{
        const char *text;
        int r = sd_bus_message_read_basic(message, 's', &text);

        if (r < 0)
                return fail_malformed(r, error);
        if (strnlen(text, BUS_OPTION_TEXT_MAX + 1) > BUS_OPTION_TEXT_MAX)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s: a text must have %d bytes at most", option->name,
                                      BUS_OPTION_TEXT_MAX);
        if (json_array_size(texts) >= option->max)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s must have %" PRIu64 " entries at most",
                                      option->name, option->max);
        return json_array_append_new(texts, json_string(text)) < 0 ? -ENOMEM : 0;
}

static int read_list(sd_bus_message *message, const BusOption *option, json_t **ret_list,
                     sd_bus_error *error)
{
        bool is_text = option->type == BUS_OPTION_TEXTS;
        json_t *list = json_array();
        int r = list ? sd_bus_message_enter_container(message, 'a', is_text ? "s" : "u") : -ENOMEM;

        while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0)
                r = is_text ? read_text(message, option, list, error)
                            : read_number(message, option, list, error);
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r >= 0)
                *ret_list = list;
        else
                json_decref(list);
        return r;
}

static bool is_json(BusOptionType type)
{
        return type == BUS_OPTION_KEY_TEXTS || type == BUS_OPTION_PAIRS ||
               type == BUS_OPTION_NUMBERS || type == BUS_OPTION_TEXTS;
}

static int read_contents(sd_bus_message *message, const BusOption *option, OptionValue *ret_value,
                         sd_bus_error *error)
{
        if (option->type == BUS_OPTION_KEY_TEXTS || option->type == BUS_OPTION_PAIRS)
                return read_key_texts(message, option, &ret_value->json, error);
        if (is_json(option->type))
                return read_list(message, option, &ret_value->json, error);
        return sd_bus_message_read_basic(message, option_signatures[option->type][0], ret_value);
}

static int read_value(sd_bus_message *message, const BusOption *option, OptionValue *ret_value,
                      sd_bus_error *error)
{
        const char *signature = option_signatures[option->type], *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(message, &type, &contents);
        if (r < 0)
                return fail_malformed(r, error);
        if (type != SD_BUS_TYPE_VARIANT || strcmp(contents, signature) != 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT, "Option %s must be %s",
                                      option->name, option_words[option->type]);

        r = sd_bus_message_enter_container(message, 'v', signature);
        if (r >= 0)
                r = read_contents(message, option, ret_value, error);
        if (r < 0 && sd_bus_error_is_set(error))
                return r;
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r < 0)
                return fail_malformed(r, error);
        return check_value(option, ret_value, error);
}

/* Its place; n_options for the passed one, behind that for none. */
static size_t find_option(const char *name, const BusOption *options, size_t n_options)
{
        for (size_t i = 0; i < n_options; i++)
                if (strcmp(options[i].name, name) == 0)
                        return i;
        return passed_option.name && strcmp(passed_option.name, name) == 0 ? n_options
                                                                           : n_options + 1;
}

/* Reads one key and its value. */
static int read_entry(sd_bus_message *message, const BusOption *options, size_t n_options,
                      OptionValue *values, bool *given, sd_bus_error *error)
{
        const BusOption *option;
        const char *name;
        size_t i;
        int r;

        r = sd_bus_message_read_basic(message, 's', &name);
        if (r < 0)
                return fail_malformed(r, error);

        i = find_option(name, options, n_options);
        if (i > n_options)
                return fail_unknown(name, options, n_options, error);
        option = i < n_options ? options + i : &passed_option;
        if (given[i])
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option %s must be given once", option->name);
        given[i] = true;
        return read_value(message, option, values + i, error);
}

static void hand_over(const BusOption *option, const OptionValue *value)
{
        switch (option->type) {
        case BUS_OPTION_STRING:
                *(const char **) option->target = value->string;
                break;
        case BUS_OPTION_BOOL:
                *(bool *) option->target = value->boolean;
                break;
        case BUS_OPTION_UINT16:
                *(uint16_t *) option->target = value->uint16;
                break;
        case BUS_OPTION_UINT32:
                *(uint32_t *) option->target = value->uint32;
                break;
        case BUS_OPTION_UINT64:
                *(uint64_t *) option->target = value->uint64;
                break;
        case BUS_OPTION_FD:
                *(int *) option->target = value->fd;
                break;
        case BUS_OPTION_KEY_TEXTS:
        case BUS_OPTION_PAIRS:
        case BUS_OPTION_NUMBERS:
        case BUS_OPTION_TEXTS:
                *(json_t **) option->target = value->json;
                break;
        case BUS_OPTION_TYPE_MAX:
        case BUS_OPTION_TYPE_INVALID:
                break;
        }
        if (option->is_given)
                *option->is_given = true;
}

/* Fills values and given, also when it fails in the middle. */
static int read_all(sd_bus_message *message, const BusOption *options, size_t n_options,
                    OptionValue *values, bool *given, sd_bus_error *error)
{
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r <= 0)
                return fail_malformed(r, error);
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = read_entry(message, options, n_options, values, given, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return fail_malformed(r, error);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        return r < 0 ? fail_malformed(r, error) : 0;
}

int bus_options_read(sd_bus_message *message, const BusOption *options, size_t n_options,
                     sd_bus_error *error)
{
        OptionValue values[BUS_OPTIONS_MAX + 1] = {}; /* the last may be the passed one */
        bool given[BUS_OPTIONS_MAX + 1] = {};
        int r;

        if (n_options > BUS_OPTIONS_MAX)
                return -E2BIG;
        r = read_all(message, options, n_options, values, given, error);
        for (size_t i = 0; i < n_options; i++)
                if (r >= 0 && given[i])
                        hand_over(options + i, values + i);
                else if (is_json(options[i].type))
                        json_decref(values[i].json);
        return r;
}

int bus_options_none(sd_bus_message *message, sd_bus_error *error)
{
        return bus_options_read(message, NULL, 0, error);
}

void bus_options_pass(const char *name)
{
        passed_option.name = name;
}

/* The reader stands at the dictionary. */
static int find_passed(sd_bus_message *message, const char **ret_text)
{
        const char *name;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(message, 's', &name);
                if (r >= 0 && strcmp(name, passed_option.name) == 0)
                        return sd_bus_message_read(message, "v", "s", ret_text);
                if (r >= 0)
                        r = sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        return r;
}

int bus_options_passed(sd_bus_message *message, const char **ret_text)
{
        size_t options = SIZE_MAX; /* the last dictionary: others are arguments */
        const char *contents;
        char type;
        int r;

        *ret_text = NULL;
        if (!passed_option.name)
                return 0;
        r = sd_bus_message_rewind(message, true);
        for (size_t i = 0; r >= 0 && (r = sd_bus_message_peek_type(message, &type, &contents)) > 0;
             i++) {
                if (type == SD_BUS_TYPE_ARRAY && strcmp(contents, "{sv}") == 0)
                        options = i;
                r = sd_bus_message_skip(message, NULL);
        }
        if (r < 0 || options == SIZE_MAX)
                return r < 0 ? r : 0;
        r = sd_bus_message_rewind(message, true);
        for (size_t i = 0; r >= 0 && i < options; i++)
                r = sd_bus_message_skip(message, NULL);
        if (r >= 0)
                r = find_passed(message, ret_text);
        return r < 0 ? r : 0;
}
