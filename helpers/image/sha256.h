/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SHA-256 of a small text, as hex. Used where records and manifests vouch for each other.
 */
#pragma once

#include <stddef.h>

enum {
        SHA256_BYTES = 32,
        SHA256_HEX_SIZE = 2 * SHA256_BYTES + 1,
};

void sha256_to_hex(const unsigned char sum[static SHA256_BYTES],
                   char ret_hex[static SHA256_HEX_SIZE]);

/* -ENOTRECOVERABLE when the library refuses. */
int sha256_hex(const void *data, size_t size, char ret_hex[static SHA256_HEX_SIZE]);
