/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy (see restore-copy.h). A part is what one digest is about, or what lies between two of them, where there
 * must be zeroes. Its leaves come back in any order; who brings the last one judges it.
 */
#include "restore-copy.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "expected.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
        TASKS_MAX = 64, /* leaves that wait for a worker */
        BUFFER_ALIGNMENT = 4096,
};

typedef struct Part {
        const Expected *expected; /* NULL: zeroes */
        uint64_t n_open; /* leaves under way, and one while more may come */
        bool is_unreadable;
        uint8_t sums[]; /* of its leaves; none of zeroes */
} Part;

typedef struct Task {
        Part *part;
        uint64_t offset;
        size_t length;
} Task;

typedef struct Copy {
        const RestoreRequest *request;
        pthread_mutex_t lock; /* of all below, and of parts */
        pthread_cond_t changed;
        Task tasks[TASKS_MAX]; /* a ring */
        size_t first, n_tasks;
        bool is_complete; /* no more tasks */
        int error; /* the first; nobody goes on */
        Failure *failure;
        uint64_t bytes_done;
        RestoreOutcome outcome;

        /* Of the dealer alone. */
        LeafHasher *hasher;
        uint8_t zero_leaf[LEAF_SUM_BYTES];
        Announced announced;
} Copy;

typedef struct Worker {
        Copy *copy;
        unsigned number;
        pthread_t thread;
        LeafHasher *hasher;
        void *data; /* of a leaf */
} Worker;

/* The first failure is the one that is told. */
static int stop(Copy *copy, int error, const Failure *failure)
{
        (void) pthread_mutex_lock(&copy->lock);
        if (copy->error == 0) {
                copy->error = error;
                *copy->failure = *failure;
        }
        (void) pthread_cond_broadcast(&copy->changed);
        (void) pthread_mutex_unlock(&copy->lock);
        return error;
}

static int fail(Copy *copy, int error, const char *what)
{
        Failure failure = {};

        (void) failure_errno(&failure, error, "Cannot %s %s", what, copy->request->chain->path);
        return stop(copy, error, &failure);
}

static int add_damaged(Copy *copy, uint64_t offset, uint64_t length, const char *backup_id)
{
        int r = 0;

        (void) pthread_mutex_lock(&copy->lock);
        if (copy->outcome.n_damaged++ < RESTORE_DAMAGED_MAX)
                r = json_array_append_new(copy->outcome.damaged,
                                          json_pack("{s:I, s:I, s:s}", "offset",
                                                    (json_int_t) offset, "length",
                                                    (json_int_t) length, "backup_id", backup_id));
        (void) pthread_mutex_unlock(&copy->lock);
        return r < 0 ? fail(copy, -ENOMEM, "keep what is damaged in") : 0;
}

/* A part that is not what it was. */
static int on_damaged(Copy *copy, uint64_t offset, uint64_t length, const char *backup_id)
{
        Failure failure = {};

        if (copy->request->damaged_ok)
                return add_damaged(copy, offset, length, backup_id);
        (void) failure_set(&failure, BUS_ERROR_BACKUP_DAMAGED,
                           "disk %" PRIu32 ": the %" PRIu64 " KiB at offset %" PRIu64
                           " are not what was backed up, by the digest of %s; restore another "
                           "backup, or give the option damaged_ok to get what can be had",
                           copy->request->disk_key, length / 1024, offset, backup_id);
        return stop(copy, -EBADMSG, &failure);
}

static uint64_t n_leaves(uint64_t length)
{
        return (length + LEAF_BYTES - 1) / LEAF_BYTES;
}

/* One leaf less is open; after the last one the part is compared with its digest, unless somebody failed, and
 * forgotten. */
static int part_put(Copy *copy, Part *part, LeafHasher *hasher)
{
        const ChainLayer *layers = copy->request->chain->layers;
        uint8_t sum[LEAF_SUM_BYTES];
        bool is_last, is_judged;
        int r = 0;

        (void) pthread_mutex_lock(&copy->lock);
        is_last = --part->n_open == 0;
        is_judged = copy->error == 0 && part->expected;
        (void) pthread_mutex_unlock(&copy->lock);
        if (!is_last)
                return 0;
        if (is_judged) {
                const Expected *expected = part->expected;

                r = leaf_hasher_sum_leaf(hasher, part->sums,
                                         n_leaves(expected->length) * LEAF_SUM_BYTES, sum);
                if (r < 0)
                        r = fail(copy, r, "check what was read of");
                else if (part->is_unreadable || memcmp(sum, expected->sum, sizeof(sum)) != 0)
                        r = on_damaged(copy, expected->offset, expected->length,
                                       layers[expected->layer].backup_id);
        }
        free(part);
        return r;
}

/* 0 when there is nothing more to do. */
static bool take_task(Copy *copy, Task *ret_task)
{
        bool is_there;

        (void) pthread_mutex_lock(&copy->lock);
        while (copy->n_tasks == 0 && !copy->is_complete && copy->error == 0)
                (void) pthread_cond_wait(&copy->changed, &copy->lock);
        is_there = copy->n_tasks > 0 && copy->error == 0;
        if (is_there) {
                *ret_task = copy->tasks[copy->first];
                copy->first = (copy->first + 1) % TASKS_MAX;
                copy->n_tasks--;
                (void) pthread_cond_broadcast(&copy->changed);
        }
        (void) pthread_mutex_unlock(&copy->lock);
        return is_there;
}

static bool is_zero(const uint8_t *data, size_t length)
{
        return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

/* Where no layer says that it holds anything there is nothing but zeroes. */
static int check_zero(Copy *copy, const Worker *worker, const Task *task, bool is_read)
{
        const Chain *chain = copy->request->chain;

        return is_read && is_zero(worker->data, task->length)
                               ? 0
                               : on_damaged(copy, task->offset, task->length,
                                            chain->layers[0].backup_id);
}

/* Compared, or remembered for the judgement of its part. */
static int check_leaf(Copy *copy, const Worker *worker, const Task *task, bool is_read)
{
        Part *part = task->part;
        size_t leaf;
        int r;

        if (!part->expected)
                return check_zero(copy, worker, task, is_read);
        leaf = (size_t) ((task->offset - part->expected->offset) / LEAF_BYTES);
        r = leaf_hasher_sum_leaf(worker->hasher, worker->data, task->length,
                                 part->sums + leaf * LEAF_SUM_BYTES);
        if (r < 0)
                return fail(copy, r, "check what was read of");
        if (!is_read) {
                (void) pthread_mutex_lock(&copy->lock);
                part->is_unreadable = true;
                (void) pthread_mutex_unlock(&copy->lock);
        }
        return 0;
}

static int copy_leaf(Copy *copy, const Worker *worker, const Task *task)
{
        Failure failure = {};
        bool is_read;
        int r;

        r = restore_source_read(copy->request->source, worker->number, worker->data, task->length,
                                task->offset, &failure);
        if (r < 0 || (r > 0 && !copy->request->damaged_ok))
                return stop(copy, r < 0 ? r : -EUCLEAN, &failure);
        is_read = r == 0;
        if (!is_read)
                memset(worker->data, 0, task->length);
        r = check_leaf(copy, worker, task, is_read);
        if (r < 0)
                return r;
        r = restore_target_write(copy->request->target, worker->number, worker->data, task->length,
                                 task->offset, &failure);
        if (r < 0)
                return stop(copy, r, &failure);
        (void) pthread_mutex_lock(&copy->lock);
        copy->bytes_done += task->length;
        (void) pthread_mutex_unlock(&copy->lock);
        return 0;
}

static void *work(void *userdata)
{
        Worker *worker = userdata;
        Copy *copy = worker->copy;
        Task task;

        while (take_task(copy, &task)) {
                (void) copy_leaf(copy, worker, &task);
                (void) part_put(copy, task.part, worker->hasher);
        }
        return NULL;
}

/* The lock is held. What was dealt out in leaves may be more than what the images hold. */
static void tell(Copy *copy)
{
        const RestoreRequest *request = copy->request;
        uint64_t total = restore_target_total(request->target);

        announce_disk(request->announcer, &copy->announced, request->disk_key,
                      copy->bytes_done < total ? copy->bytes_done : total, total, false);
}

/* The lock is held. Waits for a change, and tells at times how far it is. */
static void wait_changed(Copy *copy)
{
        uint64_t until = clock_monotonic_usec() + USEC_PER_SEC / 2;
        const struct timespec time = { .tv_sec = (time_t) (until / USEC_PER_SEC),
                                       .tv_nsec = (long) (until % USEC_PER_SEC * 1000) };

        tell(copy);
        (void) pthread_cond_timedwait(&copy->changed, &copy->lock, &time);
}

/* -ECANCELED when somebody has failed. */
static int deal(Copy *copy, Part *part, uint64_t offset, size_t length)
{
        int r = 0;

        (void) pthread_mutex_lock(&copy->lock);
        while (copy->n_tasks == TASKS_MAX && copy->error == 0)
                wait_changed(copy);
        if (copy->error == 0) {
                copy->tasks[(copy->first + copy->n_tasks++) % TASKS_MAX] =
                                (Task){ .part = part, .offset = offset, .length = length };
                part->n_open++;
                (void) pthread_cond_broadcast(&copy->changed);
                tell(copy);
        } else
                r = -ECANCELED;
        (void) pthread_mutex_unlock(&copy->lock);
        return r;
}

/* Piece by piece, so that it is told how far it is and others' failures end it. */
static int write_zeroes(Copy *copy, uint64_t offset, uint64_t end)
{
        RestoreTarget *target = copy->request->target;
        int r = 0;

        while (offset < end && r >= 0) {
                uint64_t n = end - offset < RESTORE_ZERO_BYTES ? end - offset : RESTORE_ZERO_BYTES;
                Failure failure = {};

                r = restore_target_zero(target, offset, n, &failure);
                if (r < 0)
                        return stop(copy, r, &failure);
                offset += n;
                (void) pthread_mutex_lock(&copy->lock);
                if (!target->is_empty)
                        copy->bytes_done += n;
                tell(copy);
                r = copy->error != 0 ? -ECANCELED : 0;
                (void) pthread_mutex_unlock(&copy->lock);
        }
        return r;
}

static int add_zeroes(Copy *copy, Part *part, uint64_t offset, uint64_t end)
{
        int r;

        r = write_zeroes(copy, offset, end);
        if (r < 0)
                return r;
        for (; part->expected && offset < end && r >= 0; offset += LEAF_BYTES) {
                uint8_t *sum = part->sums +
                               (offset - part->expected->offset) / LEAF_BYTES * LEAF_SUM_BYTES;

                if (end - offset >= LEAF_BYTES)
                        memcpy(sum, copy->zero_leaf, LEAF_SUM_BYTES);
                else {
                        _cleanup_free_ void *zeroes = calloc(1, end - offset);

                        r = zeroes ? leaf_hasher_sum_leaf(copy->hasher, zeroes, end - offset, sum)
                                   : -ENOMEM;
                }
        }
        return r < 0 ? fail(copy, r, "check the zeroes of") : 0;
}

static int deal_leaves(Copy *copy, Part *part, uint64_t offset, uint64_t end)
{
        Failure failure = {};
        int r = 0;

        while (offset < end && r >= 0) {
                uint64_t zero_end, leaf_end = offset - offset % LEAF_BYTES + LEAF_BYTES;

                r = restore_source_zero_end(copy->request->source, offset, end, &zero_end,
                                            &failure);
                if (r < 0)
                        return stop(copy, r, &failure);
                if (zero_end > offset) {
                        r = add_zeroes(copy, part, offset, zero_end);
                        offset = zero_end;
                        continue;
                }
                if (leaf_end > end)
                        leaf_end = end;
                r = deal(copy, part, offset, (size_t) (leaf_end - offset));
                offset = leaf_end;
        }
        return r;
}

static int deal_part(Copy *copy, const Expected *expected, uint64_t offset, uint64_t end)
{
        size_t n = expected ? n_leaves(expected->length) : 0;
        Part *part;
        int r, judged;

        if (offset >= end)
                return 0;
        part = calloc(1, sizeof(*part) + n * LEAF_SUM_BYTES);
        if (!part)
                return fail(copy, -ENOMEM, "copy");
        part->expected = expected;
        part->n_open = 1;
        r = deal_leaves(copy, part, offset, end);
        judged = part_put(copy, part, copy->hasher);
        return r < 0 ? r : judged;
}

static int deal_all(Copy *copy, const Expected *list, size_t n)
{
        uint64_t end = copy->request->chain->capacity_bytes, offset = 0;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                r = deal_part(copy, NULL, offset, list[i].offset);
                offset = list[i].offset + list[i].length;
                if (r >= 0)
                        r = deal_part(copy, list + i, list[i].offset, offset);
        }
        return r < 0 ? r : deal_part(copy, NULL, offset, end);
}

static int worker_start(Worker *worker, Copy *copy, unsigned number)
{
        int r;

        *worker = (Worker){ .copy = copy, .number = number };
        r = leaf_hasher_new(&worker->hasher);
        if (r >= 0)
                r = -posix_memalign(&worker->data, BUFFER_ALIGNMENT, LEAF_BYTES);
        if (r >= 0)
                r = -pthread_create(&worker->thread, NULL, work, worker);
        if (r < 0) {
                worker->hasher = leaf_hasher_free(worker->hasher);
                free(worker->data);
        }
        return r;
}

static void worker_end(Worker *worker)
{
        (void) pthread_join(worker->thread, NULL);
        worker->hasher = leaf_hasher_free(worker->hasher);
        free(worker->data);
}

/* Until the last task was taken, telling how far it is; joining waits for the rest. */
static void wait_taken(Copy *copy)
{
        (void) pthread_mutex_lock(&copy->lock);
        copy->is_complete = true;
        (void) pthread_cond_broadcast(&copy->changed);
        while (copy->n_tasks > 0 && copy->error == 0)
                wait_changed(copy);
        (void) pthread_mutex_unlock(&copy->lock);
}

static int run(Copy *copy, const Expected *list, size_t n)
{
        Worker workers[RESTORE_READERS_MAX];
        unsigned n_workers = 0;
        int r = 0;

        while (n_workers < copy->request->source->n_readers && r >= 0) {
                r = worker_start(workers + n_workers, copy, n_workers);
                n_workers += r >= 0;
        }
        if (r < 0)
                (void) fail(copy, r, "start the copy of");
        else
                (void) deal_all(copy, list, n);
        wait_taken(copy);
        for (unsigned i = 0; i < n_workers; i++)
                worker_end(workers + i);
        /* What nobody took after a failure. */
        for (; copy->n_tasks > 0; copy->n_tasks--, copy->first = (copy->first + 1) % TASKS_MAX)
                (void) part_put(copy, copy->tasks[copy->first].part, copy->hasher);
        return copy->error;
}

static int prepare(Copy *copy)
{
        _cleanup_free_ void *zeroes = calloc(1, LEAF_BYTES);
        pthread_condattr_t attributes;
        int r;

        r = zeroes ? leaf_hasher_new(&copy->hasher) : -ENOMEM;
        if (r >= 0)
                r = leaf_hasher_sum_leaf(copy->hasher, zeroes, LEAF_BYTES, copy->zero_leaf);
        copy->outcome.damaged = json_array();
        (void) pthread_mutex_init(&copy->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&copy->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        return r < 0 || copy->outcome.damaged ? r : -ENOMEM;
}

static void copy_done(Copy *copy)
{
        (void) pthread_cond_destroy(&copy->changed);
        (void) pthread_mutex_destroy(&copy->lock);
        copy->hasher = leaf_hasher_free(copy->hasher);
        json_decref(copy->outcome.damaged);
}

int restore_copy(const RestoreRequest *request, RestoreOutcome *ret_outcome, Failure *failure)
{
        Copy copy = { .request = request, .failure = failure };
        Expected *list = NULL;
        size_t n = 0;
        int r;

        r = prepare(&copy);
        if (r >= 0)
                r = expected_make(request->chain, &list, &n);
        if (r < 0)
                (void) fail(&copy, r, "prepare the copy of");
        else
                r = run(&copy, list, n);
        free(list);
        if (r >= 0) {
                *ret_outcome = copy.outcome;
                copy.outcome.damaged = NULL;
        }
        copy_done(&copy);
        return r;
}
