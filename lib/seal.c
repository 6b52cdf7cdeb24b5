/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing (see seal.h). The nonce is random: 24 bytes never come twice.
 */
#include "seal.h"

#include "cleanup.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(SEAL_KEY_SIZE == crypto_secretbox_KEYBYTES, "the key is one of secretbox");
_Static_assert(SEAL_EXTRA_SIZE == crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES,
               "the size in the header");

static const unsigned char *bytes(const Secret *secret)
{
        return (const unsigned char *) secret_data(secret);
}

int seal_key_read(const char *credential, Secret **ret_key)
{
        CLEANUP(secret_free_p) Secret *key = NULL;
        bool is_random = false;
        int r;

        r = secret_read_credential(credential, SEAL_KEY_SIZE, &key);
        if (r == -EFBIG)
                return -EBADMSG;
        if (r < 0)
                return r;
        if (strcmp(secret_data(key), SEAL_KEY_NONE) == 0)
                return -ENOENT;
        /* A file of zeroes is what a power cut leaves. */
        for (size_t i = 1; i < secret_size(key); i++)
                is_random = is_random || bytes(key)[i] != bytes(key)[0];
        if (secret_size(key) != SEAL_KEY_SIZE || !is_random)
                return -EBADMSG;
        *ret_key = TAKE(key);
        return 0;
}

int seal(const Secret *key, const Secret *secret, char **ret_hex)
{
        size_t size = secret_size(secret), sealed_size = size + SEAL_EXTRA_SIZE;
        _cleanup_free_ unsigned char *sealed = NULL;
        char *hex;

        if (size > SEAL_MAX)
                return -EFBIG;
        if (secret_size(key) != SEAL_KEY_SIZE)
                return -EINVAL;
        sealed = malloc(sealed_size);
        hex = malloc(sealed_size * 2 + 1);
        if (!sealed || !hex) {
                free(hex);
                return -ENOMEM;
        }
        randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
        (void) crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, bytes(secret), size,
                                     sealed, bytes(key));
        *ret_hex = sodium_bin2hex(hex, sealed_size * 2 + 1, sealed, sealed_size);
        return 0;
}

static int open_box(const Secret *key, const unsigned char *sealed, size_t sealed_size,
                    Secret **ret_secret)
{
        size_t size = sealed_size - SEAL_EXTRA_SIZE;
        unsigned char plain[SEAL_MAX];
        int r;

        r = crypto_secretbox_open_easy(plain, sealed + crypto_secretbox_NONCEBYTES,
                                       sealed_size - crypto_secretbox_NONCEBYTES, sealed,
                                       bytes(key)) != 0
                            ? -EKEYREJECTED
                            : secret_new(plain, size, ret_secret);
        sodium_memzero(plain, size);
        return r;
}

int unseal(const Secret *key, const char *hex, Secret **ret_secret)
{
        _cleanup_free_ unsigned char *sealed = NULL;
        size_t n = strlen(hex), size;

        if (n % 2 != 0 || n / 2 <= SEAL_EXTRA_SIZE || n / 2 > SEAL_EXTRA_SIZE + SEAL_MAX)
                return -EBADMSG;
        if (secret_size(key) != SEAL_KEY_SIZE)
                return -EINVAL;
        sealed = malloc(n / 2);
        if (!sealed)
                return -ENOMEM;
        if (sodium_hex2bin(sealed, n / 2, hex, n, NULL, &size, NULL) != 0 || size != n / 2)
                return -EBADMSG;
        return open_box(key, sealed, size, ret_secret);
}
