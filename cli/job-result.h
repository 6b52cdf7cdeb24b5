/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What came of a job about a backup, in words: for those types whose result a person wants to read.
 */
#pragma once

#include <jansson.h>

/* job: as GetJob answers. Prints nothing where there is nothing to say. */
void job_result_print(const json_t *job);
