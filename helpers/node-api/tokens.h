/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may ask the node's API: a file of names and SHA-256 digests, one token a line. The tokens themselves are
 * made by clients (256 random bits), so a digest in a file tells nothing that could be used.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>

enum {
        TOKENS_MAX = 64,
        TOKEN_MIN = 32, /* characters: what a person would type is no token */
};

typedef struct Tokens Tokens;

/* "NAME DIGEST" in each line; # begins a comment. -EBADMSG and ret_line for a line that is neither; -E2BIG. */
int tokens_parse(const char *text, size_t size, Tokens **ret_tokens, unsigned *ret_line);
Tokens *tokens_free(Tokens *tokens);
DEFINE_CLEANUP(Tokens *, tokens_free)

size_t tokens_count(const Tokens *tokens);

/* The name that a token belongs to, borrowed, or NULL. Takes as long for a wrong one. */
const char *tokens_find(const Tokens *tokens, const char *token);

/* The digest of a token as 64 hex digits. */
void token_digest(const char *token, char ret_hex[static 65]);
