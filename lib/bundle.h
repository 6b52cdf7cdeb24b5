/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bundle: what `sendensectl node add` prints and `sendense-node enroll` reads. Text in the style of our settings, which holds the
 * seed of a one-time key: whoever has it can be that node, until it was used or has expired.
 */
#pragma once

#include "config-value.h"
#include "public-key.h"

#include <stdbool.h>
#include <stdint.h>

enum {
        BUNDLE_FORMAT = 1,
        BUNDLE_SIZE_MAX = 16 * 1024,
};

typedef struct Bundle {
        uint64_t format;
        char *node;
        bool local; /* on the hub's own machine: what follows up to host_key, and the token, is not there */
        char *hub;
        uint16_t ssh_port;
        char *host_key; /* "ssh-ed25519 AAAA…" */
        uint16_t reverse_port;
        PortRange ports;
        char *expires; /* "2026-11-22T14:00:00Z", for people */
        char *token; /* as text; wiped when it is freed */
        unsigned char seed[PUBLIC_KEY_SEED_SIZE]; /* the same as bytes */

        Config config;
} Bundle;

/* Wipes the token. */
void bundle_done(Bundle *bundle);

/* bundle must be zeroed; name stands for the text in errors, which never show the token. Negative errno with *ret_error set to one
 * line, but for -ENOMEM. */
int bundle_read(Bundle *bundle, const char *name, const char *text, size_t size, char **ret_error);

/* The text of a bundle whose members are set, the token as seed; for free() after wiping it. */
int bundle_format(const Bundle *bundle, char **ret_text);
