/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies all disks of a spec: one nbdcopy for each, a few at a time, then the verification of each. The
 * first failure and a signal end the others; when it returns, no child is left.
 */
#pragma once

#include "failure.h"
#include "spec.h"

#include <signal.h>

enum {
        COPIES_MAX = 4, /* at a time */
        CHILD_GRACE_SEC = 2, /* between TERM and KILL */
};

typedef struct CopyRequest {
        const ImportSpec *spec;
        const char *nbdcopy; /* its path */
        const sigset_t *signals; /* blocked by the caller: SIGTERM, SIGINT, SIGCHLD */
        int signal_fd; /* that reads them, without waiting */
} CopyRequest;

/* 0 when every disk is copied and flushed; otherwise a negative errno with failure set. */
int copy_disks(const CopyRequest *request, Failure *failure);
