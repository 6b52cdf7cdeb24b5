/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all verbs begin and end with: the signals that cancel them, and their one result on standard output.
 */
#pragma once

#include "failure.h"

#include <jansson.h>

/* Blocks SIGTERM and SIGINT; *ret_fd becomes readable with one of them, and stays so. SIGPIPE is ignored. */
int verb_signals(int *ret_fd);

/* Writes the result, or that of the failure when there is one, and logs the latter. Takes the result's
 * reference. Returns the exit status. */
int verb_end(uint64_t job, json_t *result, const Failure *failure);
