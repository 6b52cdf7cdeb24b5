/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that works on one disk: nbdcopy, or this program again to verify. It is started without a
 * shell, writes lines "N/100" to its descriptor 3, and its last line on stderr says why it failed.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_PROGRESS_FD      3
#define CHILD_PROGRESS_FD_TEXT "3"

enum {
        CHILD_LINE_SIZE = 400, /* what is longer is cut */
};

/* The lines of a pipe: the one that is coming in, and the last one that was not empty. */
typedef struct LineReader {
        int fd;
        size_t size;
        char line[CHILD_LINE_SIZE];
        char last[CHILD_LINE_SIZE];
} LineReader;

typedef struct Child {
        pid_t pid; /* 0: none */
        LineReader progress;
        LineReader errors;
        unsigned percent;
} Child;

#define CHILD_NONE ((Child){ .progress.fd = -1, .errors.fd = -1 })

/* argv ends with NULL; argv[0] is the program's path. signals are those that the caller has blocked.
 * Negative errno of the start. */
int child_start(Child *child, const char *const argv[], const sigset_t *signals);

/* Reads what has been written so far and brings percent up to date; it never goes back. */
void child_read(Child *child);

/* 1 when it has ended, with the status of waitpid(); 0 while it runs. */
int child_reap(Child *child, int *ret_status);

/* Forgets a child that has ended, or none. */
void child_done(Child *child);
