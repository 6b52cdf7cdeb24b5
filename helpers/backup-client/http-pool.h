/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests under way on a few kept connections, driven by somebody else's poll(2): all of libcurl's
 * descriptors are behind one epoll. Knows no sessions and judges nothing.
 */
#pragma once

#include "http-request.h"

#include <stdint.h>

#include "cleanup.h"

typedef struct HttpPool HttpPool;

int http_pool_new(unsigned n_connections, HttpPool **ret_pool);

/* Closes all connections; what is under way is dropped. NULL in, NULL out. */
HttpPool *http_pool_free(HttpPool *pool);
DEFINE_CLEANUP(HttpPool *, http_pool_free)

/* Begins a prepared request. */
int http_pool_add(HttpPool *pool, HttpRequest *request);

/* Drops it, if it is under way. */
void http_pool_remove(HttpPool *pool, HttpRequest *request);

/* What to poll for POLLIN, and until when at most. */
int http_pool_fd(const HttpPool *pool);
uint64_t http_pool_deadline(const HttpPool *pool);

/* Goes on as far as it goes without waiting. */
void http_pool_work(HttpPool *pool);

/* The next request that has ended; NULL: none. */
HttpRequest *http_pool_next(HttpPool *pool, CURLcode *ret_code);
