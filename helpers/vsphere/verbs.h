/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of sendense-vsphere. Each reads its spec strictly, does one thing at one vCenter, logs out, and
 * gives an object as its result.
 */
#pragma once

#include "vsphere/error.h"

#include <jansson.h>

typedef struct Task {
        const json_t *spec;
        const char *password_file; /* of a person; NULL: the spec names a credential */
        int cancel_fd; /* readable after SIGTERM or SIGINT */
} Task;

/* 0 with *ret_result, or a negative errno with error set. */
typedef int (*Verb)(const Task *task, json_t **ret_result, VSphereError *error);

int verb_certificate(const Task *task, json_t **ret_result, VSphereError *error);
int verb_test(const Task *task, json_t **ret_result, VSphereError *error);
int verb_discover(const Task *task, json_t **ret_result, VSphereError *error);
int verb_prepare(const Task *task, json_t **ret_result, VSphereError *error);
int verb_snapshot(const Task *task, json_t **ret_result, VSphereError *error);
int verb_release(const Task *task, json_t **ret_result, VSphereError *error);
int verb_import(const Task *task, json_t **ret_result, VSphereError *error);
int verb_import_end(const Task *task, json_t **ret_result, VSphereError *error);
int verb_in_place_look(const Task *task, json_t **ret_result, VSphereError *error);
int verb_in_place_swap(const Task *task, json_t **ret_result, VSphereError *error);
int verb_in_place_end(const Task *task, json_t **ret_result, VSphereError *error);
