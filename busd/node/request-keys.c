/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports and their keys (see request-keys.h).
 */
#include "request-keys.h"

#include "cleanup.h"
#include "json-fields.h"
#include "nbd-uri.h"
#include "tls-psk.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
        EXPORT_MAX = 512,
};

bool request_export_is_valid(const char *text)
{
        NbdUri uri;

        if (strlen(text) > EXPORT_MAX || strpbrk(text, " \t\r\n\"\\"))
                return false;
        return strncmp(text, "nbd://", 6) == 0 || strncmp(text, "nbd+unix:///", 12) == 0 ||
               nbd_uri_parse_tls(text, &uri) >= 0;
}

json_t *request_keys_take(json_t *object)
{
        json_t *keys = json_incref(json_object_get(object, "nbd_keys"));

        (void) json_object_del(object, "nbd_keys");
        return keys;
}

/* The name of its key; "" without TLS. */
static const char *key_name(const json_t *export, NbdUri *uri)
{
        return nbd_uri_parse_tls(json_string_value(export) ?: "", uri) >= 0 ? uri->tls_name : "";
}

/* Each key is for an export that asks for one. */
static int check(const json_t *keys, const json_t *exports,
                 char ret_error[static REQUEST_ERROR_SIZE])
{
        const char *disk;
        json_t *key;
        NbdUri uri;

        if (keys && !json_is_object(keys))
                return json_fields_refuse(ret_error,
                                          "nbd_keys must be an object of the keys of disks");
        json_object_foreach ((json_t *) keys, disk, key) {
                if (!*key_name(json_object_get(exports, disk), &uri))
                        return json_fields_refuse(ret_error,
                                                  "nbd_keys: '%.20s' is no disk with an nbds:// "
                                                  "address",
                                                  disk);
                if (!json_is_string(key) ||
                    json_string_length(key) != strlen(json_string_value(key)) ||
                    !tls_psk_key_is_fine(json_string_value(key)))
                        return json_fields_refuse(ret_error,
                                                  "nbd_keys: the key of disk %.20s must be 64 "
                                                  "hexadecimal digits",
                                                  disk);
        }
        return 0;
}

static int add_lines(const json_t *keys, const json_t *exports, char *lines, size_t size,
                     char ret_error[static REQUEST_ERROR_SIZE])
{
        const char *disk;
        json_t *export;
        size_t n = 0;
        NbdUri uri;

        json_object_foreach ((json_t *) exports, disk, export) {
                const char *key = json_string_value(json_object_get(keys, disk));

                if (!*key_name(export, &uri))
                        continue;
                if (!key)
                        return json_fields_refuse(ret_error,
                                                  "nbd_keys has no key for disk %.20s, whose "
                                                  "address is an nbds:// one",
                                                  disk);
                n += (size_t) snprintf(lines + n, size - n, "%s:%s\n", uri.tls_name, key);
        }
        return (int) n;
}

int request_keys_read(const json_t *keys, const json_t *exports, Secret **ret_lines,
                      char ret_error[static REQUEST_ERROR_SIZE])
{
        size_t size = json_object_size(exports) * TLS_PSK_LINE_SIZE + 1;
        _cleanup_free_ char *lines = NULL;
        Secret *secret = NULL;
        int r;

        r = check(keys, exports, ret_error);
        if (r < 0)
                return r;
        lines = malloc(size);
        if (!lines)
                return -ENOMEM;
        r = add_lines(keys, exports, lines, size, ret_error);
        if (r > 0)
                r = secret_new(lines, (size_t) r, &secret);
        sodium_memzero(lines, size);
        if (r >= 0)
                *ret_lines = secret;
        return r < 0 ? r : 0;
}
