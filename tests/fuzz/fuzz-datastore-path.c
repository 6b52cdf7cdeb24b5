/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Datastore paths of any bytes: refused, or two names that put together are the text again, and an address
 * that holds nothing but characters of an address.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "datastore-path.h"
#include "text.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size), *again = NULL, *url = NULL;
        CLEANUP(datastore_path_done) DatastorePath path = {};
        int r;

        MUST(text);
        r = datastore_path_parse(text, &path);
        MUST(r == 0 || r == -EINVAL || r == -E2BIG);
        if (r < 0) {
                MUST(!path.datastore && !path.file);
                return 0;
        }
        again = text_format("[%s] %s", path.datastore, path.file);
        MUST(again && strcmp(again, text) == 0);
        MUST(path.file[0] != '/' && !strstr(path.file, "/../") &&
             strncmp(path.file, "../", 3) != 0);
        MUST(datastore_path_url(&path, "h", 443, path.datastore, &url) == 0);
        MUST(strspn(url,
                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%/:?=&") ==
             strlen(url));
        MUST(strchr(url, '&') == strrchr(url, '&') && strchr(url, '?') == strrchr(url, '?'));
        return 0;
}
