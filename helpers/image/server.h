/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A private qemu-nbd that serves one image read-only to this process alone, for the digests: on a socket
 * in a folder that nobody else can enter.
 */
#pragma once

#include "image.h"
#include "tool.h"

typedef struct Server {
        const Image *image;
        char *folder; /* of the socket; NULL: none */
        char *socket;
        char *pid_file;
        Child child;
        Said said;
} Server;

/* Starts it and waits until it listens. ImageBusy, ImageDamaged, ToolMissing. */
int server_start(Server *server, const Image *image, Failure *failure);

/* Names the failure of a server that broke off in the middle: what it said, or what the client saw. */
int server_failure(Server *server, const char *what, Failure *failure);

/* Waits for one that has closed its connection, so that server_failure() can tell how it ended. */
void server_wait_end(Server *server);

/* Ends it and removes its folder. */
void server_done(Server *server);
