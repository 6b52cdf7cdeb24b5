/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that read an image, and what they have in common (see digest.h): a heap of blocks below a lock.
 * Each takes the lowest one that is left, so the sums of each go up, and are put together at the end.
 */
#include "digest.h"

#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "digest-worker.h"
#include "manifest.h"
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

enum {
        THREADS_MAX = 4,
        BLOCK_KEY_SIZE = 24,
};

typedef struct Digest {
        const DigestRequest *request;
        BlockHeap heap;
        uint64_t n_blocks;
        ChainMap map; /* with layers: there is no server */
        Server server;
        DigestWorker workers[THREADS_MAX];
        size_t n_workers, n_wanted;
        int ended[THREADS_MAX]; /* how each of them has */

        pthread_mutex_t lock; /* of what stands below it */
        uint64_t next;
        bool stopped, no_memory;
        DigestAnswer answer;
} Digest;

static void block_key(uint64_t block, char ret_key[static BLOCK_KEY_SIZE])
{
        (void) snprintf(ret_key, BLOCK_KEY_SIZE, "%" PRIu64, block);
}

/* With the lock. */
static bool block_is_wanted(const Digest *digest, uint64_t block)
{
        char key[BLOCK_KEY_SIZE];

        block_key(block, key);
        return json_object_get(digest->request->wanted, key) != NULL;
}

static bool take_block(void *userdata, uint64_t *ret_block, bool *ret_wanted)
{
        Digest *digest = userdata;
        bool all = digest->request->held_too || digest->request->surplus_too, some = false;

        (void) pthread_mutex_lock(&digest->lock);
        while (!some && !digest->stopped && digest->next < digest->n_blocks) {
                *ret_block = digest->next++;
                *ret_wanted = block_is_wanted(digest, *ret_block);
                some = *ret_wanted || all;
        }
        (void) pthread_mutex_unlock(&digest->lock);
        return some;
}

/* With the lock. */
static void put(Digest *digest, json_t *object, uint64_t block, json_t *value)
{
        char key[BLOCK_KEY_SIZE];

        block_key(block, key);
        if (json_object_set_new(object, key, value) < 0)
                digest->no_memory = digest->stopped = true;
}

static bool block_is_held(void *userdata, uint64_t block)
{
        Digest *digest = userdata;

        if (digest->request->held_too)
                return true;
        (void) pthread_mutex_lock(&digest->lock);
        if (!block_is_wanted(digest, block))
                put(digest, digest->answer.surplus, block, json_true());
        (void) pthread_mutex_unlock(&digest->lock);
        return false;
}

static bool block_is_unreadable(void *userdata, uint64_t block, const char *why)
{
        Digest *digest = userdata;
        bool go_on;

        (void) pthread_mutex_lock(&digest->lock);
        put(digest, digest->answer.unreadable, block, json_string(why ?: "it cannot be read"));
        if (digest->request->all_or_none)
                digest->stopped = true;
        go_on = !digest->stopped;
        (void) pthread_mutex_unlock(&digest->lock);
        return go_on;
}

static void block_is_hashed(void *userdata, uint64_t n_bytes)
{
        Digest *digest = userdata;

        if (!digest->request->hashed)
                return;
        (void) pthread_mutex_lock(&digest->lock);
        digest->request->hashed(digest->request->userdata, n_bytes);
        (void) pthread_mutex_unlock(&digest->lock);
}

/* Without a server that reads ahead, one thread reads while another hashes. */
static size_t count_workers(const Digest *digest)
{
        cpu_set_t set;
        size_t n = sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t) CPU_COUNT(&set) : 1;
        uint64_t n_blocks = digest->n_blocks;

        if (digest->map.n_layers > 0)
                n *= 2;
        if (n > THREADS_MAX)
                n = THREADS_MAX;
        return n > n_blocks ? (size_t) n_blocks : n;
}

static void digest_done(Digest *digest)
{
        for (size_t i = 0; i < digest->n_workers; i++)
                digest_worker_done(digest->workers + i);
        server_done(&digest->server);
        chain_map_done(&digest->map);
        digest_answer_done(&digest->answer);
        (void) pthread_mutex_destroy(&digest->lock);
}

void digest_answer_done(DigestAnswer *answer)
{
        json_decref(answer->blocks);
        json_decref(answer->unreadable);
        json_decref(answer->surplus);
        *answer = (DigestAnswer){};
}

static int connection_failure(Digest *digest, const DigestWorker *worker, int error, int64_t size,
                              Failure *failure)
{
        const char *path = digest->request->image->path;

        if (error == -EOPNOTSUPP)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "qemu-nbd does not tell which layer holds what; install a newer "
                                   "qemu-utils");
        if (error == -EMSGSIZE)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s is served with %" PRId64 " bytes, must be %" PRIu64
                                   "; start the backup again",
                                   path, size, worker->capacity_bytes);
        return server_failure(&digest->server, worker->error, failure);
}

/* Opens the files, or else starts a server. */
static int open_image(Digest *digest, Failure *failure)
{
        const DigestRequest *request = digest->request;
        const Image *image = request->image;
        int r;

        r = chain_map_open(&digest->map, image->folder, image->name, request->capacity_bytes);
        if (r < 0 && r != -EOPNOTSUPP)
                return failure_errno(failure, r, "Cannot look into %s", image->path);
        digest->n_wanted = count_workers(digest);
        if (r >= 0)
                return 0;
        return server_start(&digest->server, image,
                            &(ServerUse){ .format = "qcow2",
                                          .n_clients = (unsigned) digest->n_wanted *
                                                       WORKER_CONNECTIONS },
                            failure);
}

/* All connections first: the server ends with the last one. */
static int start(Digest *digest, Failure *failure)
{
        const DigestRequest *request = digest->request;
        uint64_t block_bytes = manifest_block_bytes(request->capacity_bytes);
        const ChainMap *map;
        int r;

        digest->n_blocks = (request->capacity_bytes + block_bytes - 1) / block_bytes;
        digest->answer = (DigestAnswer){ .blocks = json_object(),
                                         .unreadable = json_object(),
                                         .surplus = json_object() };
        if (!digest->answer.blocks || !digest->answer.unreadable || !digest->answer.surplus)
                return failure_errno(failure, -ENOMEM, "%s", request->image->path);
        r = open_image(digest, failure);
        map = digest->map.n_layers > 0 ? &digest->map : NULL;
        for (size_t i = 0; i < digest->n_wanted && r >= 0; i++) {
                DigestWorker *worker = digest->workers + i;
                int64_t size = 0;

                digest->n_workers++;
                r = digest_worker_init(worker, &digest->heap, map, request->capacity_bytes);
                if (r < 0)
                        return failure_errno(failure, r, "Cannot prepare the digests of %s",
                                             request->image->path);
                if (map)
                        continue;
                r = digest_worker_connect(worker, digest->server.socket, &size);
                if (r < 0)
                        return connection_failure(digest, worker, r, size, failure);
        }
        return r;
}

typedef struct Thread {
        Digest *digest;
        size_t index;
        pthread_t id;
} Thread;

static void *work(void *userdata)
{
        const Thread *thread = userdata;
        Digest *digest = thread->digest;
        int r = digest_worker_run(digest->workers + thread->index);

        digest->ended[thread->index] = r;
        if (r < 0) {
                (void) pthread_mutex_lock(&digest->lock);
                digest->stopped = true;
                (void) pthread_mutex_unlock(&digest->lock);
        }
        return NULL;
}

/* The first worker is this thread itself. */
static int run_all(Digest *digest, Failure *failure)
{
        Thread threads[THREADS_MAX] = { { .digest = digest } };
        size_t n_started = 1;
        int r = 0;

        for (size_t i = 1; i < digest->n_workers; i++)
                threads[i] = (Thread){ .digest = digest, .index = i };
        for (; n_started < digest->n_workers && r == 0; n_started += r == 0)
                r = pthread_create(&threads[n_started].id, NULL, work, threads + n_started);
        /* One that cannot be started is missed, and its connection stands idle. */
        (void) work(threads);
        for (size_t i = 1; i < n_started; i++)
                (void) pthread_join(threads[i].id, NULL);
        if (digest->no_memory)
                return failure_errno(failure, -ENOMEM, "Cannot keep the digests of %s",
                                     digest->request->image->path);
        for (size_t i = 0; i < digest->n_workers; i++) {
                r = digest->ended[i];
                if (r == -EIO) {
                        /* It ends with its last client, if it has not already. */
                        for (size_t j = 0; j < digest->n_workers; j++)
                                digest_worker_disconnect(digest->workers + j);
                        server_wait_end(&digest->server);
                        return server_failure(&digest->server, digest->workers[i].error, failure);
                }
                if (r < 0 && r != -ECANCELED)
                        return failure_errno(failure, r, "Cannot make the digests of %s",
                                             digest->request->image->path);
        }
        return 0;
}

/* Puts the sums of all workers together. *ret_digest is one of their objects, with the blocks of all. */
static int gather(Digest *digest, json_t **ret_digest, Failure *failure)
{
        json_t *object = NULL;
        int r = 0;

        for (size_t i = 0; i < digest->n_workers && r >= 0; i++) {
                json_decref(object);
                object = NULL;
                r = block_digest_finish(digest->workers[i].tree, &object);
                if (r >= 0 && json_object_update(digest->answer.blocks,
                                                 json_object_get(object, "blocks")) < 0)
                        r = -ENOMEM;
        }
        if (r >= 0 && json_object_set(object, "blocks", digest->answer.blocks) < 0)
                r = -ENOMEM;
        if (r < 0) {
                json_decref(object);
                return failure_errno(failure, r, "Cannot keep the digests of %s",
                                     digest->request->image->path);
        }
        *ret_digest = object;
        return 0;
}

/* Nothing of it moves while threads run. */
static int read_image(Digest *digest, const DigestRequest *request, json_t **ret_digest,
                      Failure *failure)
{
        int r;

        *digest = (Digest){
                .request = request,
                .heap = { .take = take_block,
                          .held = block_is_held,
                          .unreadable = block_is_unreadable,
                          .hashed = block_is_hashed,
                          .userdata = digest },
                .server = { .child = { .out = -1, .err = -1 } },
                .lock = PTHREAD_MUTEX_INITIALIZER,
        };
        r = start(digest, failure);
        if (r >= 0)
                r = run_all(digest, failure);
        return r < 0 ? r : gather(digest, ret_digest, failure);
}

/* Its block is one of the lowest: those above may not have been looked at. */
static const char *first_unreadable(const DigestAnswer *answer)
{
        return json_string_value(
                        json_object_iter_value(json_object_iter((json_t *) answer->unreadable)));
}

static int unreadable_failure(Digest *digest, Failure *failure)
{
        const char *why = first_unreadable(&digest->answer);

        if (digest->map.n_layers > 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s cannot be read: %s; see the kernel's log for the disk",
                                   digest->request->image->path, why);
        return server_failure(&digest->server, why, failure);
}

int digest_image(const Image *image, uint64_t capacity_bytes, json_t **ret_digest, Failure *failure)
{
        const DigestRequest request = { .image = image,
                                        .capacity_bytes = capacity_bytes,
                                        .held_too = true };

        return digest_blocks(&request, ret_digest, failure);
}

int digest_blocks(const DigestRequest *wanted, json_t **ret_digest, Failure *failure)
{
        DigestRequest request = *wanted;
        CLEANUP(digest_done) Digest digest = {};
        json_t *object;
        int r;

        request.all_or_none = true;
        r = read_image(&digest, &request, &object, failure);
        if (r < 0)
                return r;
        if (json_object_size(digest.answer.unreadable) > 0) {
                json_decref(object);
                return unreadable_failure(&digest, failure);
        }
        *ret_digest = object;
        return 0;
}

int digest_read(const DigestRequest *request, DigestAnswer *ret_answer, Failure *failure)
{
        CLEANUP(digest_done) Digest digest = {};
        json_t *object;
        int r;

        r = read_image(&digest, request, &object, failure);
        if (r < 0)
                return r;
        json_decref(object);
        *ret_answer = digest.answer;
        digest.answer = (DigestAnswer){};
        return 0;
}
