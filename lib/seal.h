/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets for the database, as its columns *_sealed hold them: a nonce and libsodium's secretbox, under the hub's master key.
 * Who reads the database, or a dump of it, reads no secret; who has the key, too, reads all. Does not log.
 */
#pragma once

#include "secret.h"

#include <stddef.h>

#define SEAL_KEY_CREDENTIAL "master-key"
#define SEAL_KEY_NONE       "none" /* what the unit says in its place when there is none */

enum {
        SEAL_KEY_SIZE = 32,
        SEAL_EXTRA_SIZE = 40, /* nonce and authenticator: so many bytes longer is what is sealed */
        SEAL_MAX = 4096, /* bytes of a secret that can be sealed */
};

/* The master key, from the credential of this name. -ENOENT, -ENXIO, -ENODATA: there is none. -EBADMSG: it has
 * not 32 bytes, or all are the same; others as secret_read_credential(). */
int seal_key_read(const char *credential, Secret **ret_key);

/* The sealed secret in hexadecimal, for UNHEX(); each time another. *ret_hex is the caller's. -EFBIG beyond SEAL_MAX. */
int seal(const Secret *key, const Secret *secret, char **ret_hex);

/* The way back. -EKEYREJECTED: it was sealed with another key, or is damaged; -EBADMSG: it was never sealed. */
int unseal(const Secret *key, const char *hex, Secret **ret_secret);
