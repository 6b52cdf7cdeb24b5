/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One function of the store as a call: the request goes in as JSON, the answer comes back as JSON or
 * as a named error. Used by the bus methods and the job runner; the functions themselves are in
 * store-*.h.
 */
#pragma once

#include "store/store.h"

#include <jansson.h>

/* out is borrowed and NULL when error is negative; then name and text say it for people. */
typedef void (*StoreAnswer)(int error, const json_t *out, const char *name, const char *text,
                            void *userdata);

/* Takes in, on failure too. Errors as store_submit(); then answer is not called. */
int store_call(Store *store, StoreWork work, json_t *in, StoreAnswer answer, void *userdata);
