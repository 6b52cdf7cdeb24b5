/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One NBD connection to a source or a target: opened within a deadline, so that a server that accepts
 * and says nothing does not hold the import, and driven without waiting.
 */
#pragma once

#include <libnbd.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

enum {
        ENDPOINT_TIMEOUT_SEC = 10,
        ENDPOINT_ERROR_SIZE = 256,
};

typedef struct Endpoint {
        struct nbd_handle *nbd;
        char error[ENDPOINT_ERROR_SIZE]; /* why a function below failed */
} Endpoint;

/* Opens uri; base:allocation is asked for. -ECANCELED: signal_fd (may be -1) became readable;
 * -ETIMEDOUT; -ENOTCONN. To be closed in any case. */
int endpoint_open(Endpoint *endpoint, const char *uri, int signal_fd);
void endpoint_close(Endpoint *endpoint);

int endpoint_size(Endpoint *endpoint, uint64_t *ret_size);

/* 0 when the server says of itself that it is this instance; -ESTALE with what it says in error. */
int endpoint_check_instance(Endpoint *endpoint, const char *invocation_id);

/* For a poll loop: what to wait for, and what was seen. -ENOTCONN when the connection is lost. */
short endpoint_events(const Endpoint *endpoint);
int endpoint_notify(Endpoint *endpoint, short events);
