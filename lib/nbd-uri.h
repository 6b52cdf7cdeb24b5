/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an NBD export is, as people and specs write it. Of the many forms of the NBD URI specification these
 * two alone, strictly, so that one target has one spelling and nothing of it reaches a resolver, a shell or a
 * file unseen:
 *
 *   nbd://HOST[:PORT]/EXPORT          HOST: letters, digits, '.', '-'; or an IPv6 address in []
 *   nbd+unix:///EXPORT?socket=PATH    PATH: absolute
 *
 * EXPORT and PATH may hold %xx, but none that stands for NUL or a control character. EXPORT may be empty. No user, no
 * other parameter, no fragment, no TLS. Pure.
 */
#pragma once

#include <stddef.h>

enum {
        NBD_URI_SIZE = 1024, /* of a URI with its NUL */
        NBD_HOST_SIZE = 256,
        NBD_EXPORT_SIZE = 257, /* what a server must accept, and a NUL */
        NBD_SOCKET_SIZE = 108, /* of a unix socket's address */
        NBD_PORT = 10809, /* IANA's */
};

typedef struct NbdUri {
        char host[NBD_HOST_SIZE]; /* without []; empty: socket is set */
        char port[6]; /* decimal */
        char socket[NBD_SOCKET_SIZE];
        char export_name[NBD_EXPORT_SIZE]; /* decoded */
} NbdUri;

/* -EINVAL for everything that is none. */
int nbd_uri_parse(const char *text, NbdUri *ret_uri);
