/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two lists, a status and a lock (see store-queue.h).
 */
#include "store-queue.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void calls_append(StoreCalls *calls, StoreCall *call)
{
        call->next = NULL;
        *calls->end = call;
        calls->end = &call->next;
}

static StoreCall *calls_take_all(StoreCalls *calls)
{
        StoreCall *first = calls->first;

        calls->first = NULL;
        calls->end = &calls->first;
        return first;
}

/* The counter cannot overflow: the reader is behind by STORE_QUEUE_MAX at most. */
static void wake(int fd)
{
        (void) eventfd_write(fd, 1);
}

static void close_fds(StoreQueue *queue)
{
        if (queue->to_worker_fd >= 0)
                (void) close(queue->to_worker_fd);
        if (queue->to_loop_fd >= 0)
                (void) close(queue->to_loop_fd);
}

int store_queue_init(StoreQueue *queue)
{
        int r;

        *queue = (StoreQueue){
                .connection_fd = -1,
                .to_worker_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                .to_loop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        };
        queue->in.end = &queue->in.first;
        queue->out.end = &queue->out.first;
        r = queue->to_worker_fd < 0 || queue->to_loop_fd < 0
                            ? -errno
                            : -pthread_mutex_init(&queue->lock, NULL);
        if (r < 0)
                close_fds(queue);
        return r;
}

void store_queue_done(StoreQueue *queue)
{
        (void) pthread_mutex_destroy(&queue->lock);
        close_fds(queue);
}

static void lock(StoreQueue *queue)
{
        (void) pthread_mutex_lock(&queue->lock);
}

static void unlock(StoreQueue *queue)
{
        (void) pthread_mutex_unlock(&queue->lock);
}

void store_queue_put(StoreQueue *queue, StoreCall *call)
{
        lock(queue);
        calls_append(&queue->in, call);
        unlock(queue);
        wake(queue->to_worker_fd);
}

void store_queue_stop(StoreQueue *queue)
{
        lock(queue);
        queue->is_stopping = true;
        if (queue->connection_fd >= 0)
                (void) shutdown(queue->connection_fd, SHUT_RDWR);
        unlock(queue);
        wake(queue->to_worker_fd);
}

StoreCall *store_queue_take_answers(StoreQueue *queue)
{
        StoreCall *first;

        lock(queue);
        first = calls_take_all(&queue->out);
        unlock(queue);
        return first;
}

StoreCall *store_queue_take_unanswered(StoreQueue *queue)
{
        StoreCall *first;

        lock(queue);
        first = calls_take_all(&queue->in);
        unlock(queue);
        return first;
}

bool store_queue_take_status(StoreQueue *queue, StoreStatus *ret_status)
{
        bool has_news;

        lock(queue);
        has_news = queue->has_news;
        if (has_news)
                *ret_status = queue->status;
        queue->has_news = false;
        unlock(queue);
        return has_news;
}

bool store_queue_is_stopping(StoreQueue *queue)
{
        bool is_stopping;

        lock(queue);
        is_stopping = queue->is_stopping;
        unlock(queue);
        return is_stopping;
}

StoreCall *store_queue_next(StoreQueue *queue)
{
        StoreCall *call = NULL;

        lock(queue);
        if (!queue->is_stopping && queue->in.first) {
                call = queue->in.first;
                queue->in.first = call->next;
                if (!queue->in.first)
                        queue->in.end = &queue->in.first;
        }
        unlock(queue);
        return call;
}

void store_queue_answer(StoreQueue *queue, StoreCall *call, int result)
{
        call->result = result;
        lock(queue);
        calls_append(&queue->out, call);
        unlock(queue);
        wake(queue->to_loop_fd);
}

void store_queue_set_status(StoreQueue *queue, const StoreStatus *status)
{
        bool changed;

        lock(queue);
        changed = queue->status.state != status->state || queue->status.schema != status->schema ||
                  queue->status.n_losses != status->n_losses ||
                  strcmp(queue->status.error, status->error) != 0;
        if (changed) {
                queue->status = *status;
                queue->has_news = true;
        }
        unlock(queue);
        if (changed)
                wake(queue->to_loop_fd);
}

void store_queue_set_connection(StoreQueue *queue, int fd)
{
        lock(queue);
        queue->connection_fd = fd;
        /* The wish to end may have come while there was no connection to cut yet. */
        if (fd >= 0 && queue->is_stopping)
                (void) shutdown(fd, SHUT_RDWR);
        unlock(queue);
}
