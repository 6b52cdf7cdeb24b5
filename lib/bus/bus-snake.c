/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of the bus as names of JSON (see bus-snake.h).
 */
#include "bus/bus-snake.h"

#include "cleanup.h"
#include "json-cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_upper(char c)
{
        return c >= 'A' && c <= 'Z';
}

/* For free(); NULL when out of memory. */
static char *snake(const char *name)
{
        char *text = malloc(strlen(name) * 2 + 1), *end = text;

        if (!text)
                return NULL;
        for (const char *p = name; *p; p++) {
                if (p > name && is_upper(*p) && !is_upper(p[-1]) && p[-1] != '_')
                        *end++ = '_';
                *end++ = is_upper(*p) ? (char) (*p - 'A' + 'a') : *p;
        }
        *end = '\0';
        return text;
}

static int rename_object(json_t *object)
{
        CLEANUP(json_decref_p) json_t *renamed = json_object();
        const char *key;
        json_t *value;

        if (!renamed)
                return -ENOMEM;
        json_object_foreach (object, key, value) {
                _cleanup_free_ char *name = snake(key);
                int r;

                if (!name)
                        return -ENOMEM;
                if (json_object_get(renamed, name))
                        return -EEXIST;
                r = bus_snake_names(value);
                if (r < 0)
                        return r;
                if (json_object_set(renamed, name, value) < 0)
                        return -ENOMEM;
        }
        if (json_object_clear(object) < 0 || json_object_update(object, renamed) < 0)
                return -ENOMEM;
        return 0;
}

int bus_snake_names(json_t *value)
{
        json_t *element;
        size_t i;

        if (json_is_object(value))
                return rename_object(value);
        json_array_foreach (value, i, element) {
                int r = bus_snake_names(element);

                if (r < 0)
                        return r;
        }
        return 0;
}
