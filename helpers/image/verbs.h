/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of sendense-image. Each gets the spec from stdin, which it checks itself, and gives the members
 * of its result, or a failure. main() reads, prints and knows the names.
 */
#pragma once

#include "failure.h"
#include "json-fields.h"

#include <jansson.h>

/* 0 and the caller's reference, or a negative errno and a failure. */
typedef int (*Verb)(const json_t *spec, json_t **ret_result, Failure *failure);

int verb_prepare(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_health(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_create(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_finish(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_commit(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_undo(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_record(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_scan(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_restore(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_restore_undo(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_delete(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_delete_undo(const json_t *spec, json_t **ret_result, Failure *failure);
int verb_verify(const json_t *spec, json_t **ret_result, Failure *failure);
