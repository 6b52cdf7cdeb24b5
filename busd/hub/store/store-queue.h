/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the loop's thread and the worker's thread share, and all they share: calls on their way in and
 * out, the newest status, the wish to end. Each function locks by itself. No SQL and no events here.
 */
#pragma once

#include "store.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct StoreCall StoreCall;

struct StoreCall {
        StoreCall *next;
        StoreWork work; /* NULL: a probe */
        StoreDone done;
        void *job;
        void *userdata;
        int result;
};

typedef struct StoreCalls {
        StoreCall *first;
        StoreCall **end;
} StoreCalls;

typedef struct StoreQueue {
        pthread_mutex_t lock;
        StoreCalls in, out;
        StoreStatus status;
        bool has_news; /* status was changed and not taken */
        bool is_stopping;
        int connection_fd; /* the worker's socket while it is open, or -1 */
        int to_worker_fd, to_loop_fd; /* eventfds */
} StoreQueue;

int store_queue_init(StoreQueue *queue);
void store_queue_done(StoreQueue *queue);

/* The loop's side. */
void store_queue_put(StoreQueue *queue, StoreCall *call); /* takes it */
void store_queue_stop(
                StoreQueue *queue); /* and cuts the connection, so that no query is waited for */
StoreCall *store_queue_take_answers(StoreQueue *queue); /* a list, in order */
StoreCall *store_queue_take_unanswered(
                StoreQueue *queue); /* the same; after the thread has ended */
bool store_queue_take_status(StoreQueue *queue, StoreStatus *ret_status);

/* The worker's side. */
bool store_queue_is_stopping(StoreQueue *queue);
StoreCall *store_queue_next(StoreQueue *queue); /* NULL when empty or stopping */
void store_queue_answer(StoreQueue *queue, StoreCall *call, int result); /* takes it */
void store_queue_set_status(StoreQueue *queue, const StoreStatus *status);

/* The worker opened (fd) or is about to close (-1) its connection. */
void store_queue_set_connection(StoreQueue *queue, int fd);
