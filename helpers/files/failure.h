/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why files could not be read: the name of a bus error and one line that names the thing and the remedy. Every function of
 * sendense-files that can fail fills one and returns the name's errno.
 */
#pragma once

#include <guestfs.h>

typedef struct Failure {
        const char *name; /* NULL: nothing failed */
        char text[640];
} Failure;

/* Fills it; returns the negative errno that the name stands for. The text becomes one harmless line. */
int failure_set(Failure *failure, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* For a call of libguestfs that failed: what was tried, and its last words, which come from the guest's file system. */
int failure_guest(Failure *failure, guestfs_h *guest, const char *name, const char *format, ...)
                __attribute__((format(printf, 4, 5)));
