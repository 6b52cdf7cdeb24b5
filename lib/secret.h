/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A secret in memory: outside of swap and core dumps as far as the system allows, between guard pages,
 * wiped when it is freed, compared in constant time. And the three ways one may arrive: a systemd
 * credential, a sealed memfd from the bus, a private file. Bytes are kept as they come: a line feed at
 * the end belongs to the secret.
 *
 * All readers refuse an empty secret (-ENODATA): systemd starts a unit with an empty credential when
 * its giver closed the connection. max_size is at most SECRET_SIZE_MAX; what is longer is -EFBIG.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

enum {
        SECRET_SIZE_MAX = 256 * 1024, /* a request that holds a password among much else */
        CREDENTIAL_NAME_MAX = 255,
};

typedef struct Secret Secret;

/* Copies size bytes. -ENODATA for none, -EFBIG beyond SECRET_SIZE_MAX. The caller wipes his own. */
int secret_new(const void *data, size_t size, Secret **ret_secret);

/* Wipes it. NULL in, NULL out. */
Secret *secret_free(Secret *secret);
DEFINE_CLEANUP(Secret *, secret_free)

/* The bytes, followed by a NUL that is not counted; borrowed. */
const char *secret_data(const Secret *secret);
size_t secret_size(const Secret *secret);

/* In a time that depends on the sizes alone. */
bool secret_equal(const Secret *a, const Secret *b);

/* From $CREDENTIALS_DIRECTORY/name. -ENXIO: the program has no credentials; -EINVAL: the name is no
 * file name; -ENOENT: there is none of that name. */
int secret_read_credential(const char *name, size_t max_size, Secret **ret_secret);

/* From a memfd of which nothing can change any more; the offset of the descriptor does not matter.
 * -EINVAL: no memfd; -EPERM: not sealed against writing, shrinking, growing and further seals. */
int secret_read_memfd(int fd, size_t max_size, Secret **ret_secret);

/* The other way: a memfd of these bytes that nobody can change any more, at its beginning. */
int secret_make_memfd(const void *data, size_t size, int *ret_fd);

/* From a file that belongs to us or root and that group and others cannot touch, else -EPERM. -EISDIR
 * and -EINVAL for what is no regular file. */
int secret_read_file(const char *path, size_t max_size, Secret **ret_secret);
