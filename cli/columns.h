/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the objects that the hub answers to what people read: a column says which value it shows, and
 * how. Used by the verbs that list and show.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        COLUMNS_MAX = 32, /* of a table: output_table() takes bits of an unsigned */
};

typedef struct Column {
        const char *heading;
        const char *key;
        char *(*cell)(const json_t *object,
                      const char *key); /* the caller's; NULL: out of memory */
        bool right;
} Column;

/* The value of key, whatever the hub put there: "-" when it is absent, "?" when it is of another type. */
char *cell_text(const json_t *object, const char *key);
char *cell_number(const json_t *object, const char *key);
char *cell_bytes(const json_t *object, const char *key);
char *cell_time(const json_t *object, const char *key); /* "-" for 0 too */

/* The same without memory: "" and 0 when absent or of another type. */
const char *text_of(const json_t *object, const char *key);
json_int_t number_of(const json_t *object, const char *key); /* 0 for a negative one too */

/* objects as a table; the same without the columns that are empty in all of them; an object as lines "heading: value", without those
 * that are absent. 0, or -ENOMEM. */
int columns_print_table(const json_t *objects, const Column *columns, size_t n_columns);
int columns_print_filled(const json_t *objects, const Column *columns, size_t n_columns);
int columns_print_fields(const json_t *object, const Column *columns, size_t n_columns);

/* An answer of the hub: with --json as it is, else as above; none is the sentence for an empty list.
 * Complain when out of memory. */
ExitStatus show_list(const json_t *objects, const Column *columns, size_t n_columns,
                     const char *none);
ExitStatus show_object(const json_t *object, const Column *columns, size_t n_columns);

/* What an act answered: {name: value} as JSON, else the sentence. Takes the reference of value. */
ExitStatus show_act(const char *name, json_t *value, const char *format, ...)
                __attribute__((format(printf, 3, 4)));
