/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reading of a JSON object by a table of its fields: what is missing, unknown, of another
 * type or out of bounds is refused with a line that names it. For specs of helpers and for the files of a
 * repository. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        JSON_FIELDS_ERROR_SIZE = 256,
};

typedef enum JsonFieldKind {
        JSON_FIELD_TEXT,
        JSON_FIELD_NUMBER, /* an integer */
        JSON_FIELD_OBJECT,
        JSON_FIELD_ARRAY,
        JSON_FIELD_BOOL,
} JsonFieldKind;

typedef struct JsonField {
        const char *key;
        JsonFieldKind kind;
        bool optional;
        uint64_t min, max; /* of a number; of a text's characters; of an array's elements */
        bool (*is_valid)(const char *text); /* of a text, NULL: any */
        const char *must; /* what is_valid() wants: "must be …" */
} JsonField;

/* 0, or -EBADMSG and one line in ret_error. where names the object in it: "the disk 2000". */
int json_fields_check(const json_t *object, const JsonField *fields, size_t n_fields,
                      const char *where, char ret_error[static JSON_FIELDS_ERROR_SIZE]);

/* Fills ret_error as the function above does, for checks beyond a table. Returns -EBADMSG. */
int json_fields_refuse(char ret_error[static JSON_FIELDS_ERROR_SIZE], const char *format, ...)
                __attribute__((format(printf, 2, 3)));

/* Members of an object that was checked: NULL, 0 and false when they are not there. */
const char *json_field_text(const json_t *object, const char *key);
uint64_t json_field_number(const json_t *object, const char *key);
bool json_field_bool(const json_t *object, const char *key);

/* A text in which a name may have been cut within a character; json_string() would make nothing of it. */
json_t *json_text_made_valid(const char *text);
