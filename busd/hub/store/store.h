/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub's way to its database: one worker thread with one connection. The event loop hands it
 * whole transactions as values and gets results back as events; the loop itself never waits for
 * MariaDB. Every method is called in the loop's thread, except StoreWork.
 */
#pragma once

#include <stdint.h>

typedef struct HubConfig HubConfig;
typedef struct Store Store;
typedef struct sd_event sd_event;
typedef struct st_mysql MYSQL;

enum {
        STORE_QUEUE_MAX = 1024,
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
        char error[STORE_ERROR_SIZE]; /* one line with cause and remedy, empty when ready */
} StoreStatus;

/* Called in the loop whenever the state or its error changed. */
typedef void (*StoreStatusHandler)(const StoreStatus *status, void *userdata);

/* One transaction, run in the worker's thread: begins and commits itself; 0 or a negative errno.
 * May run again after a lost connection when it returned -EAGAIN, so its guard must make that harmless. */
typedef int (*StoreWork)(MYSQL *database, void *job);

/* Its end, in the loop; error is what the work returned, or -ENOTCONN, -ETIMEDOUT, -ECANCELED. */
typedef void (*StoreDone)(int error, void *job, void *userdata);

/* Starts the thread. config is borrowed until store_free(). */
int store_new(sd_event *event, const HubConfig *config, StoreStatusHandler handler, void *userdata,
              Store **ret_store);

/* Ends the thread, within the query timeout at worst; open work ends with -ECANCELED. NULL. */
Store *store_free(Store *store);

const StoreStatus *store_status(const Store *store);

/* The number of the newest migration this program knows. */
uint32_t store_schema_expected(void);

/* Queues work. job is passed through and stays the caller's. -ENOTCONN when the database is not
 * ready, -EBUSY when the queue is full; then neither function is called. */
int store_submit(Store *store, StoreWork work, StoreDone done, void *job, void *userdata);

/* Asks for one attempt now: connects when unreachable, else a round trip. done gets 0 or a negative
 * errno; -EBUSY as above. Unlike store_submit() it works in every state. */
int store_probe(Store *store, StoreDone done, void *userdata);
