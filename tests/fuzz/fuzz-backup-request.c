/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hub's HTTP API is asked for a backup with, of any bytes: refused with one line of text, or a request that keeps every
 * bound.
 */
#include "fuzz.h"

#include "backup-request.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static void check_texts(const json_t *object)
{
        const char *key;
        json_t *value;

        MUST(json_object_size(object) <= BACKUP_REQUEST_KEYS_MAX);
        json_object_foreach ((json_t *) object, key, value) {
                MUST(*key && strspn(key, "0123456789") == strlen(key) && strlen(key) <= 10);
                MUST(json_is_string(value) &&
                     strlen(json_string_value(value)) <= BACKUP_REQUEST_TEXT_MAX);
                MUST(utf8_is_line(json_string_value(value)));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        BackupRequest request;
        int r;

        r = backup_request_parse((const char *) data, size, &request, error);
        if (r < 0) {
                MUST(r == -EBADMSG && !request.object);
                MUST(*error && utf8_is_valid(error) && !strchr(error, '\n'));
                return 0;
        }
        MUST(request.vm && *request.vm && utf8_is_line(request.vm));
        MUST(utf8_is_line(request.repository));
        MUST(!request.type || strcmp(request.type, "full") == 0 ||
             strcmp(request.type, "incremental") == 0);
        if (request.exclude)
                check_texts(request.exclude);
        if (request.sources)
                check_texts(request.sources);
        backup_request_done(&request);
        return 0;
}
