/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an NBD export is, as people and specs write it. Of the many forms of the NBD URI specification these
 * few alone, strictly, so that one target has one spelling and nothing of it reaches a resolver, a shell or a
 * file unseen:
 *
 *   nbd://HOST[:PORT]/EXPORT          HOST: letters, digits, '.', '-'; or an IPv6 address in []
 *   nbd+unix:///EXPORT?socket=PATH    PATH: absolute
 *
 * and for those who know what to do with it, one by TLS with a key shared beforehand:
 *
 *   nbds://NAME@HOST[:PORT]/EXPORT    NAME: the key's, as tls-psk.h has it
 *
 * EXPORT and PATH may hold %xx, but none that stands for NUL or a control character. EXPORT may be empty. No user without TLS, no
 * other parameter, no fragment. Pure.
 */
#pragma once

#include "tls-psk.h"

#include <stdbool.h>
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
        char tls_name[TLS_PSK_NAME_SIZE]; /* of the key; empty: without TLS */
} NbdUri;

/* -EINVAL for everything that is none, and for one by TLS. */
int nbd_uri_parse(const char *text, NbdUri *ret_uri);

/* Takes one by TLS, too. */
int nbd_uri_parse_tls(const char *text, NbdUri *ret_uri);

/* Whether both are the same export of the same server, however it is reached. */
bool nbd_uri_is_same(const NbdUri *a, const NbdUri *b);
