/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Members of a JSON object as the spec wants them: each reader refuses a wrong one by the place where it stands and
 * what it must be. Pure.
 */
#pragma once

#include "failure.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an object stands, for the text: "disks[1]" or "the spec". */
typedef struct Place {
        const json_t *object;
        char text[32];
        Failure *failure;
} Place;

/* Each returns 0, or -EINVAL with the failure set; *ret is untouched when an optional member is missing. */
int place_complain(const Place *place, const char *key, const char *must);
int place_check_keys(const Place *place, const char *const keys[], size_t n_keys);
int place_number(const Place *place, const char *key, bool optional, uint64_t min, uint64_t max,
                 uint64_t *ret_value);
int place_bool(const Place *place, const char *key, bool *ret_value); /* optional */
int place_text(const Place *place, const char *key, bool optional, size_t max,
               const char **ret_text);
int place_object(const Place *place, const char *key, const json_t **ret_object); /* optional */
