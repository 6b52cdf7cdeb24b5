/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Printing JSON and tables (see output.h).
 */
#include "output.h"

#include "cleanup.h"

#include <errno.h>

enum {
        COLUMNS_MAX = 8,
};

int output_json(const json_t *value)
{
        _cleanup_free_ char *text = json_dumps(value, JSON_INDENT(2));

        if (!text)
                return -ENOMEM;
        (void) puts(text); /* main() looks at stdout once, at the end */
        return 0;
}

/* Letters, not bytes: a path may hold an umlaut. */
static size_t text_width(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += ((unsigned char) *text & 0xc0) != 0x80;
        return n;
}

static void print_cell(const char *text, size_t width)
{
        size_t n = text_width(text);

        for (const char *p = text; *p; p++)
                (void) putchar((unsigned char) *p < ' ' || *p == 0x7f ? '?' : *p);
        for (; n < width; n++)
                (void) putchar(' ');
}

int output_table(const json_t *rows)
{
        size_t widths[COLUMNS_MAX] = {}, n_columns = json_array_size(json_array_get(rows, 0)), i, j;
        json_t *row, *cell;

        if (n_columns == 0 || n_columns > COLUMNS_MAX)
                return -EINVAL;
        json_array_foreach (rows, i, row) {
                if (json_array_size(row) != n_columns)
                        return -EINVAL;
                json_array_foreach (row, j, cell) {
                        if (!json_is_string(cell))
                                return -EINVAL;
                        if (text_width(json_string_value(cell)) > widths[j])
                                widths[j] = text_width(json_string_value(cell));
                }
        }

        json_array_foreach (rows, i, row) {
                json_array_foreach (row, j, cell) {
                        if (j > 0)
                                (void) fputs("  ", stdout);
                        print_cell(json_string_value(cell), j + 1 < n_columns ? widths[j] : 0);
                }
                (void) putchar('\n');
        }
        return 0;
}
