/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub's way to its database: one worker thread with one connection. The event loop hands it
 * whole transactions as values and gets results back as events; the loop itself never waits for
 * MariaDB. Every function here is called in the loop's thread. Does not log: the manager does.
 */
#pragma once

#include <stdint.h>

typedef struct HubConfig HubConfig;
typedef struct Store Store;
typedef struct sd_event sd_event;
typedef struct st_mysql MYSQL;

enum {
        STORE_QUEUE_MAX = 1024, /* submitted and not yet answered */
        STORE_ATTEMPTS_MAX = 5, /* of one transaction that the server rolls back */
        STORE_ERROR_SIZE = 512,
};

typedef enum DatabaseState {
        DATABASE_CONNECTING, /* not tried yet */
        DATABASE_READY, /* connected, schema as this program was built for */
        DATABASE_UNREACHABLE, /* gone or silent; retried by itself */
        DATABASE_SCHEMA_OLDER, /* migrations are missing; looked at again by itself */
        DATABASE_SCHEMA_NEWER, /* made by a newer program; refused */
        DATABASE_STATE_MAX,
        DATABASE_STATE_INVALID = -22,
} DatabaseState;

const char *database_state_to_string(DatabaseState state);
DatabaseState database_state_from_string(const char *text);

typedef struct StoreStatus {
        DatabaseState state;
        uint32_t schema; /* found in the database, 0 when unknown */
        uint64_t n_losses; /* how often it was ready, and then was not: also when it was back before anybody looked */
        char error[STORE_ERROR_SIZE]; /* one line with cause and remedy, empty when ready */
} StoreStatus;

/* Called in the loop whenever the state or its error changed, or it was lost meanwhile. Of several changes within one turn of
 * the loop only the last is told; n_losses tells of those between. */
typedef void (*StoreStatusHandler)(const StoreStatus *status, void *userdata);

/* The statements of one transaction, run in the worker's thread and in nobody else's. The worker
 * begins it before and commits it after work returned 0 or more; a negative errno rolls it back.
 * -EAGAIN (deadlock, a lock's time limit: see database_errno()) runs it again from its beginning,
 * STORE_ATTEMPTS_MAX times in all, so work must leave job as it found it until it succeeds. */
typedef int (*StoreWork)(MYSQL *database, void *job);

/* Its end, in the loop: what work returned; -EAGAIN after the last attempt; -ENOTCONN or -ETIMEDOUT
 * when the connection was lost or the server silent: it is then unknown whether the transaction took
 * effect, and nobody but the caller, whose guard (old state, unique event id) makes that harmless,
 * may send it again; -ECANCELED when the store was ended first. May submit, must not free. */
typedef void (*StoreDone)(int error, void *job, void *userdata);

/* Starts the thread. config is borrowed until store_free(). */
int store_new(sd_event *event, const HubConfig *config, StoreStatusHandler handler, void *userdata,
              Store **ret_store);

/* Ends the thread at once, in the middle of a query too; only an attempt to connect to a silent
 * server is waited for, up to the connect timeout. Every open call is answered before it returns, what
 * did not run with -ECANCELED, as all that is submitted later. */
void store_end(Store *store);

/* Ends it, if nobody has. NULL. */
Store *store_free(Store *store);

/* As last told to the handler. */
const StoreStatus *store_status(const Store *store);

/* The number of the newest migration this program knows. */
uint32_t store_schema_expected(void);

/* Queues work; the order of submission is the order of running and of answers. job is passed through
 * and stays the caller's. -ENOTCONN when the database is not ready, -EBUSY when the queue is full,
 * -ECANCELED while the store is being freed; then neither function is called. */
int store_submit(Store *store, StoreWork work, StoreDone done, void *job, void *userdata);

/* Asks for one attempt now: connects when unreachable, else a round trip. done gets 0 when the server
 * answered, whatever its schema; -EACCES when it does not let us in, -ENOTCONN or -ETIMEDOUT; by then
 * store_status() is true. Unlike store_submit() it works in every state. -EBUSY as above. */
int store_probe(Store *store, StoreDone done, void *userdata);
