/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the snapshot is there still (see snapshot-check.h).
 */
#include "snapshot-check.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "parse.h"
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>

enum {
        RETRY_MSEC = 5000,
};

static bool is_of_vcenter(const CopySpec *spec)
{
        for (size_t i = 0; i < spec->n_disks; i++)
                if (spec->disks[i].source.kind == SOURCE_HTTPS ||
                    spec->disks[i].source.kind == SOURCE_VDDK)
                        return true;
        return false;
}

/* For news of the session (-1: of nobody), for so long. */
static int wait_for(int session_fd, int signal_fd, int timeout_msec)
{
        struct pollfd fds[] = { { .fd = session_fd, .events = POLLIN },
                                { .fd = signal_fd, .events = POLLIN } };
        eventfd_t news;

        if (poll(fds, ELEMENTSOF(fds), timeout_msec) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[1].revents)
                return -ECANCELED;
        if (fds[0].revents)
                (void) eventfd_read(session_fd, &news);
        return 0;
}

/* 1: it is there. */
static int ask(const CopySpec *spec, SessionUser *user, const char *vm, const char *snapshot,
               int signal_fd, char ret_error[static SESSION_ERROR_SIZE])
{
        uint64_t since_usec = clock_monotonic_usec();
        bool is_told = false;

        for (;;) {
                int r, wait;

                r = session_has_snapshot(user, vm, snapshot, ret_error);
                if (r > 0 || r == -ENOENT || r == -EACCES || r == -ENOMEM)
                        return r;
                if (r < 0 &&
                    clock_monotonic_usec() - since_usec >= spec->source_away_sec * USEC_PER_SEC)
                        return r;
                if (r < 0 && !is_told)
                        (void) log_full(LOG_WARNING, 0, &(LogContext){ .job = spec->job },
                                        MESSAGE_NONE,
                                        "vCenter cannot be asked whether the snapshot is there "
                                        "still (%s), trying again",
                                        ret_error);
                is_told = is_told || r < 0;
                wait = r < 0 ? wait_for(-1, signal_fd, RETRY_MSEC)
                             : wait_for(session_fd(user), signal_fd, -1);
                if (wait < 0) {
                        (void) snprintf(ret_error, SESSION_ERROR_SIZE, "%s", strerror(-wait));
                        return wait;
                }
        }
}

static int fail(int error, const char *snapshot, const char *text, Failure *failure)
{
        if (error == -ECANCELED)
                return failure_set(failure, error, FAILURE_CANCELLED, 0, "cancelled");
        if (error == -ENOENT)
                return failure_set(failure, error, FAILURE_SOURCE, 0,
                                   "the snapshot %s was removed while it was read, so what was "
                                   "copied is of no one moment; back up again, and see in the "
                                   "VM's tasks and events at vCenter who removes snapshots that "
                                   "are not his (a person, or the job of another tool)",
                                   snapshot);
        return failure_set(failure, error, FAILURE_SOURCE, 0,
                           "all disks are read, but vCenter cannot be asked whether the snapshot "
                           "%s was there to the end: %s",
                           snapshot, text);
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

int snapshot_is_named(const CopySpec *spec, Failure *failure)
{
        if (!is_of_vcenter(spec) ||
            (text_of(spec->vm, "moref") && text_of(spec->vm, "snapshot_moref")))
                return 0;
        return failure_set(
                        failure, -EINVAL, FAILURE_INVALID, 0,
                        "the spec: \"vm\" must have moref and snapshot_moref, because vCenter is "
                        "asked at the end whether the snapshot is there still");
}

int snapshot_check(const CopySpec *spec, int signal_fd, Failure *failure)
{
        const char *vm = text_of(spec->vm, "moref");
        const char *snapshot = text_of(spec->vm, "snapshot_moref");
        CLEANUP(session_leave_p) SessionUser *user = NULL;
        char text[SESSION_ERROR_SIZE] = "";
        int r;

        if (!is_of_vcenter(spec))
                return 0;
        (void) sd_notify(false, "STATUS=Asking whether the snapshot is there still");
        r = session_join(spec->vcenter, &user, failure);
        if (r < 0)
                return r;
        r = ask(spec, user, vm, snapshot, signal_fd, text);
        return r < 0 ? fail(r, snapshot, text, failure) : 0;
}
