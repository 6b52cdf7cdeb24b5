/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON to D-Bus (see bus-json.h). The type of an integer is part of our API, so it hangs on the name of
 * its key and never on its value.
 */
#include "bus/bus-json.h"

#include "cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
        DEPTH_MAX = 4,
};

static const struct {
        const char *key;
        char type;
} narrow_integers[] = {
        { "Attempt", 'u' },   { "Attempts", 'u' },    { "Disks", 'u' },
        { "DiskKey", 'u' },   { "Key", 'u' },         { "Port", 'q' },
        { "ProcessId", 'u' }, { "ReversePort", 'q' }, { "UnitNumber", 'u' },
};

/* Lists of texts; all other arrays are lists of dictionaries, the empty ones too. */
static const char *const text_lists[] = {
        "Except", "KeptFiles", "Match", "Problems", "Roles", "Strays", "Warnings",
};

static int append_dict(sd_bus_message *m, const json_t *object, unsigned depth);

static char integer_type(const char *key)
{
        for (size_t i = 0; i < ELEMENTSOF(narrow_integers); i++)
                if (strcmp(narrow_integers[i].key, key) == 0)
                        return narrow_integers[i].type;
        return 't';
}

static int append_integer(sd_bus_message *m, const char *key, json_int_t value)
{
        if (value < 0)
                return -EINVAL;
        switch (integer_type(key)) {
        case 'q':
                return value > UINT16_MAX ? -EINVAL
                                          : sd_bus_message_append(m, "v", "q", (uint16_t) value);
        case 'u':
                return value > UINT32_MAX ? -EINVAL
                                          : sd_bus_message_append(m, "v", "u", (uint32_t) value);
        default:
                return sd_bus_message_append(m, "v", "t", (uint64_t) value);
        }
}

int bus_json_append_texts(sd_bus_message *message, const json_t *array)
{
        const json_t *text;
        size_t i;
        int r;

        r = sd_bus_message_open_container(message, 'a', "s");
        json_array_foreach (array, i, text) {
                if (r >= 0 && !json_is_string(text))
                        return -EINVAL;
                if (r >= 0)
                        r = sd_bus_message_append(message, "s", json_string_value(text));
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_dicts(sd_bus_message *m, const json_t *array, unsigned depth)
{
        const json_t *object;
        size_t i;
        int r;

        r = sd_bus_message_open_container(m, 'a', "a{sv}");
        json_array_foreach (array, i, object)
                if (r >= 0)
                        r = append_dict(m, object, depth);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_array(sd_bus_message *m, const char *key, const json_t *array, unsigned depth)
{
        bool is_texts = false;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(text_lists); i++)
                is_texts = is_texts || strcmp(text_lists[i], key) == 0;
        r = sd_bus_message_open_container(m, 'v', is_texts ? "as" : "aa{sv}");
        if (r >= 0)
                r = is_texts ? bus_json_append_texts(m, array) : append_dicts(m, array, depth);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_variant(sd_bus_message *m, const char *key, const json_t *value, unsigned depth)
{
        int r;

        switch (json_typeof(value)) {
        case JSON_STRING:
                return sd_bus_message_append(m, "v", "s", json_string_value(value));
        case JSON_INTEGER:
                return append_integer(m, key, json_integer_value(value));
        case JSON_REAL:
                return sd_bus_message_append(m, "v", "d", json_real_value(value));
        case JSON_TRUE:
        case JSON_FALSE:
                return sd_bus_message_append(m, "v", "b", (int) json_is_true(value));
        case JSON_ARRAY:
                return append_array(m, key, value, depth);
        case JSON_OBJECT:
                r = sd_bus_message_open_container(m, 'v', "a{sv}");
                if (r >= 0)
                        r = append_dict(m, value, depth);
                return r < 0 ? r : sd_bus_message_close_container(m);
        case JSON_NULL:
        default:
                return -EINVAL;
        }
}

static int append_dict(sd_bus_message *m, const json_t *object, unsigned depth)
{
        const char *key;
        json_t *value;
        int r;

        if (depth >= DEPTH_MAX)
                return -E2BIG;
        if (!json_is_object(object))
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        json_object_foreach ((json_t *) object, key, value) {
                if (json_is_null(value))
                        continue;
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", key);
                if (r >= 0)
                        r = append_variant(m, key, value, depth + 1);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_json_append_dict(sd_bus_message *message, const json_t *object)
{
        return append_dict(message, object, 0);
}

int bus_json_append_dicts(sd_bus_message *message, const json_t *array)
{
        return append_dicts(message, array, 0);
}
