/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children (see child.h). Both pipes are read without waiting.
 */
#include "child.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

static void end_line(LineReader *reader)
{
        reader->line[reader->size] = '\0';
        if (reader->size > 0)
                memcpy(reader->last, reader->line, reader->size + 1);
        reader->size = 0;
}

static void read_lines(LineReader *reader)
{
        char data[4096];
        ssize_t n;

        while (reader->fd >= 0) {
                n = read(reader->fd, data, sizeof(data));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        end_line(reader);
                        cleanup_close_p(&reader->fd);
                        reader->fd = -1;
                        return;
                }
                for (ssize_t i = 0; i < n; i++)
                        if (data[i] == '\n' || data[i] == '\r')
                                end_line(reader);
                        else if (reader->size < sizeof(reader->line) - 1)
                                reader->line[reader->size++] = data[i];
        }
}

void child_read(Child *child)
{
        uint64_t percent;
        char *slash;

        read_lines(&child->errors);
        read_lines(&child->progress);
        slash = strchr(child->progress.last, '/');
        if (!slash || strcmp(slash, "/100") != 0)
                return;
        *slash = '\0';
        if (parse_uint64(child->progress.last, 0, 100, &percent) >= 0 && percent > child->percent)
                child->percent = (unsigned) percent;
        child->progress.last[0] = '\0';
}

/* Its descriptors: nothing comes in, what it prints is of no use, and the two pipes. Standard error first:
 * its pipe may stand where the other goes. */
static int add_actions(posix_spawn_file_actions_t *actions, int progress_fd, int error_fd)
{
        int e;

        e = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (e == 0)
                e = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
                                                     0);
        if (e == 0)
                e = posix_spawn_file_actions_adddup2(actions, error_fd, STDERR_FILENO);
        if (e == 0)
                e = posix_spawn_file_actions_adddup2(actions, progress_fd, CHILD_PROGRESS_FD);
        return -e;
}

/* The signals that the caller blocks or ignores do in the child what they always do. */
static int set_signals(posix_spawnattr_t *attributes, const sigset_t *signals)
{
        sigset_t none, defaults = *signals;
        int e;

        (void) sigemptyset(&none);
        (void) sigaddset(&defaults, SIGPIPE);
        e = posix_spawnattr_setsigmask(attributes, &none);
        if (e == 0)
                e = posix_spawnattr_setsigdefault(attributes, &defaults);
        if (e == 0)
                e = posix_spawnattr_setflags(attributes,
                                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        return -e;
}

static int start(const char *const argv[], const sigset_t *signals, int progress_fd, int error_fd,
                 pid_t *ret_pid)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = -posix_spawnattr_init(&attributes);
        if (r < 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return r;
        }
        r = add_actions(&actions, progress_fd, error_fd);
        if (r >= 0)
                r = set_signals(&attributes, signals);
        if (r >= 0)
                r = -posix_spawn(ret_pid, argv[0], &actions, &attributes, (char *const *) argv,
                                 environ);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* The end that is read does not wait; the child's does. */
static int make_pipe(int *ret_read, int *ret_write)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_read = fds[0];
        *ret_write = fds[1];
        return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int child_start(Child *child, const char *const argv[], const sigset_t *signals)
{
        _cleanup_close_ int progress_read = -1, progress_write = -1, error_read = -1,
                            error_write = -1;
        pid_t pid = 0;
        int r;

        r = make_pipe(&progress_read, &progress_write);
        if (r >= 0)
                r = make_pipe(&error_read, &error_write);
        if (r >= 0)
                r = start(argv, signals, progress_write, error_write, &pid);
        if (r < 0)
                return r;
        *child = (Child){
                .pid = pid,
                .progress.fd = take_fd(&progress_read),
                .errors.fd = take_fd(&error_read),
        };
        return 0;
}

int child_reap(Child *child, int *ret_status)
{
        pid_t pid;

        do
                pid = waitpid(child->pid, ret_status, WNOHANG);
        while (pid < 0 && errno == EINTR);
        if (pid == 0)
                return 0;
        if (pid < 0)
                *ret_status = 0x7f00; /* as if it had ended with 127: nobody else waits for it */
        child->pid = 0;
        child_read(child);
        return 1;
}

void child_done(Child *child)
{
        cleanup_close_p(&child->progress.fd);
        cleanup_close_p(&child->errors.fd);
        *child = CHILD_NONE;
}
