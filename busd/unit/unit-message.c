/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values to messages (see unit-message.h).
 */
#include "unit/unit-message.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SIGNATURE_MAX = 32 };

/* Length of the first complete type of a signature; 0 when there is none. */
static size_t type_length(const char *signature)
{
        size_t n = 0, depth = 0;

        do {
                while (signature[n] == 'a')
                        n++;
                if (!signature[n] || n >= SIGNATURE_MAX)
                        return 0;
                depth += signature[n] == '(';
                if (signature[n] == ')' && depth-- == 0)
                        return 0;
                n++;
        } while (depth > 0);
        return n;
}

static int append_number(sd_bus_message *m, char type, const json_t *value)
{
        json_int_t n = json_integer_value(value);
        union {
                uint8_t y;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } as;

        if (!json_is_integer(value))
                return -EINVAL;
        if ((type == 'y' && (n < 0 || n > UINT8_MAX)) ||
            (type == 'i' && (n < INT32_MIN || n > INT32_MAX)) ||
            (type == 'u' && (n < 0 || n > UINT32_MAX)) || (type == 't' && n < -1))
                return -ERANGE;
        if (type == 'y')
                as.y = (uint8_t) n;
        else if (type == 'i')
                as.i = (int32_t) n;
        else if (type == 'u')
                as.u = (uint32_t) n;
        else if (type == 'x')
                as.x = n;
        else
                as.t = (uint64_t) n;
        return sd_bus_message_append_basic(m, type, &as);
}

static int append_basic(sd_bus_message *m, char type, const json_t *value)
{
        const char *text = json_string_value(value);
        int flag = json_is_true(value);

        if (strchr("yiuxt", type))
                return append_number(m, type, value);
        if (type == 'h') {
                int fd = (int) json_integer_value(value);

                return json_is_integer(value) ? sd_bus_message_append_basic(m, 'h', &fd) : -EINVAL;
        }
        if (type == 'b')
                return json_is_boolean(value) ? sd_bus_message_append_basic(m, 'b', &flag)
                                              : -EINVAL;
        if (!strchr("sog", type) || !text)
                return -EINVAL;
        return sd_bus_message_append_basic(m, type, text);
}

/* The members of a struct; inner is its signature without the parentheses. */
static int append_members(sd_bus_message *m, const char *inner, const json_t *value)
{
        size_t n = 0, i;
        int r = 0;

        for (i = 0; r >= 0 && inner[n]; i++) {
                char member[SIGNATURE_MAX + 1];
                size_t length = type_length(inner + n);

                if (length == 0 || i >= json_array_size(value))
                        return -EINVAL;
                memcpy(member, inner + n, length);
                member[length] = '\0';
                n += length;
                r = unit_message_append(m, member, json_array_get(value, i));
        }
        return r >= 0 && i != json_array_size(value) ? -EINVAL : r;
}

static int append_elements(sd_bus_message *m, const char *element, const json_t *value)
{
        const json_t *each;
        int r = 0;
        size_t i;

        json_array_foreach (value, i, each) {
                r = unit_message_append(m, element, each);
                if (r < 0)
                        return r;
        }
        return 0;
}

int unit_message_append(sd_bus_message *m, const char *signature, const json_t *value)
{
        char inner[SIGNATURE_MAX + 1];
        size_t n = type_length(signature);
        bool is_struct = signature[0] == '(';
        int r;

        if (n == 0 || signature[n])
                return -EINVAL;
        if (strcmp(signature, "ay") == 0 && json_is_string(value))
                return sd_bus_message_append_array(m, 'y', json_string_value(value),
                                                   json_string_length(value));
        if (n == 1)
                return append_basic(m, signature[0], value);
        if (!json_is_array(value))
                return -EINVAL;
        n = is_struct ? n - 2 : n - 1;
        memcpy(inner, signature + 1, n);
        inner[n] = '\0';

        r = sd_bus_message_open_container(m, is_struct ? 'r' : 'a', inner);
        if (r >= 0)
                r = is_struct ? append_members(m, inner, value) : append_elements(m, inner, value);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Each property is [name, signature, value]. */
static int append_properties(sd_bus_message *m, const json_t *spec)
{
        const json_t *property, *properties = json_object_get(spec, "properties");
        size_t i;
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        json_array_foreach (properties, i, property) {
                const char *name = json_string_value(json_array_get(property, 0));
                const char *signature = json_string_value(json_array_get(property, 1));

                if (!name || !signature)
                        return -EINVAL;
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'r', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", name);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', signature);
                if (r >= 0)
                        r = unit_message_append(m, signature, json_array_get(property, 2));
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int unit_message_append_spec(sd_bus_message *m, const json_t *spec)
{
        const json_t *aux;
        size_t i;
        int r;

        r = sd_bus_message_append(m, "ss", json_string_value(json_object_get(spec, "unit")),
                                  "fail");
        if (r >= 0)
                r = append_properties(m, spec);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sa(sv))");
        json_array_foreach (json_object_get(spec, "aux"), i, aux) {
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'r', "sa(sv)");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s",
                                                  json_string_value(json_object_get(aux, "unit")));
                if (r >= 0)
                        r = append_properties(m, aux);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}
