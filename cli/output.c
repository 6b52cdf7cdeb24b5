/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Printing text, JSON and tables (see output.h).
 */
#include "output.h"

#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>

enum {
        COLUMNS_MAX = 12,
};

/* What a terminal would obey instead of showing it: C0, DEL, C1, line separators, writing direction. */
static bool is_shown(uint32_t point)
{
        return point >= 0x20 && (point < 0x7f || point > 0x9f) && point != 0x200e &&
               point != 0x200f && (point < 0x2028 || point > 0x202e) &&
               (point < 0x2066 || point > 0x2069);
}

/* Bytes of the first letter of text, which does not end yet; *ret_point is UINT32_MAX for a byte that is
 * no UTF-8. */
static size_t first_letter(const char *text, uint32_t *ret_point)
{
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char c = (unsigned char) *text;
        size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
        uint32_t point = n < 2 ? c : c & (0xffU >> (n + 1));

        for (size_t i = 1; i < n; i++) {
                if (((unsigned char) text[i] & 0xc0) != 0x80) {
                        n = 0;
                        break;
                }
                point = point << 6 | ((unsigned char) text[i] & 0x3f);
        }
        if (n == 0 || point < smallest[n] || point > 0x10ffff ||
            (point >= 0xd800 && point <= 0xdfff)) {
                *ret_point = UINT32_MAX;
                return 1;
        }
        *ret_point = point;
        return n;
}

void output_text(FILE *f, const char *text, size_t max)
{
        uint32_t point;
        size_t n;

        for (; *text; text += n) {
                if (max-- == 0) {
                        (void) fputs("...", f);
                        return;
                }
                n = first_letter(text, &point);
                if (point != UINT32_MAX && is_shown(point))
                        (void) fwrite(text, 1, n, f);
                else
                        (void) fputc('?', f);
        }
}

void output_line(const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        output_text(stdout, text ?: "(out of memory)", CELL_LETTERS_MAX);
        (void) putchar('\n');
}

/* Inside of JSON text the same letters can be written as escapes, and mean the same. jansson does so for
 * those of C0 alone. */
static int print_json(const json_t *value, size_t flags)
{
        _cleanup_free_ char *text = json_dumps(value, flags | JSON_ENCODE_ANY);
        uint32_t point;
        size_t n;

        if (!text)
                return -ENOMEM;
        for (const char *p = text; *p; p += n) {
                n = first_letter(p, &point);
                if (is_shown(point) || point == '\n')
                        (void) fwrite(p, 1, n, stdout);
                else
                        (void) printf("\\u%04x", point);
        }
        (void) putchar('\n'); /* main() looks at stdout once, at the end */
        return 0;
}

int output_json(const json_t *value)
{
        return print_json(value, JSON_INDENT(2));
}

int output_json_line(const json_t *value)
{
        int r = print_json(value, JSON_COMPACT);

        (void) fflush(stdout);
        return r;
}

/* Letters, not bytes: a path may hold an umlaut. */
static size_t shown_width(const char *text, size_t max)
{
        size_t n = 0;
        uint32_t point;

        for (; *text; text += first_letter(text, &point))
                if (n++ >= max)
                        return max + 3;
        return n;
}

static void print_cell(const char *text, size_t max, size_t width, bool right)
{
        int pad = (int) (width - shown_width(text, max));

        (void) printf("%*s", right ? pad : 0, "");
        output_text(stdout, text, max);
        (void) printf("%*s", right ? 0 : pad, "");
}

int output_table(const json_t *rows, unsigned right)
{
        size_t widths[COLUMNS_MAX] = {}, n_columns = json_array_size(json_array_get(rows, 0)), i, j;
        json_t *row, *cell;

        if (n_columns == 0 || n_columns > COLUMNS_MAX)
                return -EINVAL;
        json_array_foreach (rows, i, row) {
                if (json_array_size(row) != n_columns)
                        return -EINVAL;
                json_array_foreach (row, j, cell) {
                        size_t width;

                        if (!json_is_string(cell))
                                return -EINVAL;
                        width = shown_width(json_string_value(cell), CELL_LETTERS_PADDED_MAX);
                        if (width > widths[j])
                                widths[j] = width;
                }
        }

        json_array_foreach (rows, i, row) {
                json_array_foreach (row, j, cell) {
                        const char *text = json_string_value(cell);
                        bool last = j + 1 == n_columns;
                        size_t max = last ? CELL_LETTERS_MAX : CELL_LETTERS_PADDED_MAX;

                        if (j > 0)
                                (void) fputs("  ", stdout);
                        print_cell(text, max, last ? shown_width(text, max) : widths[j],
                                   right & 1U << j);
                }
                (void) putchar('\n');
        }
        return 0;
}
