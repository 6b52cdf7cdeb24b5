/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The health of nodes (see node-health.h).
 */
#include "node/node-health.h"

#include "cleanup.h"

#include <string.h>

enum {
        FEATURES_MAX = 32, /* that are shown, and bytes of one */
        FEATURE_SIZE_MAX = 64,
};

json_int_t node_health_number(const json_t *health, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(health, key));

        return value > 0 ? value : 0;
}

bool node_health_has(const json_t *health, const char *feature)
{
        const json_t *word;
        size_t i;

        json_array_foreach (json_object_get(health, "features"), i, word)
                if (strcmp(json_string_value(word) ?: "", feature) == 0)
                        return true;
        return false;
}

json_t *node_health_features(const json_t *health)
{
        json_t *features = json_array(), *word;
        size_t i;

        json_array_foreach (json_object_get(health, "features"), i, word)
                if (i < FEATURES_MAX && json_is_string(word) &&
                    json_string_length(word) <= FEATURE_SIZE_MAX)
                        (void) json_array_append(features, word);
        return features;
}

json_t *node_health_tunnel(const json_t *health)
{
        static const struct {
                const char *name, *key;
        } numbers[] = {
                { "Sessions", "sessions" },
                { "Connections", "connections" },
                { "Opened", "opened" },
                { "Reconnects", "reconnects" },
                { "BytesUp", "bytes_up" },
                { "BytesDown", "bytes_down" },
                { "StartedUSec", "started_usec" },
        };
        const json_t *said = json_object_get(health, "tunnel");
        json_t *tunnel = json_object();

        if (json_object_size(said) == 0)
                return tunnel;
        (void) json_object_set_new(
                        tunnel, "State",
                        json_string(json_string_value(json_object_get(said, "state")) ?: ""));
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                (void) json_object_set_new(tunnel, numbers[i].name,
                                           json_integer(node_health_number(said, numbers[i].key)));
        return tunnel;
}
