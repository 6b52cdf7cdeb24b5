/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging: one line where an error ends, with its job. To the journal with SENDENSE_ fields when
 * stderr is the journal's, to stderr as plain text otherwise. Daemons, helpers and the command line
 * call it; library rooms and pure code never do.
 */
#pragma once

#include "message-id.h"

#include <stdint.h>
#include <syslog.h>

/* What a line is about. Zero and NULL members are left out. Strings are borrowed for the call. */
typedef struct LogContext {
        uint64_t job;
        const char *vm;
        const char *disk; /* VMware's device key as text: "2000" */
        const char *phase;
        const char *node;
        const char *principal;
} LogContext;

/* Decides once where lines go. The identifier is borrowed for the life of the program, whose exit() waits until journald
 * has read its lines (see journal-barrier.h). */
void log_open(const char *identifier);

/* To the journal in any case: for a program whose stderr is somebody else's, as sshd's. */
void log_open_journal(const char *identifier);

void log_set_level(int level);
int log_get_level(void);

/* Writes one line. error is 0 or a negative errno, which %m in the format expands to, and which is
 * returned unchanged. The line is dropped when its level is below the one set. */
int log_line(int level, int error, const LogContext *context, MessageId id, const char *file,
             int line, const char *function, const char *format, ...)
                __attribute__((format(printf, 8, 9)));

#define log_full(level, error, context, id, ...) \
        log_line((level), (error), (context), (id), __FILE__, __LINE__, __func__, __VA_ARGS__)

#define log_error(error, ...)   log_full(LOG_ERR, (error), NULL, MESSAGE_NONE, __VA_ARGS__)
#define log_warning(error, ...) log_full(LOG_WARNING, (error), NULL, MESSAGE_NONE, __VA_ARGS__)
#define log_notice(...)         (void) log_full(LOG_NOTICE, 0, NULL, MESSAGE_NONE, __VA_ARGS__)
#define log_info(...)           (void) log_full(LOG_INFO, 0, NULL, MESSAGE_NONE, __VA_ARGS__)
#define log_debug(...)          (void) log_full(LOG_DEBUG, 0, NULL, MESSAGE_NONE, __VA_ARGS__)
#define log_oom()               log_error(-ENOMEM, "Out of memory")

/* An event of message-id.h; context may be NULL. */
#define log_event(level, error, context, id, ...) \
        log_full((level), (error), (context), (id), __VA_ARGS__)
