/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A private qemu-nbd that serves one image to this process alone, for the digests and for restores: on a socket
 * in a folder that nobody else can enter.
 */
#pragma once

#include "image.h"
#include "tool.h"

#include <stdbool.h>

typedef struct Server {
        const Image *image;
        char *folder; /* of the socket; NULL: none */
        char *socket;
        char *pid_file;
        Child child;
        Said said;
} Server;

/* How it serves. Zeroed but for the format: read-only, to one client, through the cache. */
typedef struct ServerUse {
        const char *format;
        bool is_writable;
        bool is_direct; /* past the kernel's cache */
        unsigned n_clients;
} ServerUse;

/* Starts it and waits until it listens; it ends with its last client. ImageBusy, ImageDamaged, ToolMissing. */
int server_start(Server *server, const Image *image, const ServerUse *use, Failure *failure);

/* Names the failure of a server that broke off in the middle: what it said, or what the client saw. */
int server_failure(Server *server, const char *what, Failure *failure);

/* Waits for one that has closed its connection, so that server_failure() can tell how it ended. */
void server_wait_end(Server *server);

/* Ends one that has lost its last client and waits for it: did it close its image well? */
int server_end(Server *server, Failure *failure);

/* Ends it and removes its folder. */
void server_done(Server *server);
