/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables and lines of fields from objects (see columns.h).
 */
#include "columns.h"

#include "cleanup.h"
#include "format.h"
#include "json-cleanup.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

json_int_t number_of(const json_t *object, const char *key)
{
        json_int_t number = json_integer_value(json_object_get(object, key));

        return number < 0 ? 0 : number;
}

/* "-", "?", or NULL when there is a value of that type. */
static const char *instead(const json_t *object, const char *key, json_type type)
{
        const json_t *value = json_object_get(object, key);

        if (!value)
                return "-";
        return json_typeof(value) == type ? NULL : "?";
}

char *cell_text(const json_t *object, const char *key)
{
        const char *other = instead(object, key, JSON_STRING);

        return strdup(other ?: *text_of(object, key) ? other ?: text_of(object, key) : "-");
}

static char *number_as(const json_t *object, const char *key,
                       const char *(*format)(uint64_t number, char *ret_text))
{
        const char *other = instead(object, key, JSON_INTEGER);
        char text[FORMAT_SIZE];

        return strdup(other ?: format((uint64_t) number_of(object, key), text));
}

static const char *plain(uint64_t number, char *ret_text)
{
        (void) snprintf(ret_text, FORMAT_SIZE, "%ju", (uintmax_t) number);
        return ret_text;
}

static const char *bytes(uint64_t number, char *ret_text)
{
        return format_bytes(number, ret_text);
}

static const char *local_time(uint64_t number, char *ret_text)
{
        return format_time(number, ret_text);
}

char *cell_number(const json_t *object, const char *key)
{
        return number_as(object, key, plain);
}

char *cell_bytes(const json_t *object, const char *key)
{
        return number_as(object, key, bytes);
}

char *cell_time(const json_t *object, const char *key)
{
        return number_as(object, key, local_time);
}

static json_t *make_row(const json_t *object, const Column *columns, size_t n_columns)
{
        CLEANUP(json_decref_p) json_t *row = json_array();

        for (size_t i = 0; i < n_columns; i++) {
                _cleanup_free_ char *cell = object ? columns[i].cell(object, columns[i].key)
                                                   : strdup(columns[i].heading);

                if (!cell || json_array_append_new(row, json_string_nocheck(cell)) < 0)
                        return NULL;
        }
        return TAKE(row);
}

int columns_print_table(const json_t *objects, const Column *columns, size_t n_columns)
{
        CLEANUP(json_decref_p) json_t *rows = json_array();
        unsigned right = 0;
        json_t *object;
        size_t i;

        for (i = 0; i < n_columns; i++)
                right |= columns[i].right ? 1U << i : 0;
        if (json_array_append_new(rows, make_row(NULL, columns, n_columns)) < 0)
                return -ENOMEM;
        json_array_foreach (objects, i, object)
                if (json_array_append_new(rows, make_row(object, columns, n_columns)) < 0)
                        return -ENOMEM;
        return output_table(rows, right);
}

/* 1: of none of objects has the column something to say. */
static int is_empty(const json_t *objects, const Column *column)
{
        const json_t *object;
        size_t i;

        json_array_foreach (objects, i, object) {
                _cleanup_free_ char *cell = column->cell(object, column->key);

                if (!cell)
                        return -ENOMEM;
                if (strcmp(cell, "-") != 0)
                        return 0;
        }
        return 1;
}

int columns_print_filled(const json_t *objects, const Column *columns, size_t n_columns)
{
        Column filled[COLUMNS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < n_columns; i++) {
                int r = is_empty(objects, columns + i);

                if (r < 0)
                        return r;
                if (r == 0)
                        filled[n++] = columns[i];
        }
        return columns_print_table(objects, filled, n);
}

int columns_print_fields(const json_t *object, const Column *columns, size_t n_columns)
{
        int width = 0;

        for (size_t i = 0; i < n_columns; i++)
                if ((int) strlen(columns[i].heading) > width)
                        width = (int) strlen(columns[i].heading);
        for (size_t i = 0; i < n_columns; i++) {
                _cleanup_free_ char *cell = columns[i].cell(object, columns[i].key);

                if (!cell)
                        return -ENOMEM;
                if (strcmp(cell, "-") == 0)
                        continue;
                output_line("%*s: %s", width, columns[i].heading, cell);
        }
        return 0;
}

ExitStatus show_list(const json_t *objects, const Column *columns, size_t n_columns,
                     const char *none)
{
        int r = 0;

        if (arg_json)
                r = output_json(objects);
        else if (json_array_size(objects) == 0)
                (void) puts(none);
        else
                r = columns_print_table(objects, columns, n_columns);
        return r < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
}

ExitStatus show_object(const json_t *object, const Column *columns, size_t n_columns)
{
        int r = arg_json ? output_json(object) : columns_print_fields(object, columns, n_columns);

        return r < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
}

ExitStatus show_act(const char *name, json_t *value, const char *format, ...)
{
        CLEANUP(json_decref_p) json_t *object = json_pack("{s:o}", name, value);
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        if (!text || !object || (arg_json && output_json(object) < 0))
                return complain(CTL_FAILED, "Out of memory");
        if (!arg_json)
                output_line("%s", text);
        return CTL_OK;
}
