/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys shared beforehand (see tls-psk.h).
 */
#include "tls-psk.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

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

int tls_psk_make_line(const char *name, char ret_line[static TLS_PSK_LINE_SIZE])
{
        unsigned char key[TLS_PSK_KEY_BYTES];
        char text[TLS_PSK_KEY_SIZE];

        if (!tls_psk_name_is_fine(name))
                return -EINVAL;
        if (sodium_init() < 0)
                return -EIO;
        randombytes_buf(key, sizeof(key));
        (void) sodium_bin2hex(text, sizeof(text), key, sizeof(key));
        (void) snprintf(ret_line, TLS_PSK_LINE_SIZE, "%s:%s\n", name, text);
        sodium_memzero(key, sizeof(key));
        sodium_memzero(text, sizeof(text));
        return 0;
}
