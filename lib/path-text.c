/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Escapes and back (see path-text.h).
 */
#include "path-text.h"

#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
        ESCAPE_LENGTH = sizeof("\\xHH") - 1,
        CHARACTER_MAX = 4, /* bytes of one character of UTF-8 */
};

/* Bytes of the character that begins at text, if it is one that may stand in a line; 0 otherwise. */
static size_t harmless_length(const char *text)
{
        unsigned char first = (unsigned char) *text;
        size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        char character[CHARACTER_MAX + 1] = {};

        memcpy(character, text, strnlen(text, length));
        return strlen(character) == length && utf8_is_line(character) ? length : 0;
}

static size_t escape(unsigned char byte, char *to)
{
        static const char digits[] = "0123456789abcdef";

        to[0] = '\\';
        to[1] = byte == '\n' ? 'n' : byte == '\t' ? 't' : byte == '\\' ? '\\' : 'x';
        if (to[1] != 'x')
                return 2;
        to[2] = digits[byte >> 4];
        to[3] = digits[byte & 15];
        return ESCAPE_LENGTH;
}

char *path_text_from_bytes(const char *bytes)
{
        size_t size = strlen(bytes), n = 0, length;
        char *text = malloc(size * ESCAPE_LENGTH + 1);

        for (; text && *bytes; bytes += length) {
                length = *bytes == '\\' ? 0 : harmless_length(bytes);
                if (length > 0) {
                        memcpy(text + n, bytes, length);
                        n += length;
                } else {
                        n += escape((unsigned char) *bytes, text + n);
                        length = 1;
                }
        }
        if (text)
                text[n] = '\0';
        return text;
}

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -EINVAL;
}

/* What follows a '\'. Bytes that were read, or -EINVAL. */
static int unescape(const char *text, char *ret_byte)
{
        int high, low;

        if (*text == '\\' || *text == 'n' || *text == 't') {
                *ret_byte = *text == 'n' ? '\n' : *text == 't' ? '\t' : '\\';
                return 1;
        }
        high = *text == 'x' ? digit(text[1]) : -EINVAL;
        low = high >= 0 ? digit(text[2]) : -EINVAL;
        if (low < 0 || (high == 0 && low == 0))
                return -EINVAL;
        *ret_byte = (char) (high << 4 | low);
        return 3;
}

int path_text_to_bytes(const char *text, char **ret_bytes)
{
        _cleanup_free_ char *bytes = malloc(strlen(text) + 1);
        size_t n = 0;
        int r;

        if (!bytes)
                return -ENOMEM;
        while (*text)
                if (*text != '\\')
                        bytes[n++] = *text++;
                else {
                        r = unescape(text + 1, bytes + n);
                        if (r < 0)
                                return r;
                        n++;
                        text += 1 + r;
                }
        bytes[n] = '\0';
        *ret_bytes = TAKE(bytes);
        return 0;
}
