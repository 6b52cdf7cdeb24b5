/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to the store (see store-request.h).
 */
#include "store/store-request.h"

#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int store_refuse(StoreRequest *request, int error, const char *name, const char *format, ...)
{
        va_list ap;

        (void) snprintf(request->error_name, sizeof(request->error_name), "%s", name);
        va_start(ap, format);
        (void) vsnprintf(request->error_text, sizeof(request->error_text), format, ap);
        va_end(ap);
        utf8_make_valid(request->error_text); /* a name in it may have been cut */
        return error;
}

const char *object_text(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

uint64_t object_number(const json_t *object, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 ? (uint64_t) value : 0;
}

uint64_t store_limit(const StoreRequest *request)
{
        uint64_t limit = object_number(request->in, "Limit");

        if (limit == 0)
                return STORE_LIST_DEFAULT;
        return limit > STORE_LIST_MAX ? STORE_LIST_MAX : limit;
}

uint64_t store_limit_or_all(const StoreRequest *request)
{
        return object_number(request->in, "Limit") > 0 ? store_limit(request) : INT64_MAX;
}

int store_answer(StoreRequest *request, json_t *out)
{
        if (!out)
                return -ENOMEM;
        json_decref(request->out); /* of an attempt that was rolled back */
        request->out = out;
        return 0;
}
