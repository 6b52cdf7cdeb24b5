/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Public keys (see public-key.h). On the wire one is two strings, each behind its length: the type, and the 32 bytes.
 */
#include "public-key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
        BLOB_SIZE = 51,
        HEAD_SIZE = BLOB_SIZE - PUBLIC_KEY_SIZE,
        BASE64_SIZE = 69,
};

static const unsigned char head[HEAD_SIZE] = "\0\0\0\013" PUBLIC_KEY_TYPE "\0\0\0\040";
static const char type[] = PUBLIC_KEY_TYPE " ";

static void make_blob(const PublicKey *key, unsigned char ret_blob[static BLOB_SIZE])
{
        memcpy(ret_blob, head, HEAD_SIZE);
        memcpy(ret_blob + HEAD_SIZE, key->bytes, PUBLIC_KEY_SIZE);
}

void public_key_format(const PublicKey *key, char ret_text[static PUBLIC_KEY_TEXT_SIZE])
{
        unsigned char blob[BLOB_SIZE];

        make_blob(key, blob);
        memcpy(ret_text, type, sizeof(type) - 1);
        (void) sodium_bin2base64(ret_text + sizeof(type) - 1, BASE64_SIZE, blob, BLOB_SIZE,
                                 sodium_base64_VARIANT_ORIGINAL);
}

int public_key_parse(const char *text, PublicKey *ret_key)
{
        unsigned char blob[BLOB_SIZE];
        size_t size;

        if (strlen(text) != PUBLIC_KEY_TEXT_SIZE - 1 || strncmp(text, type, sizeof(type) - 1) != 0)
                return -EINVAL;
        if (sodium_base642bin(blob, sizeof(blob), text + sizeof(type) - 1, BASE64_SIZE - 1, NULL,
                              &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
            size != BLOB_SIZE || memcmp(blob, head, HEAD_SIZE) != 0)
                return -EINVAL;
        memcpy(ret_key->bytes, blob + HEAD_SIZE, PUBLIC_KEY_SIZE);
        return 0;
}

int public_key_parse_file(const char *text, PublicKey *ret_key)
{
        size_t n = strcspn(text, " \n");
        char first[PUBLIC_KEY_TEXT_SIZE];

        if (text[n] == ' ')
                n += 1 + strcspn(text + n + 1, " \n");
        if (n >= sizeof(first))
                return -EINVAL;
        memcpy(first, text, n);
        first[n] = '\0';
        return public_key_parse(first, ret_key);
}

void public_key_fingerprint(const PublicKey *key, char ret_text[static PUBLIC_KEY_FINGERPRINT_SIZE])
{
        unsigned char blob[BLOB_SIZE], digest[crypto_hash_sha256_BYTES];
        static const char hash[] = "SHA256:";

        make_blob(key, blob);
        (void) crypto_hash_sha256(digest, blob, BLOB_SIZE);
        memcpy(ret_text, hash, sizeof(hash) - 1);
        (void) sodium_bin2base64(ret_text + sizeof(hash) - 1,
                                 PUBLIC_KEY_FINGERPRINT_SIZE - sizeof(hash) + 1, digest,
                                 sizeof(digest), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

int public_key_of_seed(const unsigned char seed[static PUBLIC_KEY_SEED_SIZE], PublicKey *ret_key)
{
        unsigned char secret[crypto_sign_SECRETKEYBYTES];
        int r;

        if (sodium_init() < 0)
                return -EIO;
        r = crypto_sign_seed_keypair(ret_key->bytes, secret, seed);
        sodium_memzero(secret, sizeof(secret));
        return r < 0 ? -EIO : 0;
}
