/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of UTF-8 (see utf8.h).
 */
#include "utf8.h"

#include <stddef.h>
#include <stdint.h>

/* The bytes of the sequence that begins here, 0 when it is none. Stops at the NUL by itself, since
 * that is no continuation. */
static size_t sequence_length(const uint8_t *p)
{
        uint32_t code;
        size_t n;

        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xc2 && p[0] <= 0xdf)
                n = 2;
        else if (p[0] >= 0xe0 && p[0] <= 0xef)
                n = 3;
        else if (p[0] >= 0xf0 && p[0] <= 0xf4)
                n = 4;
        else
                return 0;

        code = p[0] & (0x7fU >> n);
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (p[i] & 0x3f);
        }
        if (n == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff)))
                return 0;
        if (n == 4 && (code < 0x10000 || code > 0x10ffff))
                return 0;
        return n;
}

bool utf8_is_valid(const char *text)
{
        const uint8_t *p = (const uint8_t *) text;

        while (*p) {
                size_t n = sequence_length(p);

                if (n == 0)
                        return false;
                p += n;
        }
        return true;
}

void utf8_make_valid(char *text)
{
        uint8_t *p = (uint8_t *) text;

        while (*p) {
                size_t n = sequence_length(p);

                if (n == 0) {
                        *p = '?';
                        n = 1;
                }
                p += n;
        }
}

/* C0, DEL and C1; the separators of lines and paragraphs; what turns the direction of writing; a mark of the order of
 * bytes, which nobody sees. */
static bool is_control(const uint8_t *p, size_t n)
{
        if (n == 1)
                return p[0] < ' ' || p[0] == 0x7f;
        if (n == 2)
                return p[0] == 0xc2 && p[1] < 0xa0;
        if (n == 3 && p[0] == 0xef)
                return p[1] == 0xbb && p[2] == 0xbf;
        return n == 3 && p[0] == 0xe2 &&
               ((p[1] == 0x80 &&
                 (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
                (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

bool utf8_is_line(const char *text)
{
        const uint8_t *p = (const uint8_t *) text;

        while (*p) {
                size_t n = sequence_length(p);

                if (n == 0 || is_control(p, n))
                        return false;
                p += n;
        }
        return true;
}

void utf8_make_line(char *text)
{
        uint8_t *p = (uint8_t *) text;

        utf8_make_valid(text);
        while (*p) {
                size_t n = sequence_length(p);

                if (n == 0)
                        return; /* cannot be: it was made valid */
                for (size_t i = 0, control = is_control(p, n); i < n; i++, p++)
                        if (control)
                                *p = ' ';
        }
}
