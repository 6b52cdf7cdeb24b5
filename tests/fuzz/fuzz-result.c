/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Result files of any content: an object within the limits that survives being written and read, or
 * one of three refusals.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "result-file.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        json_t *result = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = result_parse((const char *) data, size, &result);
        MUST(r == 0 || r == -EBADMSG || r == -EFBIG || r == -ELOOP);
        MUST((r == 0) == (result != NULL));
        if (!result)
                return 0;

        MUST(json_is_object(result));
        text = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(17));
        MUST(text);
        /* Written text may be longer than what was read, never deeper. */
        r = result_parse(text, strlen(text), &again);
        MUST(r == 0 || r == -EFBIG);
        MUST(r < 0 || json_equal(result, again));
        json_decref(result);
        json_decref(again);
        return 0;
}
