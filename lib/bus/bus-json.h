/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON objects as D-Bus dictionaries a{sv}, the shape of everything that our objects tell in detail.
 * Strings become s, booleans b, integers t (or the narrower type that belongs to their name), reals d,
 * objects a{sv}, arrays of strings as, other arrays aa{sv}; null is left out. Used by the hub when it
 * answers. Does not log.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

/* Appends the object as one a{sv}. -EINVAL for a value that has no place in it, -E2BIG when nested
 * deeper than four levels. */
int bus_json_append_dict(sd_bus_message *message, const json_t *object);

/* Appends an array of objects as one aa{sv}. */
int bus_json_append_dicts(sd_bus_message *message, const json_t *array);

/* Appends an array of strings as one as. */
int bus_json_append_texts(sd_bus_message *message, const json_t *array);
