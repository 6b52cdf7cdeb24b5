/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The body of a request that is one JSON object of known fields, on a path that takes no query. The rooms of the routes look at what
 * only they know of it.
 */
#pragma once

#include "http/http-server.h"
#include "json-fields.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct RequestBody {
        const JsonField *fields;
        size_t n_fields;
        size_t max; /* bytes */
        bool is_optional; /* none is {} */
} RequestBody;

/* Why it is refused, or NULL and the caller's reference. */
const char *request_body_read(const RequestBody *want, HttpRequest *request, json_t **ret_body,
                              char error[static JSON_FIELDS_ERROR_SIZE]);
