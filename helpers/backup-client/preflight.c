/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look before the copy (see preflight.h). Sizes are judged when all are known, so that a text can say
 * which other disk one fits.
 */
#include "preflight.h"

#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define OPEN_MAX_USEC (120 * USEC_PER_SEC)

/* One poll of what is in fds, and of the signals behind it. */
static int wait_for(struct pollfd *fds, size_t n, int signal_fd, uint64_t deadline_usec)
{
        uint64_t now = clock_monotonic_usec();
        int timeout = deadline_usec <= now ? 0 : (int) ((deadline_usec - now) / USEC_PER_MSEC) + 1;

        fds[n] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
        if (poll(fds, n + 1, timeout) < 0 && errno != EINTR)
                return -errno;
        return fds[n].revents ? -ECANCELED : 0;
}

static void on_opened(void *userdata, int error)
{
        int *result = userdata;

        *result = error;
}

int preflight_open_source(Source *source, int signal_fd)
{
        uint64_t end = clock_monotonic_usec() + OPEN_MAX_USEC;
        int result = 1, r;

        r = source->ops->open(source, on_opened, &result);
        while (r >= 0 && result > 0) {
                struct pollfd fds[SOURCE_FDS_MAX + 1];
                uint64_t deadline = end;
                size_t n = source->ops->poll(source, fds, &deadline);

                if (clock_monotonic_usec() >= end)
                        return source_fail(source, -ETIMEDOUT, "it cannot be opened");
                r = wait_for(fds, n, signal_fd, deadline);
                if (r >= 0)
                        source->ops->dispatch(source, fds, n);
        }
        return r < 0 ? r : result;
}

static int complain(const Disk *disk, int error, const char *name, const char *role,
                    const char *text)
{
        if (error == -ECANCELED)
                return failure_set(disk->failure, error, FAILURE_CANCELLED, 0, "cancelled");
        return failure_set(disk->failure, error, name, disk->disk->disk_key,
                           "disk %" PRIu32 ": cannot open its %s: %s; nothing was written",
                           disk->disk->disk_key, role, text);
}

/* One that is wanted at once stays open. */
static int look_at_source(Disk *disk, bool keep, int signal_fd, uint64_t *ret_size)
{
        int r;

        r = preflight_open_source(disk->source, signal_fd);
        if (r >= 0)
                *ret_size = disk->source->size_bytes;
        if (r >= 0 && keep)
                disk_has_source(disk);
        else
                disk->source->ops->close(disk->source);
        return r < 0 ? complain(disk, r, disk->source->error_name ?: FAILURE_SOURCE, "source",
                                disk->source->error)
                     : 0;
}

int preflight_open_target(Target *target, int signal_fd, uint64_t *ret_bytes)
{
        int r = 0;

        target_open(target);
        while (r >= 0 && target->state == TARGET_OPENING) {
                struct pollfd fds[TARGET_CONNECTIONS_MAX + 1];
                uint64_t deadline = UINT64_MAX;
                size_t n = target_poll(target, fds, &deadline);

                r = wait_for(fds, n, signal_fd, deadline);
                if (r >= 0)
                        target_dispatch(target, fds, n);
        }
        if (r >= 0 && target->state == TARGET_LOST)
                r = target->errnum;
        *ret_bytes = target->has_size ? target->found_bytes : 0;
        if (r < 0)
                target_close(target);
        return r == -EMSGSIZE ? 0 : r;
}

/* 0 connections: it is not wanted yet. */
static int look_at_target(Disk *disk, unsigned n_connections, int signal_fd, uint64_t *ret_size)
{
        Target *target = &disk->target;
        int r;

        target_init(target, &disk->disk->target_uri, disk->disk->capacity_bytes,
                    n_connections > 0 ? n_connections : 1);
        r = preflight_open_target(target, signal_fd, ret_size);
        if (n_connections == 0)
                target_close(target);
        return r < 0 ? complain(disk, r, FAILURE_TARGET, "target", target->error) : 0;
}

/* The disk that a size belongs to, if it is another one. */
static const PreflightSize *find_other(const PreflightSize *sizes, size_t n, size_t i)
{
        for (size_t j = 0; j < n; j++)
                if (j != i && sizes[j].capacity_bytes == sizes[i].found_bytes)
                        return sizes + j;
        return NULL;
}

int preflight_judge(const PreflightSize *sizes, size_t n, const char *role, Failure *failure)
{
        for (size_t i = 0; i < n; i++) {
                const PreflightSize *other = find_other(sizes, n, i);
                char hint[80] = "";

                if (sizes[i].found_bytes == sizes[i].capacity_bytes)
                        continue;
                if (other)
                        (void) snprintf(hint, sizeof(hint),
                                        ", as disk %" PRIu32 " has: are they swapped?",
                                        other->disk_key);
                return failure_set(failure, -EINVAL,
                                   strcmp(role, "target") == 0 ? FAILURE_TARGET : FAILURE_SOURCE,
                                   sizes[i].disk_key,
                                   "disk %" PRIu32 " has %" PRIu64 " bytes, but its %s %" PRIu64
                                   "%s; nothing was written",
                                   sizes[i].disk_key, sizes[i].capacity_bytes, role,
                                   sizes[i].found_bytes, hint);
        }
        return 0;
}

int preflight_check(Disk *disks, size_t n_disks, size_t n_keep, unsigned n_connections,
                    int signal_fd, Failure *failure)
{
        _cleanup_free_ PreflightSize *sources = calloc(n_disks, sizeof(*sources));
        _cleanup_free_ PreflightSize *targets = calloc(n_disks, sizeof(*targets));
        int r = 0;

        if (!sources || !targets)
                return failure_set(failure, -ENOMEM, FAILURE_OTHER, 0, "out of memory");
        for (size_t i = 0; i < n_disks && r >= 0; i++) {
                sources[i] = targets[i] =
                                (PreflightSize){ .disk_key = disks[i].disk->disk_key,
                                                 .capacity_bytes = disks[i].disk->capacity_bytes };
                r = look_at_source(&disks[i], i < n_keep, signal_fd, &sources[i].found_bytes);
                if (r >= 0)
                        r = look_at_target(&disks[i], i < n_keep ? n_connections : 0, signal_fd,
                                           &targets[i].found_bytes);
        }
        if (r >= 0)
                r = preflight_judge(targets, n_disks, "target", failure);
        return r < 0 ? r : preflight_judge(sources, n_disks, "source", failure);
}
