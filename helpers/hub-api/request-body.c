/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bodies of requests (see request-body.h).
 */
#include "request-body.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "result-file.h"

const char *request_body_read(const RequestBody *want, HttpRequest *request, json_t **ret_body,
                              char error[static JSON_FIELDS_ERROR_SIZE])
{
        CLEANUP(json_decref_p) json_t *body = NULL;
        size_t size;
        const char *text = http_request_body(request, &size);

        if (http_request_query_unknown(request, NULL, 0))
                return "This path takes no query.";
        if (size == 0 && want->is_optional)
                body = json_object();
        else if (result_parse_within(text, size, want->max, &body) < 0)
                return want->is_optional ? "The body must be one JSON object, or nothing."
                                         : "The body must be one JSON object.";
        if (json_fields_check(body, want->fields, want->n_fields, "the body", error) < 0)
                return error;
        *ret_body = TAKE(body);
        return NULL;
}
