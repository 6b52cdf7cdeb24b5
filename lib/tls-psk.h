/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key that two ends of a TLS connection share beforehand, under a name, as GnuTLS reads it from a file: a line "NAME:HEX".
 * The hub makes one for each export, whose name is the key's; who copies gets those of its job as a credential of its unit. A line is a
 * secret: kept in few places, wiped after use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct Secret Secret;

/* What qemu-nbd wants the file to be called; so the credential is, too. */
#define TLS_PSK_FILE "keys.psk"

enum {
        TLS_PSK_KEY_BYTES = 32,
        TLS_PSK_KEY_SIZE = 2 * TLS_PSK_KEY_BYTES + 1, /* as text */
        TLS_PSK_NAME_SIZE = 129,
        TLS_PSK_LINE_SIZE = TLS_PSK_NAME_SIZE + TLS_PSK_KEY_SIZE + 1,
        TLS_PSK_KEYS_MAX = 256, /* in one file: of all disks of a job */
        TLS_PSK_PATH_SIZE = 512,
};

/* a-z, 0-9 and '-', at least one: it stands in URIs and in that line as it is. */
bool tls_psk_name_is_fine(const char *name);

/* 64 digits of 0-9 and a-f. */
bool tls_psk_key_is_fine(const char *key);

/* "NAME:HEX\n" of a new random key. -EINVAL: no such name. */
int tls_psk_make_line(const char *name, char ret_line[static TLS_PSK_LINE_SIZE]);

/* The same for a key that follows from the name and the master key: whoever makes the export again under its name makes it again
 * with its key. -EINVAL also for a master key that is none. */
int tls_psk_derive_line(const char *name, const Secret *master,
                        char ret_line[static TLS_PSK_LINE_SIZE]);

/* The key in a line (borrowed, of TLS_PSK_KEY_SIZE - 1 digits), or NULL: it is none. */
const char *tls_psk_line_key(const char *line, size_t size);

/* Where the keys are that this program's unit has got as a credential, if one of this name is among them. -ENXIO and -ENOENT: it has
 * none; -ENODATA: they are empty; -ENOKEY: none has this name; others as secret_read_credential(). */
int tls_psk_find_credential(const char *name, char ret_path[static TLS_PSK_PATH_SIZE]);
