/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Datastore paths (see datastore-path.h).
 */
#include "datastore-path.h"

#include "host-name.h"
#include "text.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool has_control(const char *text)
{
        for (const char *p = text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return true;
        return false;
}

static bool is_text(const char *text)
{
        return *text && !has_control(text) && utf8_is_valid(text);
}

/* Each part between slashes is a name. */
static bool is_relative(const char *file)
{
        for (const char *part = file;;) {
                size_t n = strcspn(part, "/");

                if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && strncmp(part, "..", 2) == 0))
                        return false;
                if (!part[n])
                        return true;
                part += n + 1;
        }
}

void datastore_path_done(DatastorePath *path)
{
        free(path->datastore);
        free(path->file);
        *path = (DatastorePath){};
}

/* A name may hold a ']', but not followed by a blank: then the path would begin there. */
int datastore_path_parse(const char *text, DatastorePath *ret_path)
{
        const char *end = text[0] == '[' ? strstr(text, "] ") : NULL;
        CLEANUP(datastore_path_done) DatastorePath path = {};

        if (!end)
                return -EINVAL;
        if ((size_t) (end - text) - 1 > DATASTORE_NAME_MAX || strlen(end + 2) > DATASTORE_FILE_MAX)
                return -E2BIG;
        path.datastore = strndup(text + 1, (size_t) (end - text) - 1);
        path.file = strdup(end + 2);
        if (!path.datastore || !path.file)
                return -ENOMEM;
        if (!is_text(path.datastore) || !is_text(path.file) || !is_relative(path.file))
                return -EINVAL;
        ret_path->datastore = TAKE(path.datastore);
        ret_path->file = TAKE(path.file);
        return 0;
}

int datastore_path_beside(const DatastorePath *path, const char *name, DatastorePath *ret_path)
{
        const char *slash = strrchr(path->file, '/');
        int folder = slash ? (int) (slash - path->file) + 1 : 0;
        _cleanup_free_ char *text = NULL;

        if (strchr(name, '/'))
                return -EINVAL;
        text = text_format("[%s] %.*s%s", path->datastore, folder, path->file, name);
        return text ? datastore_path_parse(text, ret_path) : -ENOMEM;
}

/* Everything but what RFC 3986 calls unreserved; slashes too, unless they part a path. */
static char *encode(const char *text, bool is_path)
{
        static const char digits[] = "0123456789ABCDEF";
        char *encoded = malloc(3 * strlen(text) + 1), *to = encoded;

        for (const char *p = text; encoded && *p; p++) {
                unsigned char c = (unsigned char) *p;

                if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr("-._~", c) || (is_path && c == '/'))
                        *to++ = (char) c;
                else {
                        *to++ = '%';
                        *to++ = digits[c >> 4];
                        *to++ = digits[c & 15];
                }
        }
        if (encoded)
                *to = '\0';
        return encoded;
}

int datastore_path_url(const DatastorePath *path, const char *host, uint16_t port,
                       const char *datacenter, char **ret_url)
{
        _cleanup_free_ char *file = NULL, *dc = NULL, *ds = NULL;
        bool is_ipv6 = strchr(host, ':');
        char *url;

        if (!host_name_is_valid(host) || port == 0 || strlen(datacenter) > DATACENTER_PATH_MAX ||
            !is_text(datacenter))
                return -EINVAL;
        file = encode(path->file, true);
        dc = encode(datacenter, false);
        ds = encode(path->datastore, false);
        if (!file || !dc || !ds)
                return -ENOMEM;
        url = text_format("https://%s%s%s:%u/folder/%s?dcPath=%s&dsName=%s", is_ipv6 ? "[" : "",
                          host, is_ipv6 ? "]" : "", port, file, dc, ds);
        if (!url)
                return -ENOMEM;
        *ret_url = url;
        return 0;
}
