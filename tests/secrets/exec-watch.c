/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec-watch DIR: writes down the command line and the environment of every program that starts in this machine, in two
 * files of that folder. Nothing
 * is sampled: whoever opens the C library, which is the first thing a dynamic program does, stands still until he was
 * looked at (fanotify's permission events). Static programs are not seen. Ends with SIGTERM; says "ready" on standard
 * output when it watches. Called by tests/secrets/backup.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#define LIBRARY "/lib/x86_64-linux-gnu/libc.so.6"

static const char *const files[] = { "cmdline", "environ" };
static volatile sig_atomic_t is_over;

static void on_term(int signal)
{
        (void) signal;
        is_over = true;
}

/* Adds a file of /proc; a process that has gone meanwhile was looked at when it was stopped here. */
static void add_file(int out, pid_t pid, const char *name)
{
        static char data[64 * 1024];
        char path[64];
        ssize_t n;
        int fd;

        (void) snprintf(path, sizeof(path), "/proc/%i/%s", (int) pid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        while ((n = read(fd, data, sizeof(data))) > 0)
                if (write(out, data, (size_t) n) != n)
                        break;
        (void) close(fd);
        if (write(out, "\n", 1) != 1)
                (void) fprintf(stderr, "exec-watch: cannot write: %s\n", strerror(errno));
}

static void answer(int watch, const int out[static 2], const struct fanotify_event_metadata *event)
{
        const struct fanotify_response response = { .fd = event->fd, .response = FAN_ALLOW };

        for (size_t i = 0; i < 2; i++)
                add_file(out[i], event->pid, files[i]);
        if (write(watch, &response, sizeof(response)) != (ssize_t) sizeof(response))
                (void) fprintf(stderr, "exec-watch: cannot answer: %s\n", strerror(errno));
        (void) close(event->fd);
}

static int fail(const char *what)
{
        (void) fprintf(stderr, "exec-watch: %s: %s\n", what, strerror(errno));
        return EXIT_FAILURE;
}

static int watch_starts(int watch, const int out[static 2])
{
        struct fanotify_event_metadata events[64];

        while (!is_over) {
                /* Without further information, which nobody asked for, all events have one size. */
                ssize_t n = read(watch, events, sizeof(events));

                if (n < 0 && errno != EINTR)
                        return fail("fanotify");
                for (size_t i = 0; n > 0 && i < (size_t) n / sizeof(*events); i++)
                        if (events[i].fd >= 0)
                                answer(watch, out, events + i);
        }
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
        struct sigaction term = { .sa_handler = on_term };
        int watch, out[2];

        if (argc != 2 || chdir(argv[1]) < 0)
                return fail("the folder to write to");
        for (size_t i = 0; i < 2; i++) {
                out[i] = open(files[i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                if (out[i] < 0)
                        return fail(files[i]);
        }
        (void) sigaction(SIGTERM, &term, NULL);
        watch = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
        if (watch < 0 || fanotify_mark(watch, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, LIBRARY) < 0)
                return fail("fanotify on " LIBRARY);
        (void) puts("ready");
        (void) fflush(stdout);
        return watch_starts(watch, out);
}
