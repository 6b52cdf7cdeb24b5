/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a verb says what went wrong: the name of a bus error and one line that names the thing and the
 * remedy. Every function of this helper that can fail fills one and returns the name's errno.
 */
#pragma once

#include <stdbool.h>

typedef struct Failure {
        const char *name; /* NULL: nothing failed */
        bool is_unbegun; /* a verb that its caller would undo knows that it has changed nothing */
        char text[640];
} Failure;

/* Fills it; returns the negative errno that the name stands for. The text becomes one line of UTF-8. */
int failure_set(Failure *failure, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Whether a negative errno says that the repository's file system is not there or its server does not answer: nothing about what
 * lies there. */
bool failure_is_away(int error);

/* For a system call that failed: the errno decides name and remedy, format says what was tried. */
int failure_errno(Failure *failure, int error, const char *format, ...)
                __attribute__((format(printf, 3, 4)));
