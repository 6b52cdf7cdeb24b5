/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The export that a disk is written to, by several connections which live and die together: what one of them
 * was told is durable only for the server instance that all of them speak to (see epoch.h). Knows nothing
 * of what is written.
 */
#pragma once

#include "nbd-uri.h"
#include "nbd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        TARGET_CONNECTIONS_MAX = 8,
        TARGET_INSTANCE_SIZE = 128,
};

typedef enum TargetState {
        TARGET_CLOSED,
        TARGET_OPENING,
        TARGET_OPEN,
        TARGET_LOST, /* error says why; to be closed */
} TargetState;

/* Called once for each write, zero and flush, unless the target is closed before: 0 or a negative errno. */
typedef void (*TargetAnswer)(void *userdata, int error);

typedef struct TargetRequest TargetRequest;

typedef struct Target {
        const NbdUri *uri;
        TargetState state;
        int errnum; /* of the loss: -EROFS, -EMSGSIZE, -EOPNOTSUPP, -ESTALE: what answers is no target for us */
        char error[NBD_ERROR_SIZE];
        uint64_t size_bytes; /* what it must have */
        bool has_size;
        uint64_t found_bytes; /* what it has */
        unsigned n_wanted, n_connections, n_next;
        char instance[TARGET_INSTANCE_SIZE]; /* what the server said of itself; may be empty */
        bool has_instance;
        TargetRequest *requests; /* under way */
        size_t n_requests;
        Nbd connections[TARGET_CONNECTIONS_MAX];
} Target;

/* uri is borrowed. */
void target_init(Target *target, const NbdUri *uri, uint64_t size_bytes, unsigned n_connections);

/* Begins to open all connections. */
void target_open(Target *target);

/* Drops all of them with everything under way; no answer comes any more. */
void target_close(Target *target);

/* -ENOMEM, or another one: then the state is TARGET_LOST. */
int target_write(Target *target, const void *data, size_t length, uint64_t offset,
                 TargetAnswer answer, void *userdata);
int target_zero(Target *target, uint64_t length, uint64_t offset, TargetAnswer answer,
                void *userdata);

/* A flush on every connection. The answer comes once for each of them: *ret_n of them. */
int target_flush(Target *target, TargetAnswer answer, void *userdata, unsigned *ret_n);

/* For the loop, as a source's. fds has room for TARGET_CONNECTIONS_MAX. */
size_t target_poll(const Target *target, struct pollfd *fds, uint64_t *deadline_usec);
void target_dispatch(Target *target, const struct pollfd *fds, size_t n_fds);
