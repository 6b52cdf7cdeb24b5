/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Summing beside the loop (see hash-workers.h). Two lists below one lock: what is to be done, and what is.
 */
#include "hash-workers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

enum {
        THREADS_MAX = 4, /* each of them sums more than a gigabyte in a second */
        PROCESSORS_PER_THREAD = 2, /* the other one has the loop and the servers */
};

typedef struct JobList {
        HashJob *first, **end;
} JobList;

struct HashWorkers {
        pthread_t threads[THREADS_MAX];
        size_t n_threads;
        LeafHasher *hasher; /* of who hands out work */
        int event_fd; /* readable: something is done */
        pthread_mutex_t lock;
        pthread_cond_t given, finished;
        /* below the lock */
        bool is_over;
        JobList queued, done;
};

static void list_init(JobList *list)
{
        *list = (JobList){ .end = &list->first };
}

static void list_add(JobList *list, HashJob *job)
{
        job->next = NULL;
        *list->end = job;
        list->end = &job->next;
}

static HashJob *list_take(JobList *list)
{
        HashJob *job = list->first;

        if (!job)
                return NULL;
        list->first = job->next;
        if (!list->first)
                list->end = &list->first;
        return job;
}

static void list_remove(JobList *list, const HashJob *job)
{
        HashJob **at = &list->first;

        while (*at && *at != job)
                at = &(*at)->next;
        if (!*at)
                return;
        *at = job->next;
        if (!*at)
                list->end = at;
}

static int sum_one(LeafHasher *hasher, const HashJob *job, Sum *sum)
{
        if (sum->kind == SUM_LEAF)
                return leaf_hasher_sum_leaf(hasher, job->leaf, (size_t) sum->length, sum->sum);
        return leaf_hasher_sum_part(hasher, sum->offset, job->leaf + sum->offset % LEAF_BYTES,
                                    (size_t) sum->length, sum->sum);
}

static int sum_all(LeafHasher *hasher, const HashJob *job)
{
        int r = hasher ? 0 : -ENOMEM;

        for (size_t i = 0; i < job->n_sums && r >= 0; i++)
                r = sum_one(hasher, job, job->sums + i);
        return r;
}

/* With the lock. NULL: it is over. */
static HashJob *wait_for_job(HashWorkers *workers)
{
        while (!workers->is_over && !workers->queued.first)
                (void) pthread_cond_wait(&workers->given, &workers->lock);
        return workers->is_over ? NULL : list_take(&workers->queued);
}

static void *work(void *userdata)
{
        HashWorkers *workers = userdata;
        LeafHasher *hasher = NULL;
        HashJob *job;

        /* Without one every job is answered with the error. */
        (void) leaf_hasher_new(&hasher);
        (void) pthread_mutex_lock(&workers->lock);
        while ((job = wait_for_job(workers))) {
                int r;

                job->state = HASH_RUNNING;
                (void) pthread_mutex_unlock(&workers->lock);
                r = sum_all(hasher, job);
                (void) pthread_mutex_lock(&workers->lock);
                job->error = r;
                job->state = HASH_DONE;
                /* Who was told and has not come yet will find this one, too. */
                if (!workers->done.first)
                        (void) eventfd_write(workers->event_fd, 1);
                list_add(&workers->done, job);
                (void) pthread_cond_signal(&workers->finished);
        }
        (void) pthread_mutex_unlock(&workers->lock);
        (void) leaf_hasher_free(hasher);
        return NULL;
}

static size_t count_threads(void)
{
        cpu_set_t processors;
        size_t n = 1;

        if (sched_getaffinity(0, sizeof(processors), &processors) >= 0)
                n = (size_t) CPU_COUNT(&processors) / PROCESSORS_PER_THREAD;
        return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
}

/* Signals are the engine's business. */
static int start_threads(HashWorkers *workers, size_t n)
{
        sigset_t all, before;
        int r = 0;

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        while (workers->n_threads < n && r == 0) {
                r = pthread_create(&workers->threads[workers->n_threads], NULL, work, workers);
                workers->n_threads += r == 0;
        }
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        return workers->n_threads > 0 ? 0 : -r;
}

int hash_workers_new(HashWorkers **ret_workers)
{
        HashWorkers *workers = calloc(1, sizeof(*workers));
        int r;

        if (!workers)
                return -ENOMEM;
        list_init(&workers->queued);
        list_init(&workers->done);
        (void) pthread_mutex_init(&workers->lock, NULL);
        (void) pthread_cond_init(&workers->given, NULL);
        (void) pthread_cond_init(&workers->finished, NULL);
        workers->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = workers->event_fd < 0 ? -errno : leaf_hasher_new(&workers->hasher);
        if (r >= 0)
                r = start_threads(workers, count_threads());
        if (r < 0) {
                (void) hash_workers_free(workers);
                return r;
        }
        *ret_workers = workers;
        return 0;
}

HashWorkers *hash_workers_free(HashWorkers *workers)
{
        if (!workers)
                return NULL;
        (void) pthread_mutex_lock(&workers->lock);
        workers->is_over = true;
        (void) pthread_cond_broadcast(&workers->given);
        (void) pthread_mutex_unlock(&workers->lock);
        for (size_t i = 0; i < workers->n_threads; i++)
                (void) pthread_join(workers->threads[i], NULL);
        (void) pthread_cond_destroy(&workers->finished);
        (void) pthread_cond_destroy(&workers->given);
        (void) pthread_mutex_destroy(&workers->lock);
        cleanup_close_p(&workers->event_fd);
        (void) leaf_hasher_free(workers->hasher);
        free(workers);
        return NULL;
}

void hash_workers_add(HashWorkers *workers, HashJob *job)
{
        (void) pthread_mutex_lock(&workers->lock);
        job->state = HASH_QUEUED;
        job->error = 0;
        list_add(&workers->queued, job);
        (void) pthread_cond_signal(&workers->given);
        (void) pthread_mutex_unlock(&workers->lock);
}

int hash_workers_sum(HashWorkers *workers, const HashJob *job)
{
        return sum_all(workers->hasher, job);
}

void hash_workers_take_back(HashWorkers *workers, HashJob *job)
{
        (void) pthread_mutex_lock(&workers->lock);
        while (job->state == HASH_RUNNING)
                (void) pthread_cond_wait(&workers->finished, &workers->lock);
        list_remove(job->state == HASH_QUEUED ? &workers->queued : &workers->done, job);
        job->state = HASH_IDLE;
        (void) pthread_mutex_unlock(&workers->lock);
}

int hash_workers_fd(const HashWorkers *workers)
{
        return workers->event_fd;
}

static HashJob *take_done(HashWorkers *workers)
{
        HashJob *job;

        (void) pthread_mutex_lock(&workers->lock);
        job = list_take(&workers->done);
        if (job)
                job->state = HASH_IDLE;
        (void) pthread_mutex_unlock(&workers->lock);
        return job;
}

void hash_workers_dispatch(HashWorkers *workers)
{
        eventfd_t n;
        HashJob *job;

        (void) eventfd_read(workers->event_fd, &n);
        while ((job = take_done(workers)))
                job->answer(job->userdata, job->error);
}
