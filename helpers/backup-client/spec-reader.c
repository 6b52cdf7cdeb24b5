/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers of members (see spec-reader.h).
 */
#include "spec-reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int place_complain(const Place *place, const char *key, const char *must)
{
        return failure_set(place->failure, -EINVAL, FAILURE_INVALID, 0, "%s: \"%s\" must be %s",
                           place->text, key, must);
}

int place_check_keys(const Place *place, const char *const keys[], size_t n_keys)
{
        const char *key;
        json_t *value;

        if (!json_is_object(place->object))
                return failure_set(place->failure, -EINVAL, FAILURE_INVALID, 0,
                                   "%s must be an object", place->text);
        json_object_foreach ((json_t *) place->object, key, value) {
                bool known = false;

                for (size_t i = 0; i < n_keys; i++)
                        known |= strcmp(key, keys[i]) == 0;
                if (!known)
                        return failure_set(place->failure, -EINVAL, FAILURE_INVALID, 0,
                                           "%s: unknown key \"%.64s\"", place->text, key);
        }
        return 0;
}

int place_number(const Place *place, const char *key, bool optional, uint64_t min, uint64_t max,
                 uint64_t *ret_value)
{
        const json_t *value = json_object_get(place->object, key);
        json_int_t number = json_integer_value(value);
        char must[80];

        if (!value && optional)
                return 0;
        if (!json_is_integer(value) || number < 0 || (uint64_t) number < min ||
            (uint64_t) number > max) {
                (void) snprintf(must, sizeof(must), "a whole number from %" PRIu64 " to %" PRIu64,
                                min, max);
                return place_complain(place, key, must);
        }
        *ret_value = (uint64_t) number;
        return 0;
}

int place_bool(const Place *place, const char *key, bool *ret_value)
{
        const json_t *value = json_object_get(place->object, key);

        if (!value)
                return 0;
        if (!json_is_boolean(value))
                return place_complain(place, key, "true or false");
        *ret_value = json_is_true(value);
        return 0;
}

int place_text(const Place *place, const char *key, bool optional, size_t max,
               const char **ret_text)
{
        const json_t *value = json_object_get(place->object, key);
        const char *text = json_string_value(value);
        char must[80];

        if (!value && optional)
                return 0;
        if (!text || !*text || strlen(text) > max) {
                (void) snprintf(must, sizeof(must), "a text of 1 to %zu bytes", max);
                return place_complain(place, key, must);
        }
        *ret_text = text;
        return 0;
}

int place_object(const Place *place, const char *key, const json_t **ret_object)
{
        const json_t *value = json_object_get(place->object, key);

        if (!value)
                return 0;
        if (!json_is_object(value))
                return place_complain(place, key, "an object");
        *ret_object = value;
        return 0;
}
