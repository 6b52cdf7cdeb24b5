/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop over disks and their children (see copy.h). A disk goes from waiting to copying to verifying
 * to done; it keeps its place among the running ones from the first to the last.
 */
#include "copy.h"

#include "announce.h"
#include "child.h"
#include "clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
        TICK_MSEC = 500, /* how often progress is told */
        TERMINATED_WAIT_MSEC = 1000,
};

typedef enum Phase {
        PHASE_WAITING,
        PHASE_COPYING,
        PHASE_VERIFYING,
        PHASE_DONE,
        PHASE_MAX,
        PHASE_INVALID = -EINVAL,
} Phase;

typedef struct Disk {
        const DiskSpec *spec;
        Phase phase;
        Child child;
        Announced announced;
} Disk;

typedef struct Copy {
        const CopyRequest *request;
        Failure *failure;
        Announcer announcer;
        Disk *disks;
        size_t n_disks;
        size_t n_running;
        uint32_t terminated_key; /* a disk whose child somebody else sent a SIGTERM */
        bool is_ending; /* no new child; the others have got their SIGTERM */
        uint64_t kill_usec; /* when they get a SIGKILL */
} Copy;

static void copy_done(Copy *copy)
{
        announcer_done(&copy->announcer);
        free(copy->disks);
}

static void signal_children(const Copy *copy, int number)
{
        for (size_t i = 0; i < copy->n_disks; i++)
                if (copy->disks[i].child.pid > 0)
                        (void) kill(copy->disks[i].child.pid, number);
}

static void begin_end(Copy *copy)
{
        if (copy->is_ending)
                return;
        copy->is_ending = true;
        copy->kill_usec = clock_now_usec() + CHILD_GRACE_SEC * USEC_PER_SEC;
        signal_children(copy, SIGTERM);
}

static void start_child(Copy *copy, Disk *disk, const char *const argv[], Phase phase)
{
        int r;

        r = child_start(&disk->child, argv, copy->request->signals);
        if (r >= 0) {
                disk->phase = phase;
                copy->n_running++;
                return;
        }
        if (r == -ENOENT || r == -EACCES || r == -ENOEXEC)
                (void) failure_set(copy->failure, r, FAILURE_TOOL_MISSING, disk->spec->disk_key,
                                   "%s cannot be started: %s; install the package libnbd-bin",
                                   argv[0], strerror(-r));
        else
                (void) failure_set(copy->failure, r, FAILURE_COPY, disk->spec->disk_key,
                                   "disk %" PRIu32 ": cannot start %s: %s", disk->spec->disk_key,
                                   argv[0], strerror(-r));
        begin_end(copy);
}

/* Zeroes are written too: the layer below the target may hold something else there. */
static void start_copy(Copy *copy, Disk *disk)
{
        static const char progress[] = "--progress=" CHILD_PROGRESS_FD_TEXT;
        const char *const argv[] = { copy->request->nbdcopy, "--flush",          progress, "--",
                                     disk->spec->source,     disk->spec->target, NULL };

        start_child(copy, disk, argv, PHASE_COPYING);
}

static void start_verify(Copy *copy, Disk *disk)
{
        char capacity[24];
        const char *const argv[] = { "/proc/self/exe",
                                     "--verify",
                                     disk->spec->source,
                                     disk->spec->target,
                                     capacity,
                                     disk->spec->invocation_id,
                                     copy->request->spec->compare ? "yes" : "no",
                                     NULL };

        (void) snprintf(capacity, sizeof(capacity), "%" PRIu64, disk->spec->capacity_bytes);
        start_child(copy, disk, argv, PHASE_VERIFYING);
}

static void start_waiting(Copy *copy)
{
        for (size_t i = 0; i < copy->n_disks; i++) {
                if (copy->is_ending || copy->n_running >= COPIES_MAX)
                        return;
                if (copy->disks[i].phase == PHASE_WAITING)
                        start_copy(copy, &copy->disks[i]);
        }
}

/* Half of the way is the copy, half the comparison. */
static uint64_t bytes_done(const Copy *copy, const Disk *disk)
{
        uint64_t capacity = disk->spec->capacity_bytes;
        uint64_t steps = copy->request->spec->compare ? 200 : 100, done = 0;

        switch (disk->phase) {
        case PHASE_COPYING:
                done = disk->child.percent;
                break;
        case PHASE_VERIFYING:
                done = 100 + disk->child.percent;
                break;
        case PHASE_DONE:
                return capacity;
        case PHASE_WAITING:
        case PHASE_MAX:
        case PHASE_INVALID:
                return 0;
        }
        if (done > steps)
                done = steps;
        return capacity / steps * done + capacity % steps * done / steps;
}

static void tell(Copy *copy)
{
        size_t n[PHASE_MAX] = {};
        uint64_t done = 0, total = 0;
        char line[128];

        for (size_t i = 0; i < copy->n_disks; i++) {
                Disk *disk = &copy->disks[i];

                n[disk->phase]++;
                /* In MiB, of which no list of disks has too many. */
                done += bytes_done(copy, disk) >> 20;
                total += disk->spec->capacity_bytes >> 20;
                announce_disk(&copy->announcer, &disk->announced, disk->spec->disk_key,
                              bytes_done(copy, disk), disk->spec->capacity_bytes, false);
        }
        (void) snprintf(line, sizeof(line),
                        "%" PRIu64 " of %" PRIu64 " MiB; disks: %zu waiting, %zu copying, "
                        "%zu comparing, %zu done",
                        done, total, n[PHASE_WAITING], n[PHASE_COPYING], n[PHASE_VERIFYING],
                        n[PHASE_DONE]);
        announce_status(&copy->announcer, line);
}

static void disk_failed(Copy *copy, const Disk *disk, int status)
{
        const char *what = disk->phase == PHASE_COPYING ? "copy" : "comparison";
        const char *line = disk->child.errors.last;
        const char *name = strstr(line, strerror(ENOSPC)) ? FAILURE_FULL : FAILURE_COPY;
        uint32_t key = disk->spec->disk_key;

        if (WIFSIGNALED(status))
                (void) failure_set(copy->failure, -EIO, FAILURE_COPY, key,
                                   "disk %" PRIu32 ": %s was ended by signal %i (%s)", key, what,
                                   WTERMSIG(status), strsignal(WTERMSIG(status)));
        else if (*line)
                (void) failure_set(copy->failure, -EIO, name, key,
                                   "disk %" PRIu32 ": %s failed: %s", key, what, line);
        else
                (void) failure_set(copy->failure, -EIO, FAILURE_COPY, key,
                                   "disk %" PRIu32 ": %s ended with status %i and said nothing",
                                   key, what, WEXITSTATUS(status));
}

static void disk_ended(Copy *copy, Disk *disk, int status)
{
        copy->n_running--;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && !copy->is_ending)
                        copy->terminated_key = disk->spec->disk_key;
                else
                        disk_failed(copy, disk, status);
                child_done(&disk->child);
                begin_end(copy);
                return;
        }
        child_done(&disk->child);
        if (disk->phase == PHASE_COPYING) {
                if (!copy->is_ending)
                        start_verify(copy, disk);
                return;
        }
        disk->phase = PHASE_DONE;
        announce_disk(&copy->announcer, &disk->announced, disk->spec->disk_key,
                      disk->spec->capacity_bytes, disk->spec->capacity_bytes, true);
}

static void read_signals(Copy *copy)
{
        struct signalfd_siginfo info;

        while (read(copy->request->signal_fd, &info, sizeof(info)) == (ssize_t) sizeof(info)) {
                if (info.ssi_signo == SIGCHLD)
                        continue;
                (void) failure_set(copy->failure, -ECANCELED, FAILURE_CANCELLED, 0, "cancelled");
                begin_end(copy);
        }
}

/* Who ends a unit may send the SIGTERM to its children before he sends ours. */
static void judge_terminated(Copy *copy)
{
        struct pollfd fd = { .fd = copy->request->signal_fd, .events = POLLIN };

        if (copy->terminated_key == 0 || copy->failure->name)
                return;
        (void) poll(&fd, 1, TERMINATED_WAIT_MSEC);
        read_signals(copy);
        (void) failure_set(copy->failure, -EIO, FAILURE_COPY, copy->terminated_key,
                           "disk %" PRIu32 ": its process was ended by a SIGTERM of somebody else",
                           copy->terminated_key);
}

static int wait_timeout_msec(const Copy *copy)
{
        uint64_t now = clock_now_usec();

        if (!copy->is_ending || copy->kill_usec == UINT64_MAX)
                return TICK_MSEC;
        return now >= copy->kill_usec ? 0 : (int) ((copy->kill_usec - now) / USEC_PER_MSEC) + 1;
}

static int wait_for_something(const Copy *copy)
{
        struct pollfd fds[1 + 2 * COPIES_MAX] = {
                { .fd = copy->request->signal_fd, .events = POLLIN },
        };
        nfds_t n = 1;

        for (size_t i = 0; i < copy->n_disks; i++) {
                const Child *child = &copy->disks[i].child;

                if (child->pid == 0)
                        continue;
                /* A pipe that has ended is -1, which poll() passes over. */
                fds[n++] = (struct pollfd){ .fd = child->progress.fd, .events = POLLIN };
                fds[n++] = (struct pollfd){ .fd = child->errors.fd, .events = POLLIN };
        }
        return poll(fds, n, wait_timeout_msec(copy)) < 0 && errno != EINTR ? -errno : 0;
}

static void step(Copy *copy)
{
        read_signals(copy);
        for (size_t i = 0; i < copy->n_disks; i++) {
                Disk *disk = &copy->disks[i];
                int status;

                if (disk->child.pid == 0)
                        continue;
                child_read(&disk->child);
                if (child_reap(&disk->child, &status) > 0)
                        disk_ended(copy, disk, status);
        }
        if (copy->is_ending && clock_now_usec() >= copy->kill_usec) {
                signal_children(copy, SIGKILL);
                copy->kill_usec = UINT64_MAX;
        }
        tell(copy);
}

int copy_disks(const CopyRequest *request, Failure *failure)
{
        CLEANUP(copy_done)
        Copy copy = {
                .request = request,
                .failure = failure,
                .disks = calloc(request->spec->n_disks, sizeof(*copy.disks)),
                .n_disks = request->spec->n_disks,
        };

        announcer_init(&copy.announcer, request->spec->progress, request->spec->job);
        if (!copy.disks)
                return -ENOMEM;
        for (size_t i = 0; i < copy.n_disks; i++)
                copy.disks[i] = (Disk){ .spec = &request->spec->disks[i], .child = CHILD_NONE };

        for (;;) {
                int r;

                read_signals(&copy);
                start_waiting(&copy);
                if (copy.n_running == 0)
                        break;
                r = wait_for_something(&copy);
                if (r < 0) {
                        (void) failure_set(failure, r, FAILURE_OTHER, 0, "poll: %s", strerror(-r));
                        begin_end(&copy);
                }
                step(&copy);
        }
        judge_terminated(&copy);
        return failure->name ? -EIO : 0;
}
