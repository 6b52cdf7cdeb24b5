/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private keys (see key-file.h): PROTOCOL.key of OpenSSH. All lengths are known, and the text is wiped.
 */
#include "key-file.h"

#include "cleanup.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
        BLOB_MAX = 512,
        LINE_LENGTH = 70,
        TEXT_MAX = 1024,
        BLOCK_SIZE = 8,
};

typedef struct Blob {
        unsigned char bytes[BLOB_MAX];
        size_t size;
} Blob;

static void put(Blob *blob, const void *bytes, size_t size)
{
        memcpy(blob->bytes + blob->size, bytes, size);
        blob->size += size;
}

static void put_number(Blob *blob, size_t number)
{
        const unsigned char bytes[] = { 0, 0, (unsigned char) (number >> 8),
                                        (unsigned char) number };

        put(blob, bytes, sizeof(bytes));
}

static void put_string(Blob *blob, const void *bytes, size_t size)
{
        put_number(blob, size);
        put(blob, bytes, size);
}

static void put_text(Blob *blob, const char *text)
{
        put_string(blob, text, strlen(text));
}

/* The part that a passphrase would hide: twice the same number, the key, a comment, and 1, 2, 3... up to a whole block. */
static void make_private(const PublicKey *key, const unsigned char *seed, Blob *ret_blob)
{
        unsigned char pair[PUBLIC_KEY_SEED_SIZE + PUBLIC_KEY_SIZE];

        put_number(ret_blob, 1);
        put_number(ret_blob, 1);
        put_text(ret_blob, PUBLIC_KEY_TYPE);
        put_string(ret_blob, key->bytes, PUBLIC_KEY_SIZE);
        memcpy(pair, seed, PUBLIC_KEY_SEED_SIZE);
        memcpy(pair + PUBLIC_KEY_SEED_SIZE, key->bytes, PUBLIC_KEY_SIZE);
        put_string(ret_blob, pair, sizeof(pair));
        sodium_memzero(pair, sizeof(pair));
        put_text(ret_blob, "sendense-node");
        for (unsigned char i = 1; ret_blob->size % BLOCK_SIZE != 0; i++)
                put(ret_blob, &i, 1);
}

static void make_file(const PublicKey *key, const unsigned char *seed, Blob *ret_blob)
{
        static const char magic[] = "openssh-key-v1";
        Blob private = {}, public = {};

        put_text(&public, PUBLIC_KEY_TYPE);
        put_string(&public, key->bytes, PUBLIC_KEY_SIZE);
        make_private(key, seed, &private);
        put(ret_blob, magic, sizeof(magic));
        put_text(ret_blob, "none");
        put_text(ret_blob, "none");
        put_text(ret_blob, "");
        put_number(ret_blob, 1);
        put_string(ret_blob, public.bytes, public.size);
        put_string(ret_blob, private.bytes, private.size);
        sodium_memzero(&private, sizeof(private));
}

static size_t wrap(const char *base64, char ret_text[static TEXT_MAX])
{
        size_t n = (size_t) snprintf(ret_text, TEXT_MAX, "-----BEGIN OPENSSH PRIVATE KEY-----\n");

        for (; *base64; base64 += strnlen(base64, LINE_LENGTH))
                n += (size_t) snprintf(ret_text + n, TEXT_MAX - n, "%.*s\n", LINE_LENGTH, base64);
        return n +
               (size_t) snprintf(ret_text + n, TEXT_MAX - n, "-----END OPENSSH PRIVATE KEY-----\n");
}

int key_file_format(const unsigned char seed[static PUBLIC_KEY_SEED_SIZE], Secret **ret_text)
{
        char base64[TEXT_MAX], text[TEXT_MAX];
        PublicKey key;
        Blob file = {};
        int r;

        r = public_key_of_seed(seed, &key);
        if (r < 0)
                return r;
        make_file(&key, seed, &file);
        (void) sodium_bin2base64(base64, sizeof(base64), file.bytes, file.size,
                                 sodium_base64_VARIANT_ORIGINAL);
        r = secret_new(text, wrap(base64, text), ret_text);
        sodium_memzero(&file, sizeof(file));
        sodium_memzero(base64, sizeof(base64));
        sodium_memzero(text, sizeof(text));
        return r;
}
