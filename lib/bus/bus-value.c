/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generic reader of answers on the bus (see bus/bus-value.h).
 */
#include "bus/bus-value.h"

#include "cleanup.h"
#include "json-cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
        VALUE_DEPTH_MAX = 10, /* a list of objects in an object of a list takes six */
};

static int read_value(sd_bus_message *message, unsigned depth, json_t **ret_value);

static int read_basic(sd_bus_message *message, char type, json_t **ret_value)
{
        union {
                const char *string;
                int boolean;
                uint8_t uint8;
                int16_t int16;
                uint16_t uint16;
                int32_t int32;
                uint32_t uint32;
                int64_t int64;
                uint64_t uint64;
                double real;
        } value;
        int r;

        if (!strchr("sogbynqiuxtd", type))
                return -EOPNOTSUPP;
        r = sd_bus_message_read_basic(message, type, &value);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;

        if (strchr("sog", type))
                *ret_value = json_string(value.string);
        else if (type == 'b')
                *ret_value = json_boolean(value.boolean);
        else if (type == 'd')
                *ret_value = json_real(value.real); /* none for what is no number */
        else if (type == 't')
                *ret_value = value.uint64 > INT64_MAX ? NULL
                                                      : json_integer((json_int_t) value.uint64);
        else
                *ret_value = json_integer(type == 'y'   ? value.uint8
                                          : type == 'n' ? value.int16
                                          : type == 'q' ? value.uint16
                                          : type == 'i' ? value.int32
                                          : type == 'u' ? value.uint32
                                                        : value.int64);
        return *ret_value ? 0 : -ERANGE;
}

/* A structure or an array, already entered. */
static int read_list(sd_bus_message *message, unsigned depth, json_t **ret_list)
{
        CLEANUP(json_decref_p) json_t *list = json_array();
        int r = list ? 0 : -ENOMEM;

        while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0) {
                json_t *value = NULL;

                r = read_value(message, depth + 1, &value);
                if (r >= 0)
                        r = json_array_append_new(list, value) < 0 ? -ENOMEM : 0;
        }
        if (r < 0)
                return r;
        *ret_list = TAKE(list);
        return 0;
}

/* A dictionary, already entered; its entries are of the type in entry, without the braces. */
static int read_object(sd_bus_message *message, const char *entry, unsigned depth,
                       json_t **ret_object)
{
        CLEANUP(json_decref_p) json_t *object = json_object();
        int r = object ? 0 : -ENOMEM;

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', entry)) > 0) {
                json_t *value = NULL;
                const char *key;

                r = sd_bus_message_read_basic(message, 's', &key);
                if (r >= 0)
                        r = read_value(message, depth + 1, &value);
                if (r >= 0)
                        r = json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r < 0)
                return r;
        *ret_object = TAKE(object);
        return 0;
}

static int read_container(sd_bus_message *message, char type, const char *contents, unsigned depth,
                          json_t **ret_value)
{
        _cleanup_free_ char *entry = NULL;
        CLEANUP(json_decref_p) json_t *value = NULL;
        int r;

        if (type == SD_BUS_TYPE_ARRAY && contents[0] == '{' && contents[1] == 's') {
                entry = strndup(contents + 1, strlen(contents) - 2);
                if (!entry)
                        return -ENOMEM;
        }
        r = sd_bus_message_enter_container(message, type, contents);
        if (r < 0)
                return r;
        if (entry)
                r = read_object(message, entry, depth, &value);
        else if (type == SD_BUS_TYPE_VARIANT)
                r = read_value(message, depth + 1, &value);
        else
                r = read_list(message, depth, &value);
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r < 0)
                return r;
        *ret_value = TAKE(value);
        return 0;
}

static int read_value(sd_bus_message *message, unsigned depth, json_t **ret_value)
{
        const char *contents;
        char type;
        int r;

        if (depth > VALUE_DEPTH_MAX)
                return -EOPNOTSUPP;
        r = sd_bus_message_peek_type(message, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type == SD_BUS_TYPE_STRUCT || type == SD_BUS_TYPE_ARRAY || type == SD_BUS_TYPE_VARIANT)
                return read_container(message, type, contents, depth, ret_value);
        return read_basic(message, type, ret_value);
}

int bus_value_read(sd_bus_message *message, json_t **ret_value)
{
        return read_value(message, 0, ret_value);
}
