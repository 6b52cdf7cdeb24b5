/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of a repository with any content: refused with a reason of one line, or read and written again
 * as one and the same text.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "manifest.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static void parse_as(ManifestKind kind, const char *data, size_t size)
{
        _cleanup_free_ char *text = NULL, *again = NULL;
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        json_t *object = NULL, *back = NULL;
        int r;

        r = manifest_parse(kind, data, size, &object, error);
        MUST(r == 0 || r == -EBADMSG || r == -EFBIG || r == -ELOOP || r == -EPROTONOSUPPORT);
        MUST((r == 0) == (object != NULL) && (r < 0) == (*error != '\0'));
        MUST(!strchr(error, '\n') && utf8_is_valid(error));
        if (!object)
                return;

        MUST(manifest_format(kind, object, &text, error) == 0);
        MUST(manifest_parse(kind, text, strlen(text), &back, error) == 0);
        MUST(json_equal(object, back));
        MUST(manifest_format(kind, back, &again, error) == 0);
        MUST(strcmp(text, again) == 0);
        json_decref(object);
        json_decref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        parse_as(MANIFEST_MARKER, (const char *) data, size);
        parse_as(MANIFEST_DISK, (const char *) data, size);
        parse_as(MANIFEST_RECORD, (const char *) data, size);
        return 0;
}
