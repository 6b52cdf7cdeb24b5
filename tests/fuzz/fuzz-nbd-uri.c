/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets of any spelling: one that keeps every bound, or -EINVAL.
 */
#include "fuzz.h"

#include "nbd-uri.h"
#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *) data, size);
        uint16_t port;
        NbdUri uri, other;
        int r;

        MUST(text);
        r = nbd_uri_parse(text, &uri);
        MUST(r == 0 || r == -EINVAL);
        if (r == 0) {
                MUST((*uri.host != '\0') != (*uri.socket != '\0'));
                MUST(strlen(text) < NBD_URI_SIZE);
                MUST(utf8_is_valid(uri.export_name) && utf8_is_valid(uri.socket));
                MUST(!strpbrk(uri.export_name, "\n\r\t") && !strpbrk(uri.socket, "\n\r\t"));
                MUST(!*uri.socket || *uri.socket == '/');
                MUST(!*uri.host || parse_port(uri.port, &port) == 0);
        }
        r = nbd_uri_parse_tls(text, &other);
        MUST(r == 0 || r == -EINVAL);
        if (r == 0)
                MUST(*other.tls_name ? tls_psk_name_is_fine(other.tls_name) && *other.host &&
                                                       strncmp(text, "nbds://", 7) == 0
                                     : nbd_uri_parse(text, &uri) == 0 &&
                                                       nbd_uri_is_same(&uri, &other));
        free(text);
        return 0;
}
