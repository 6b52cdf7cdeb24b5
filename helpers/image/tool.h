/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs qemu-img and qemu-nbd as children in the folder of an image, and turns what they say into named
 * failures. The only room of this helper that starts processes.
 */
#pragma once

#include "failure.h"

#include <stddef.h>
#include <sys/types.h>

enum {
        TOOL_OUTPUT_MAX = 8 * 1024 * 1024, /* a chain's description; 1 KiB a layer */
        TOOL_WORDS_MAX = 20,
        TOOL_SAID_SIZE = 2048,
};

/* The end of what a child wrote on stderr. */
typedef struct Said {
        char text[TOOL_SAID_SIZE];
        size_t n;
} Said;

typedef struct Child {
        const char *program;
        pid_t pid; /* 0: none, or reaped */
        int out, err; /* what we read, -1: closed */
} Child;

/* Starts argv (ending with NULL) in a folder, stdin from nothing, messages in English. ToolMissing when
 * the program is not there. */
int child_start(Child *child, int folder, const char *const argv[], Failure *failure);

/* Reads what came on stderr, which may be nothing, and keeps its end. -errno, 0 at the end, 1 else. */
int child_hear(Child *child, Said *said);

/* Waits for the end; *ret_status is that of waitpid(). */
int child_wait(Child *child, int *ret_status, Failure *failure);

/* Ends and reaps it, if it is there. */
void child_done(Child *child);

/* Runs argv to its end. *ret_status is the exit status; a child that was killed is a failure. *ret_output,
 * which may be NULL, is what it printed; the caller frees it. */
int tool_run(int folder, const char *const argv[], int *ret_status, char **ret_output,
             Said *ret_said, Failure *failure);

/* Names a child's failure by what it said: ImageBusy, RepositoryFull, …, or the name given. */
int tool_failure(Failure *failure, const char *name, const char *path, const char *what,
                 const Said *said);

/* ToolMissing unless qemu-img or qemu-nbd is there and not older than lib/image-shape.h says. */
int tool_check_version(const char *program, Failure *failure);
