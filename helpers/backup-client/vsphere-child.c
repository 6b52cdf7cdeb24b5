/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-vsphere as a child (see vsphere-child.h).
 */
#include "vsphere-child.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "result-file.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Memory that reads as a file. */
static int spec_fd(const json_t *spec, int *ret_fd)
{
        _cleanup_close_ int fd = memfd_create("spec", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (json_dumpfd(spec, fd, JSON_COMPACT) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -EIO;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* In a group of its own: a Ctrl-C is for us, who still have a snapshot to remove. */
static int prepare(posix_spawnattr_t *attributes)
{
        sigset_t none, defaults;
        int e;

        (void) sigemptyset(&none);
        (void) sigemptyset(&defaults);
        (void) sigaddset(&defaults, SIGPIPE);
        e = posix_spawnattr_setsigmask(attributes, &none);
        if (e == 0)
                e = posix_spawnattr_setsigdefault(attributes, &defaults);
        if (e == 0)
                e = posix_spawnattr_setpgroup(attributes, 0);
        if (e == 0)
                e = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                                         POSIX_SPAWN_SETSIGDEF |
                                                                         POSIX_SPAWN_SETPGROUP);
        return -e;
}

static int spawn(const char *const words[], int in_fd, int out_fd, pid_t *ret_pid)
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
        r = -posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
        if (r >= 0)
                r = -posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
        if (r >= 0)
                r = prepare(&attributes);
        if (r >= 0)
                r = -posix_spawn(ret_pid, words[0], &actions, &attributes, (char *const *) words,
                                 environ);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* All that it says, until it ends. A signal is passed on, once: it ends when it has cleaned up. */
static int hear(pid_t pid, int fd, int signal_fd, char *text, size_t *size)
{
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = fd, .events = POLLIN },
                        { .fd = signal_fd, .events = POLLIN },
                };
                char rest[4096];
                ssize_t n;

                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return -errno;
                if (fds[1].revents) {
                        (void) kill(pid, SIGTERM);
                        signal_fd = -1;
                }
                if (!fds[0].revents)
                        continue;
                n = *size < RESULT_SIZE_MAX ? read(fd, text + *size, RESULT_SIZE_MAX - *size)
                                            : read(fd, rest, sizeof(rest));
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n == 0)
                        return 0;
                if (n > 0 && *size < RESULT_SIZE_MAX)
                        *size += (size_t) n;
        }
}

static int run(const VsphereChild *child, const char *verb, const json_t *spec, char *text,
               size_t *size)
{
        _cleanup_free_ char *option = NULL;
        const char *words[4] = { child->program };
        _cleanup_close_ int in_fd = -1, from = -1, to = -1;
        int fds[2], r, n = 1;
        pid_t pid;

        if (child->password_file) {
                option = text_format("--password-file=%s", child->password_file);
                if (!option)
                        return -ENOMEM;
                words[n++] = option;
        }
        words[n] = verb;
        r = spec_fd(spec, &in_fd);
        if (r < 0)
                return r;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        from = fds[0];
        to = fds[1];
        r = spawn(words, in_fd, to, &pid);
        if (r < 0)
                return r;
        cleanup_close_p(&to);
        to = -1;
        r = hear(pid, from, child->signal_fd, text, size);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}

/* A name of our table, whatever the child has sent. */
static int take_failure(const json_t *result, Failure *failure)
{
        const char *name = json_string_value(json_object_get(result, "error_name"));
        const char *text = json_string_value(json_object_get(result, "error_text"));
        const char *known = name ? bus_error_from_errno(bus_error_to_errno(name)) : NULL;

        return failure_set(failure, -EIO, known ?: FAILURE_OTHER, 0, "%s", text ?: "it failed");
}

int vsphere_child_run(const VsphereChild *child, const char *verb, const json_t *spec,
                      json_t **ret_result, Failure *failure)
{
        _cleanup_free_ char *text = malloc(RESULT_SIZE_MAX);
        const char *word;
        json_t *result;
        size_t size = 0;
        int r;

        if (!text)
                return failure_set(failure, -ENOMEM, FAILURE_OTHER, 0, "out of memory");
        r = run(child, verb, spec, text, &size);
        if (r < 0)
                return failure_set(failure, r, r == -ENOENT ? FAILURE_TOOL_MISSING : FAILURE_OTHER,
                                   0, "%s %s: %s", child->program, verb, strerror(-r));
        r = result_parse(text, size, &result);
        if (r < 0)
                return failure_set(failure, r, FAILURE_OTHER, 0,
                                   "%s %s ended without a result; the journal may say why",
                                   child->program, verb);
        word = json_string_value(json_object_get(result, "result"));
        if (!word || strcmp(word, "ok") != 0) {
                r = take_failure(result, failure);
                json_decref(result);
                return r;
        }
        *ret_result = result;
        return 0;
}
