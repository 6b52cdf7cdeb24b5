/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a copy failed: the first reason counts, what follows from it does not. Every room of
 * sendense-backup-client that can fail fills one; main makes the result of it.
 */
#pragma once

#include <stdint.h>

/* Words of lib/bus/bus-error.h, whose sentences stand there. */
#define FAILURE_INVALID      "com.sendense.Error.InvalidArgument"
#define FAILURE_SOURCE       "com.sendense.Error.SourceFailed"
#define FAILURE_TARGET       "com.sendense.Error.TargetFailed"
#define FAILURE_FULL         "com.sendense.Error.RepositoryFull"
#define FAILURE_TOOL_MISSING "com.sendense.Error.ToolMissing"
#define FAILURE_CANCELLED    "com.sendense.Error.Cancelled"
#define FAILURE_OTHER        "com.sendense.Error.Failed"

enum {
        FAILURE_TEXT_SIZE = 768,
};

typedef struct Failure {
        const char *name; /* a word above, or another one of the table; NULL while nothing has failed */
        uint32_t disk_key; /* 0: of no disk */
        char text[FAILURE_TEXT_SIZE]; /* one line of valid UTF-8 */
} Failure;

/* Keeps the first reason, put into one line. Returns error, so that a failing function can. */
int failure_set(Failure *failure, int error, const char *name, uint32_t disk_key,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Puts more behind a text that was set, which is cut at a letter where there is no room for both; what is added may be half of all. */
void failure_add(Failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));
