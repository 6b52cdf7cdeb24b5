/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the node must not forget: one small durable file for each task, written before anything is asked of vCenter
 * and whenever the task takes a step. It holds no secret. Reading trusts nothing: a file that makes no sense is left
 * where it is and told about.
 *
 * A write waits for the disk in the daemon's loop: some milliseconds, a handful of times in a task.
 */
#pragma once

#include "result-file.h"

#include <jansson.h>
#include <stdint.h>

enum {
        LEDGER_ROW_MAX = 1024 * 1024,
        LEDGER_RESULT_MAX = RESULT_COPY_MAX,
        LEDGER_ROWS_MAX = 1000,
};

typedef struct Ledger Ledger;

/* Opens the folder, and makes it in one that exists. */
int ledger_open(const char *folder, Ledger **ret_ledger);
Ledger *ledger_close(Ledger *ledger);

/* row is {"Job": n, …}; durable when it returns 0. */
int ledger_write(Ledger *ledger, const json_t *row);

/* The whole result of a job's copy, digests included, beside its row. */
int ledger_write_result(Ledger *ledger, uint64_t job, const json_t *result);

/* That result as a file to be read. -ENOENT: there is none. */
int ledger_open_result(Ledger *ledger, uint64_t job, int *ret_fd);

/* The row and the result. 0 also when there was none. */
int ledger_remove(Ledger *ledger, uint64_t job);

/* Calls take() with each row (borrowed), and bad() with each file that is none and why. */
int ledger_read(Ledger *ledger, void (*take)(const json_t *row, void *userdata),
                void (*bad)(const char *name, int error, void *userdata), void *userdata);
