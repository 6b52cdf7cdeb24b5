/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running a program (see child.h).
 */
#include "child.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

static int start(const char *const argv[], int out, pid_t *ret_pid)
{
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
        if (r == 0)
                r = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *) argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Until it closes its outputs. 1: the time is over. */
static int hear(int fd, uint64_t until_usec, char *said)
{
        char unheard[4096];
        size_t size = 0;

        for (;;) {
                uint64_t now = clock_monotonic_usec();
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
                bool is_full = size >= CHILD_SAID_SIZE - 1;
                ssize_t n;

                said[size] = '\0';
                if (now >= until_usec)
                        return 1;
                if (poll(&poll_fd, 1, (int) ((until_usec - now) / USEC_PER_MSEC) + 1) <= 0)
                        continue;
                n = is_full ? read(fd, unheard, sizeof(unheard))
                            : read(fd, said + size, CHILD_SAID_SIZE - 1 - size);
                if (n <= 0)
                        return n < 0 && errno != EINTR ? -errno : 0;
                size += is_full ? 0 : (size_t) n;
        }
}

int child_run(const char *const argv[], unsigned seconds, char *said, int *ret_status)
{
        uint64_t until_usec = clock_monotonic_usec() + seconds * USEC_PER_SEC;
        _cleanup_close_ int in = -1;
        int fds[2], r, heard, status = 0;
        pid_t pid = 0;

        *said = '\0';
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        in = fds[0];
        r = start(argv, fds[1], &pid);
        (void) close(fds[1]);
        if (r < 0)
                return r;
        heard = hear(in, until_usec, said);
        if (heard != 0)
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        if (heard != 0)
                return heard < 0 ? heard : -ETIMEDOUT;
        if (!WIFEXITED(status))
                return -ECHILD;
        *ret_status = WEXITSTATUS(status);
        return 0;
}
