/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys shared beforehand (see tls-psk.h).
 */
#include "tls-psk.h"

#include "secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the keyed hash is asked for, so that nothing else that follows from the master key is the same. */
#define DERIVED_FOR "sendense export key "

_Static_assert(TLS_PSK_KEY_BYTES == crypto_generichash_KEYBYTES, "the size of the master key");

bool tls_psk_name_is_fine(const char *name)
{
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

        return n > 0 && n < TLS_PSK_NAME_SIZE && name[n] == '\0';
}

bool tls_psk_key_is_fine(const char *key)
{
        return strspn(key, "0123456789abcdef") == TLS_PSK_KEY_SIZE - 1 &&
               key[TLS_PSK_KEY_SIZE - 1] == '\0';
}

static void write_line(const char *name, unsigned char key[static TLS_PSK_KEY_BYTES],
                       char ret_line[static TLS_PSK_LINE_SIZE])
{
        char text[TLS_PSK_KEY_SIZE];

        (void) sodium_bin2hex(text, sizeof(text), key, TLS_PSK_KEY_BYTES);
        (void) snprintf(ret_line, TLS_PSK_LINE_SIZE, "%s:%s\n", name, text);
        sodium_memzero(key, TLS_PSK_KEY_BYTES);
        sodium_memzero(text, sizeof(text));
}

int tls_psk_make_line(const char *name, char ret_line[static TLS_PSK_LINE_SIZE])
{
        unsigned char key[TLS_PSK_KEY_BYTES];

        if (!tls_psk_name_is_fine(name))
                return -EINVAL;
        if (sodium_init() < 0)
                return -EIO;
        randombytes_buf(key, sizeof(key));
        write_line(name, key, ret_line);
        return 0;
}

int tls_psk_derive_line(const char *name, const Secret *master,
                        char ret_line[static TLS_PSK_LINE_SIZE])
{
        unsigned char key[TLS_PSK_KEY_BYTES];
        char text[sizeof(DERIVED_FOR) + TLS_PSK_NAME_SIZE];

        if (!tls_psk_name_is_fine(name) || secret_size(master) != crypto_generichash_KEYBYTES)
                return -EINVAL;
        if (sodium_init() < 0)
                return -EIO;
        (void) snprintf(text, sizeof(text), DERIVED_FOR "%s", name);
        (void) crypto_generichash(key, sizeof(key), (const unsigned char *) text, strlen(text),
                                  (const unsigned char *) secret_data(master), secret_size(master));
        write_line(name, key, ret_line);
        return 0;
}

const char *tls_psk_line_key(const char *line, size_t size)
{
        const char *colon = memchr(line, ':', size);
        size_t rest = colon ? size - (size_t) (colon + 1 - line) : 0;

        if (rest != TLS_PSK_KEY_SIZE || colon[TLS_PSK_KEY_SIZE] != '\n' ||
            strspn(colon + 1, "0123456789abcdef") != TLS_PSK_KEY_SIZE - 1)
                return NULL;
        return colon + 1;
}

int tls_psk_find_credential(const char *name, char ret_path[static TLS_PSK_PATH_SIZE])
{
        CLEANUP(secret_free_p) Secret *keys = NULL;
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        size_t length = strlen(name);
        int r;

        r = secret_read_credential(TLS_PSK_FILE, (size_t) TLS_PSK_KEYS_MAX * TLS_PSK_LINE_SIZE,
                                   &keys);
        if (r < 0)
                return r;
        if (!folder || strlen(folder) + sizeof("/" TLS_PSK_FILE) > TLS_PSK_PATH_SIZE)
                return -ENAMETOOLONG;
        for (const char *line = secret_data(keys); line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, length) != 0 || line[length] != ':')
                        continue;
                (void) snprintf(ret_path, TLS_PSK_PATH_SIZE, "%s/" TLS_PSK_FILE, folder);
                return 0;
        }
        return -ENOKEY;
}
