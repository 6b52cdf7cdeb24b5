/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look before the copy (see preflight.h). Sources and targets are opened at the same time, because each takes several
 * round trips, and a source perhaps a login. Sizes are judged when all are known, so that a text can say which
 * other disk one fits.
 */
#include "preflight.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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

/* What is being opened; either of them may be NULL. */
typedef struct Opening {
        Source *source;
        Target *target;
        int result; /* of the source; 1: none yet */
        uint64_t end_usec; /* for the source; a target has its own */
        size_t n_source_fds, n_target_fds; /* that are polled */
} Opening;

static void on_opened(void *userdata, int error)
{
        int *result = userdata;

        *result = error;
}

static void opening_begin(Opening *opening)
{
        int r;

        if (opening->target)
                target_open(opening->target);
        if (!opening->source)
                return;
        opening->end_usec = clock_monotonic_usec() + SOURCE_OPEN_SEC * USEC_PER_SEC;
        opening->result = 1;
        r = opening->source->ops->open(opening->source, on_opened, &opening->result);
        if (r < 0)
                opening->result = r;
}

static bool source_is_opening(const Opening *opening)
{
        return opening->source && opening->result > 0;
}

static bool target_is_opening(const Opening *opening)
{
        return opening->target && opening->target->state == TARGET_OPENING;
}

static size_t opening_poll(Opening *opening, struct pollfd *fds, uint64_t *deadline_usec)
{
        opening->n_source_fds = opening->n_target_fds = 0;
        if (source_is_opening(opening)) {
                if (opening->end_usec < *deadline_usec)
                        *deadline_usec = opening->end_usec;
                opening->n_source_fds =
                                opening->source->ops->poll(opening->source, fds, deadline_usec);
        }
        if (target_is_opening(opening))
                opening->n_target_fds = target_poll(opening->target, fds + opening->n_source_fds,
                                                    deadline_usec);
        return opening->n_source_fds + opening->n_target_fds;
}

static void opening_dispatch(Opening *opening, const struct pollfd *fds)
{
        if (source_is_opening(opening))
                opening->source->ops->dispatch(opening->source, fds, opening->n_source_fds);
        if (source_is_opening(opening) && clock_monotonic_usec() >= opening->end_usec)
                opening->result = source_fail_opening(opening->source);
        if (target_is_opening(opening))
                target_dispatch(opening->target, fds + opening->n_source_fds,
                                opening->n_target_fds);
}

static bool source_has_failed(const Opening *opening)
{
        return opening->source && opening->result < 0;
}

/* One of another size than it must have is judged later. */
static bool target_has_failed(const Opening *opening)
{
        return opening->target && opening->target->state == TARGET_LOST &&
               opening->target->errnum != -EMSGSIZE;
}

/* Until all are open, or one cannot be. */
static int open_all(Opening *openings, size_t n, int signal_fd)
{
        _cleanup_free_ struct pollfd *fds = calloc(n * DISK_FDS_MAX + 1, sizeof(*fds));

        if (!fds)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                opening_begin(&openings[i]);
        for (;;) {
                uint64_t deadline = UINT64_MAX;
                size_t n_fds = 0, at = 0;
                bool is_over = true;
                int r;

                for (size_t i = 0; i < n; i++) {
                        if (source_has_failed(&openings[i]) || target_has_failed(&openings[i]))
                                return 0;
                        is_over = is_over && !source_is_opening(&openings[i]) &&
                                  !target_is_opening(&openings[i]);
                        n_fds += opening_poll(&openings[i], fds + n_fds, &deadline);
                }
                if (is_over)
                        return 0;
                r = wait_for(fds, n_fds, signal_fd, deadline);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < n; i++) {
                        size_t n_mine = openings[i].n_source_fds + openings[i].n_target_fds;

                        opening_dispatch(&openings[i], fds + at);
                        at += n_mine;
                }
        }
}

int preflight_open_source(Source *source, int signal_fd)
{
        Opening opening = { .source = source };
        int r;

        r = open_all(&opening, 1, signal_fd);
        if (r >= 0)
                return opening.result;
        return r == -ECANCELED ? r : source_fail(source, r, "%s", strerror(-r));
}

/* What it has, as far as that is known. One of another size does not stay open. */
static uint64_t take_size(Target *target)
{
        if (target->state != TARGET_OPEN)
                target_close(target);
        return target->has_size ? target->found_bytes : 0;
}

int preflight_open_target(Target *target, int signal_fd, uint64_t *ret_bytes)
{
        Opening opening = { .target = target };
        int r;

        r = open_all(&opening, 1, signal_fd);
        if (r >= 0 && target_has_failed(&opening))
                r = target->errnum;
        *ret_bytes = take_size(target);
        return r;
}

static int complain(const Disk *disk, int error, const char *name, const char *role,
                    const char *text)
{
        if (error == -ECANCELED)
                return error;
        return failure_set(disk->failure, error, name, disk->disk->disk_key,
                           "disk %" PRIu32 ": cannot open its %s: %s; nothing was written",
                           disk->disk->disk_key, role, text);
}

/* The first that cannot be opened. */
static int check_opened(const Disk *disks, const Opening *openings, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const Source *source = openings[i].source;
                const Target *target = openings[i].target;

                if (source_has_failed(&openings[i]))
                        return complain(&disks[i], openings[i].result,
                                        source->error_name ?: FAILURE_SOURCE, "source",
                                        source->error);
                if (target_has_failed(&openings[i]))
                        return complain(&disks[i], target->errnum, FAILURE_TARGET, "target",
                                        target->error);
        }
        return 0;
}

/* Some disks at once. 0 connections: they are not wanted yet, and closed again. */
static int look_at_some(Disk *disks, size_t n, unsigned n_connections, int signal_fd,
                        PreflightSize *sources, PreflightSize *targets)
{
        _cleanup_free_ Opening *openings = calloc(n + 1, sizeof(*openings));
        int r;

        if (!openings)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                target_init(&disks[i].target, &disks[i].disk->target_uri,
                            disks[i].disk->capacity_bytes, n_connections > 0 ? n_connections : 1);
                openings[i] = (Opening){ .source = disks[i].source, .target = &disks[i].target };
        }
        r = open_all(openings, n, signal_fd);
        if (r >= 0)
                r = check_opened(disks, openings, n);
        for (size_t i = 0; i < n; i++) {
                sources[i].found_bytes = disks[i].source->size_bytes;
                targets[i].found_bytes = take_size(&disks[i].target);
                if (r >= 0 && n_connections > 0) {
                        disk_has_source(&disks[i]);
                        continue;
                }
                disks[i].source->ops->close(disks[i].source);
                target_close(&disks[i].target);
        }
        return r;
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
        for (size_t i = 0; i < n_disks; i++)
                sources[i] = targets[i] =
                                (PreflightSize){ .disk_key = disks[i].disk->disk_key,
                                                 .capacity_bytes = disks[i].disk->capacity_bytes };
        /* As many at once as will be copied at once: a source may be a process. */
        for (size_t i = 0, n = n_keep; i < n_disks && r >= 0; i += n) {
                if (n > n_disks - i)
                        n = n_disks - i;
                r = look_at_some(disks + i, n, i < n_keep ? n_connections : 0, signal_fd,
                                 sources + i, targets + i);
        }
        if (r == -ECANCELED)
                return failure_set(failure, r, FAILURE_CANCELLED, 0, "cancelled");
        if (r < 0)
                return failure_set(failure, r, FAILURE_OTHER, 0, "cannot look at the disks: %s",
                                   strerror(-r));
        r = preflight_judge(targets, n_disks, "target", failure);
        return r < 0 ? r : preflight_judge(sources, n_disks, "source", failure);
}
