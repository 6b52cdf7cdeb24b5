/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbdkit as a child of ours, serving one disk on a socket in a private folder that nobody else can enter.
 * It never listens on anything else: the socket goes by -U, because a plugin that executes itself again (as
 * that of VDDK does) loses what socket activation hands over, and would then take TCP port 10809. The
 * password goes by a pipe, and what it says on stderr is passed on as one line without secrets. It ends
 * with us, however we end. Used by source-vddk.c.
 */
#pragma once

#include "cleanup.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Nbdkit Nbdkit;
typedef struct Secret Secret;

enum {
        NBDKIT_FDS = 3, /* what nbdkit_poll() fills */
        NBDKIT_ERROR_SIZE = 256,
        NBDKIT_PARAMETERS_MAX = 24,
};

typedef struct NbdkitCommand {
        const char *program; /* absolute */
        const char *plugin; /* a name that nbdkit knows, or the path of a .so */
        const char *const *parameters; /* "key=value", NULL at the end; none of them secret */
        const Secret *password; /* goes as password=; NULL: none. Without a line feed in it */
} NbdkitCommand;

/* Starts it. The secret is not needed afterwards. Negative errno with a line in ret_error; -EINVAL: a
 * password that cannot be handed over. */
int nbdkit_start(const NbdkitCommand *command, Nbdkit **ret_nbdkit,
                 char ret_error[static NBDKIT_ERROR_SIZE]);

/* What to wait for, and to go on afterwards: 0 it starts, 1 it listens, -ECHILD it has ended. */
void nbdkit_poll(const Nbdkit *nbdkit, struct pollfd fds[static NBDKIT_FDS]);
int nbdkit_dispatch(Nbdkit *nbdkit);

/* The URI of its socket. Borrowed. */
const char *nbdkit_uri(const Nbdkit *nbdkit);

/* The last error that it wrote, "" for none: one line, printable, the password replaced. Borrowed. */
const char *nbdkit_said(Nbdkit *nbdkit);

/* Asks it to end, without waiting. */
void nbdkit_stop(Nbdkit *nbdkit);

/* Ends it, by force after NBDKIT_STOP_MSEC, and removes its folder. NULL in, NULL out. */
Nbdkit *nbdkit_free(Nbdkit *nbdkit);
DEFINE_CLEANUP(Nbdkit *, nbdkit_free)
