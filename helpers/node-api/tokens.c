/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of tokens (see tokens.h).
 */
#include "tokens.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
        NAME_MAX_BYTES = 64,
};

typedef struct Token {
        char name[NAME_MAX_BYTES + 1];
        unsigned char digest[crypto_hash_sha256_BYTES];
} Token;

struct Tokens {
        size_t n;
        Token list[TOKENS_MAX];
};

void token_digest(const char *token, char ret_hex[static 65])
{
        unsigned char digest[crypto_hash_sha256_BYTES];

        (void) crypto_hash_sha256(digest, (const unsigned char *) token, strlen(token));
        (void) sodium_bin2hex(ret_hex, 65, digest, sizeof(digest));
}

/* One line of size bytes without its end. */
static int parse_line(const char *line, size_t size, Token *ret_token)
{
        static const char blanks[] = " \t";
        static const char letters[] =
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        _cleanup_free_ char *text = strndup(line, size);
        size_t n_name, n_digest = 0;
        const char *hex;

        if (!text)
                return -ENOMEM;
        n_name = strspn(text, letters);
        hex = text + n_name + strspn(text + n_name, blanks);
        if (n_name == 0 || n_name > NAME_MAX_BYTES || hex == text + n_name ||
            strlen(text) != size || strlen(hex) != 64 ||
            sodium_hex2bin(ret_token->digest, sizeof(ret_token->digest), hex, 64, NULL, &n_digest,
                           NULL) < 0 ||
            n_digest != sizeof(ret_token->digest))
                return -EBADMSG;
        memcpy(ret_token->name, text, n_name);
        ret_token->name[n_name] = '\0';
        return 0;
}

int tokens_parse(const char *text, size_t size, Tokens **ret_tokens, unsigned *ret_line)
{
        CLEANUP(tokens_free_p) Tokens *tokens = calloc(1, sizeof(*tokens));
        unsigned line = 0;

        if (!tokens)
                return -ENOMEM;
        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                size_t length = end ? (size_t) (end - text) : size;
                int r;

                line++;
                if (length > 0 && text[0] != '#') {
                        if (tokens->n == TOKENS_MAX)
                                return -E2BIG;
                        r = parse_line(text, length, &tokens->list[tokens->n]);
                        if (r < 0) {
                                *ret_line = line;
                                return r;
                        }
                        tokens->n++;
                }
                length += end ? 1 : 0;
                text += length;
                size -= length;
        }
        *ret_tokens = TAKE(tokens);
        return 0;
}

Tokens *tokens_free(Tokens *tokens)
{
        free(tokens);
        return NULL;
}

size_t tokens_count(const Tokens *tokens)
{
        return tokens->n;
}

const char *tokens_find(const Tokens *tokens, const char *token)
{
        unsigned char digest[crypto_hash_sha256_BYTES];
        const char *name = NULL;

        (void) crypto_hash_sha256(digest, (const unsigned char *) token, strlen(token));
        for (size_t i = 0; i < tokens->n; i++)
                if (sodium_memcmp(digest, tokens->list[i].digest, sizeof(digest)) == 0)
                        name = tokens->list[i].name;
        return name;
}
