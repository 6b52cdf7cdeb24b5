/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Public keys of SSH as text, "ssh-ed25519 AAAA…": the one kind that nodes, their tokens and the hub have. Used by the hub,
 * sendensectl and both halves of the enrolment. Pure.
 */
#pragma once

enum {
        PUBLIC_KEY_SIZE = 32,
        PUBLIC_KEY_SEED_SIZE = 32,
        PUBLIC_KEY_TEXT_SIZE = 81, /* with its NUL: all are as long */
        PUBLIC_KEY_FINGERPRINT_SIZE = 51, /* "SHA256:…" */
};

#define PUBLIC_KEY_TYPE "ssh-ed25519"

typedef struct PublicKey {
        unsigned char bytes[PUBLIC_KEY_SIZE];
} PublicKey;

void public_key_format(const PublicKey *key, char ret_text[static PUBLIC_KEY_TEXT_SIZE]);

/* The way back: type and key with one blank between, and nothing behind. -EINVAL for all that public_key_format() does not make,
 * keys of other kinds among it. */
int public_key_parse(const char *text, PublicKey *ret_key);

/* The same for what ssh-keygen writes: a comment and a line feed may follow. */
int public_key_parse_file(const char *text, PublicKey *ret_key);

/* As ssh-keygen -l shows it. */
void public_key_fingerprint(const PublicKey *key,
                            char ret_text[static PUBLIC_KEY_FINGERPRINT_SIZE]);

/* The public half of a secret seed. -EIO: libsodium cannot be used. */
int public_key_of_seed(const unsigned char seed[static PUBLIC_KEY_SEED_SIZE], PublicKey *ret_key);
