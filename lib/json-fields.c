/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table reader (see json-fields.h).
 */
#include "json-fields.h"

#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

int json_fields_refuse(char ret_error[static JSON_FIELDS_ERROR_SIZE], const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(ret_error, JSON_FIELDS_ERROR_SIZE, format, ap);
        va_end(ap);

        /* A key is anything, and may have been cut in the middle of a character. */
        utf8_make_valid(ret_error);
        for (char *c = ret_error; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        *c = '?';
        return -EBADMSG;
}

static size_t count_characters(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += ((unsigned char) *text & 0xc0) != 0x80;
        return n;
}

static const char *kind_to_string(JsonFieldKind kind)
{
        static const char *const names[] = {
                [JSON_FIELD_TEXT] = "a text",        [JSON_FIELD_NUMBER] = "an integer",
                [JSON_FIELD_OBJECT] = "an object",   [JSON_FIELD_ARRAY] = "an array",
                [JSON_FIELD_BOOL] = "true or false",
        };

        return names[kind];
}

static bool kind_is(JsonFieldKind kind, const json_t *value)
{
        switch (kind) {
        case JSON_FIELD_TEXT:
                return json_is_string(value);
        case JSON_FIELD_NUMBER:
                return json_is_integer(value);
        case JSON_FIELD_OBJECT:
                return json_is_object(value);
        case JSON_FIELD_ARRAY:
                return json_is_array(value);
        case JSON_FIELD_BOOL:
                return json_is_boolean(value);
        }
        return false;
}

static int check_bounds(const JsonField *field, const json_t *value, const char *where, char *error)
{
        json_int_t number = json_integer_value(value);
        size_t n;

        if (field->kind == JSON_FIELD_NUMBER) {
                if (number >= 0 && (uint64_t) number >= field->min &&
                    (uint64_t) number <= field->max)
                        return 0;
                return json_fields_refuse(error,
                                          "%s: %s is %" JSON_INTEGER_FORMAT ", must be %" PRIu64
                                          " to %" PRIu64,
                                          where, field->key, number, field->min, field->max);
        }
        if (field->kind == JSON_FIELD_OBJECT || field->kind == JSON_FIELD_BOOL)
                return 0;

        n = field->kind == JSON_FIELD_ARRAY ? json_array_size(value)
                                            : count_characters(json_string_value(value));
        if (n < field->min || n > field->max)
                return json_fields_refuse(
                                error, "%s: %s has %zu %s, must have %" PRIu64 " to %" PRIu64,
                                where, field->key, n,
                                field->kind == JSON_FIELD_ARRAY ? "elements" : "characters",
                                field->min, field->max);
        if (field->is_valid && !field->is_valid(json_string_value(value)))
                return json_fields_refuse(error, "%s: %s \"%.100s\" must be %s", where, field->key,
                                          json_string_value(value), field->must);
        return 0;
}

static const JsonField *find_field(const JsonField *fields, size_t n_fields, const char *key)
{
        for (size_t i = 0; i < n_fields; i++)
                if (strcmp(fields[i].key, key) == 0)
                        return fields + i;
        return NULL;
}

int json_fields_check(const json_t *object, const JsonField *fields, size_t n_fields,
                      const char *where, char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        const char *key;
        json_t *value;
        int r;

        if (!json_is_object(object))
                return json_fields_refuse(ret_error, "%s is no object", where);
        for (size_t i = 0; i < n_fields; i++)
                if (!fields[i].optional && !json_object_get(object, fields[i].key))
                        return json_fields_refuse(ret_error, "%s: %s is missing", where,
                                                  fields[i].key);

        /* jansson's iterators want an object that is not const; it is not changed. */
        json_object_foreach ((json_t *) object, key, value) {
                const JsonField *field = find_field(fields, n_fields, key);

                if (!field)
                        return json_fields_refuse(ret_error, "%s: the member \"%s\" is unknown",
                                                  where, key);
                if (!kind_is(field->kind, value))
                        return json_fields_refuse(ret_error, "%s: %s must be %s", where, key,
                                                  kind_to_string(field->kind));
                r = check_bounds(field, value, where, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

const char *json_field_text(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

uint64_t json_field_number(const json_t *object, const char *key)
{
        json_int_t number = json_integer_value(json_object_get(object, key));

        return number > 0 ? (uint64_t) number : 0;
}

bool json_field_bool(const json_t *object, const char *key)
{
        return json_is_true(json_object_get(object, key));
}

json_t *json_text_made_valid(const char *text)
{
        _cleanup_free_ char *copy = strdup(text);

        if (!copy)
                return NULL;
        utf8_make_valid(copy);
        return json_string(copy);
}
