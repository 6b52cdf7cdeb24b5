/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs about jobs share: arguments, and cells that are made of several values.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>
#include <stdint.h>

enum {
        LIST_LIMIT_DEFAULT = 100, /* as at the hub */
        LIST_LIMIT_MAX = 1000,
};

/* A job's number from argv. CTL_USAGE after a complaint. */
ExitStatus job_id_parse(const char *text, uint64_t *ret_id);

/* --limit=, or what holds without it. CTL_USAGE after a complaint. */
ExitStatus limit_parse(uint32_t *ret_limit);

/* The words under a list that is as long as it may be. */
void limit_print(const json_t *list, uint32_t limit);

/* Cells for columns.h; key is not looked at. */
char *cell_job_progress(const json_t *job, const char *key); /* "45 %" while it copies */
char *cell_job_span(const json_t *job, const char *key); /* from start to end, or until now */
char *cell_job_state(const json_t *job, const char *key); /* with the end that it goes to */
