/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shapes that sendensectl prints: text, one JSON value, or a table for people. Whatever the text
 * holds, no control character reaches a terminal.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum {
        COMPLAINT_LETTERS_MAX = 4096,
        CELL_LETTERS_MAX = 4096, /* in a line, or the last column */
        CELL_LETTERS_PADDED_MAX = 256, /* in the others: each row is as wide */
};

/* Prints text with a '?' in the place of all that is no letter: control characters, marks that change the
 * direction of writing, bytes that are no UTF-8. After max letters comes "..." instead of the rest. */
void output_text(FILE *f, const char *text, size_t max);

/* One line of that to stdout: what stands between the words may be anything. */
void output_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints value and a newline, keys in the order they were set: over many lines, or in one that is
 * written at once. 0, or -ENOMEM. */
int output_json(const json_t *value);
int output_json_line(const json_t *value);

/* rows is an array of arrays of strings, all as long as the first, which is the heading. Columns are as
 * wide as their widest text; those of the set right (bits) are aligned to the right. 0, or -EINVAL for
 * another shape. */
int output_table(const json_t *rows, unsigned right);
