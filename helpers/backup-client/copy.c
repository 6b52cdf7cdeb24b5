/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop over disks (see copy.h).
 */
#include "copy.h"

#include "announce.h"
#include "clock.h"
#include "disk.h"
#include "parse.h"
#include "preflight.h"
#include "snapshot-check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum {
        CONNECTIONS_PER_DISK = 4, /* more of them bring nothing */
        SLOTS_MIN = 2,
        TICK_MSEC = 500, /* how often progress is told */
        STATUS_DISKS_MAX = 8, /* that are named in the line */
};

/* What is polled, in this order. */
enum {
        FD_SIGNAL,
        FD_WORKERS,
        FDS_OF_DISKS,
};

typedef struct Copy {
        const CopySpec *spec;
        Failure *failure;
        int signal_fd;
        Announcer announcer;
        HashWorkers *workers; /* NULL: no digests */
        Disk *disks;
        size_t n_disks, n_running, n_done, n_running_max;
        struct pollfd *fds;
        size_t *n_fds; /* of each disk */
        uint64_t begun_usec, last_usec, last_done, rate; /* bytes a second */
} Copy;

static void copy_done(Copy *copy)
{
        for (size_t i = 0; copy->disks && i < copy->n_disks; i++)
                disk_done(&copy->disks[i]);
        copy->workers = hash_workers_free(copy->workers); /* behind those who give them work */
        announcer_done(&copy->announcer);
        free(copy->disks);
        free(copy->fds);
        free(copy->n_fds);
}

static int prepare(Copy *copy)
{
        size_t n = copy->spec->n_disks;
        int r = 0;

        copy->disks = calloc(n, sizeof(*copy->disks));
        copy->fds = calloc(n * DISK_FDS_MAX + FDS_OF_DISKS, sizeof(*copy->fds));
        copy->n_fds = calloc(n, sizeof(*copy->n_fds));
        if (!copy->disks || !copy->fds || !copy->n_fds)
                return failure_set(copy->failure, -ENOMEM, FAILURE_OTHER, 0, "out of memory");
        if (copy->spec->digests)
                r = hash_workers_new(&copy->workers);
        if (r < 0)
                return failure_set(copy->failure, r, FAILURE_OTHER, 0,
                                   "cannot start the threads for digests: %s", strerror(-r));
        for (; copy->n_disks < n && r >= 0; copy->n_disks++)
                r = disk_init(&copy->disks[copy->n_disks], copy->spec,
                              &copy->spec->disks[copy->n_disks], copy->failure);
        return r;
}

/* How many disks run at once, and what each of them gets. */
static void share(const Copy *copy, size_t *ret_n, unsigned *ret_connections, size_t *ret_slots)
{
        uint64_t buffers = copy->spec->memory_bytes / LEAF_BYTES;
        size_t n = copy->n_disks;

        if (n > copy->spec->connections)
                n = copy->spec->connections;
        if (buffers > 0 && n > buffers / SLOTS_MIN)
                n = buffers >= SLOTS_MIN ? (size_t) (buffers / SLOTS_MIN) : 1;
        if (n == 0)
                n = 1; /* a spec has a disk and a connection */
        *ret_n = n;
        *ret_connections = copy->spec->connections / (unsigned) n;
        if (*ret_connections > CONNECTIONS_PER_DISK)
                *ret_connections = CONNECTIONS_PER_DISK;
        *ret_slots = DISK_SLOTS_MAX;
        if (buffers > 0 && buffers / n < DISK_SLOTS_MAX)
                *ret_slots = buffers / n < SLOTS_MIN ? SLOTS_MIN : (size_t) (buffers / n);
}

static int start_waiting(Copy *copy)
{
        unsigned n_connections;
        size_t n_max, n_slots;
        int r = 0;

        share(copy, &n_max, &n_connections, &n_slots);
        for (size_t i = 0; i < copy->n_disks && r >= 0; i++) {
                if (copy->n_running >= n_max)
                        return 0;
                if (copy->disks[i].state != DISK_WAITING)
                        continue;
                r = disk_start(&copy->disks[i], n_connections, n_slots, copy->workers);
                copy->n_running++;
        }
        return r;
}

static int step(Copy *copy)
{
        uint64_t now = clock_monotonic_usec();
        int r = 0;

        for (size_t i = 0; i < copy->n_disks && r >= 0; i++) {
                if (copy->disks[i].state != DISK_RUNNING)
                        continue;
                r = disk_step(&copy->disks[i], now);
                if (copy->disks[i].state == DISK_DONE) {
                        copy->n_running--;
                        copy->n_done++;
                }
        }
        return r;
}

static uint64_t percent(uint64_t done, uint64_t total)
{
        return total > 0 ? (uint64_t) ((double) done * 100 / (double) total) : 100;
}

static void tell_status(Copy *copy, uint64_t done, uint64_t total)
{
        uint64_t now = clock_monotonic_usec(), age = now - copy->last_usec;
        char line[512];
        size_t n;

        if (age >= USEC_PER_SEC) {
                copy->rate = done > copy->last_done ? (done - copy->last_done) * 1000 / (age / 1000)
                                                    : 0;
                copy->last_usec = now;
                copy->last_done = done;
        }
        n = (size_t) snprintf(line, sizeof(line),
                              "Copying: %" PRIu64 " %% of %.1f GiB, %" PRIu64
                              " MiB/s; %zu of %zu disks done",
                              percent(done, total), (double) total / (1024.0 * 1024 * 1024),
                              copy->rate >> 20, copy->n_done, copy->n_disks);
        for (size_t i = 0, named = 0; i < copy->n_disks && named < STATUS_DISKS_MAX; i++) {
                const Disk *disk = &copy->disks[i];

                if (disk->state != DISK_RUNNING)
                        continue;
                n += (size_t) snprintf(line + n, sizeof(line) - n,
                                       "%s %" PRIu32 ": %" PRIu64 " %%%s", named++ == 0 ? ";" : ",",
                                       disk->disk->disk_key,
                                       percent(disk_bytes_done(disk), disk_bytes_total(disk)),
                                       disk->target_retry.since_usec > 0   ? " (target lost)"
                                       : disk->source_retry.since_usec > 0 ? " (source lost)"
                                                                           : "");
        }
        announce_status(&copy->announcer, line);
}

static void tell_progress(Copy *copy, bool is_final)
{
        uint64_t done = 0, total = 0;

        for (size_t i = 0; i < copy->n_disks; i++) {
                Disk *disk = &copy->disks[i];

                done += disk_bytes_done(disk);
                total += disk_bytes_total(disk);
                if (disk->state != DISK_WAITING)
                        announce_disk(&copy->announcer, &disk->announced, disk->disk->disk_key,
                                      disk_bytes_done(disk), disk_bytes_total(disk),
                                      is_final && disk->state == DISK_DONE);
        }
        tell_status(copy, done, total);
}

/* Sets the timeout of poll(2); never longer than a tick. */
static int timeout_msec(uint64_t deadline_usec)
{
        uint64_t now = clock_monotonic_usec();

        if (deadline_usec <= now)
                return 0;
        if (deadline_usec - now >= TICK_MSEC * USEC_PER_MSEC)
                return TICK_MSEC;
        return (int) ((deadline_usec - now) / USEC_PER_MSEC) + 1;
}

static int wait_and_dispatch(Copy *copy)
{
        uint64_t deadline = UINT64_MAX;
        size_t n = FDS_OF_DISKS, at = FDS_OF_DISKS;

        copy->fds[FD_SIGNAL] = (struct pollfd){ .fd = copy->signal_fd, .events = POLLIN };
        copy->fds[FD_WORKERS] = (struct pollfd){
                .fd = copy->workers ? hash_workers_fd(copy->workers) : -1,
                .events = POLLIN,
        };
        for (size_t i = 0; i < copy->n_disks; i++) {
                copy->n_fds[i] = disk_poll(&copy->disks[i], copy->fds + n, &deadline);
                n += copy->n_fds[i];
        }
        if (poll(copy->fds, n, timeout_msec(deadline)) < 0) {
                if (errno == EINTR)
                        return 0;
                return failure_set(copy->failure, -errno, FAILURE_OTHER, 0, "poll: %s",
                                   strerror(errno));
        }
        if (copy->fds[FD_SIGNAL].revents)
                return failure_set(copy->failure, -ECANCELED, FAILURE_CANCELLED, 0, "cancelled");
        if (copy->fds[FD_WORKERS].revents)
                hash_workers_dispatch(copy->workers);
        for (size_t i = 0; i < copy->n_disks; i++) {
                disk_dispatch(&copy->disks[i], copy->fds + at, copy->n_fds[i]);
                at += copy->n_fds[i];
        }
        return 0;
}

static int run(Copy *copy)
{
        uint64_t told_usec = 0;
        int r;

        copy->last_usec = clock_monotonic_usec();
        for (;;) {
                uint64_t now;

                r = start_waiting(copy);
                if (r >= 0)
                        r = step(copy);
                if (r < 0 || copy->n_done == copy->n_disks)
                        return r;
                now = clock_monotonic_usec();
                if (now - told_usec >= TICK_MSEC * USEC_PER_MSEC) {
                        tell_progress(copy, false);
                        told_usec = now;
                }
                if (copy->n_running == 0)
                        continue;
                r = wait_and_dispatch(copy);
                if (r < 0)
                        return r;
        }
}

static int make_results(const Copy *copy, json_t **ret_disks)
{
        json_t *list = json_array();
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < copy->n_disks && r >= 0; i++) {
                json_t *disk = disk_result(&copy->disks[i]);

                if (!disk || json_array_append_new(list, disk) < 0)
                        r = -ENOMEM;
        }
        if (r < 0) {
                json_decref(list);
                return failure_set(copy->failure, r, FAILURE_OTHER, 0, "out of memory");
        }
        *ret_disks = list;
        return 0;
}

int copy_disks(const CopySpec *spec, int signal_fd, json_t **ret_disks, Failure *failure)
{
        CLEANUP(copy_done) Copy copy = { .spec = spec, .failure = failure, .signal_fd = signal_fd };
        size_t n_first, n_slots;
        unsigned n_connections;
        int r;

        announcer_init(&copy.announcer, spec->progress, spec->job);
        r = snapshot_is_named(spec, failure);
        if (r >= 0)
                r = prepare(&copy);
        if (r >= 0) {
                share(&copy, &n_first, &n_connections, &n_slots);
                r = preflight_check(copy.disks, copy.n_disks, n_first, n_connections, signal_fd,
                                    failure);
        }
        if (r >= 0)
                r = run(&copy);
        if (r >= 0)
                r = snapshot_check(spec, signal_fd, failure);
        if (r < 0)
                return r;
        tell_progress(&copy, true);
        return make_results(&copy, ret_disks);
}
