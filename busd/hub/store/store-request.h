/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to a function of the store and comes back: JSON in the words of the bus, so that a list
 * goes from a table to a caller without a hand in between. Used by store-*.c, in the worker's thread.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

enum {
        STORE_REFUSAL_NAME_SIZE = 96,
        STORE_REFUSAL_TEXT_SIZE = 768,
        STORE_LIST_DEFAULT = 100, /* rows of a list */
        STORE_LIST_MAX = 1000,
};

typedef struct StoreRequest {
        json_t *in;
        json_t *out; /* set by a function that succeeds */
        /* Set by one that refuses: a bus error's name, and one line for people. */
        char error_name[STORE_REFUSAL_NAME_SIZE];
        char error_text[STORE_REFUSAL_TEXT_SIZE];
} StoreRequest;

/* Refuses; returns error, so that it can be returned. */
int store_refuse(StoreRequest *request, int error, const char *name, const char *format, ...)
                __attribute__((format(printf, 4, 5)));

/* Members of an object: NULL and 0 when absent or of another type. */
const char *object_text(const json_t *object, const char *key);
uint64_t object_number(const json_t *object, const char *key);

/* Limit of the request for a list that is whole without one: INT64_MAX when absent, STORE_LIST_MAX at most. */
uint64_t store_limit_or_all(const StoreRequest *request);

/* Limit of a list's request: STORE_LIST_DEFAULT when absent, STORE_LIST_MAX at most. */
uint64_t store_limit(const StoreRequest *request);

/* Answers with out (taken). -ENOMEM for NULL. */
int store_answer(StoreRequest *request, json_t *out);
