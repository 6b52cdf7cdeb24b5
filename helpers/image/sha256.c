/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests of texts (see sha256.h).
 */
#include "sha256.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/evp.h>

void sha256_to_hex(const unsigned char sum[static SHA256_BYTES],
                   char ret_hex[static SHA256_HEX_SIZE])
{
        for (size_t i = 0; i < SHA256_BYTES; i++)
                (void) snprintf(ret_hex + 2 * i, 3, "%02x", sum[i]);
}

int sha256_hex(const void *data, size_t size, char ret_hex[static SHA256_HEX_SIZE])
{
        unsigned char sum[EVP_MAX_MD_SIZE];

        if (!EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL))
                return -ENOTRECOVERABLE;
        sha256_to_hex(sum, ret_hex);
        return 0;
}
