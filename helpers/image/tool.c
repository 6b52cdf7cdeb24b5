/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children of the image helper (see tool.h).
 */
#include "tool.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "image-shape.h"
#include "tool-version.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#define REMEDY "install Debian's package " IMAGE_SHAPE_QEMU_PACKAGE

static int set_actions(posix_spawn_file_actions_t *actions, int folder, int out, int err)
{
        int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, err, STDERR_FILENO);
        if (r == 0 && folder >= 0)
                r = posix_spawn_file_actions_addfchdir_np(actions, folder);
        return -r;
}

static int spawn(Child *child, int folder, const char *const argv[], int out, int err)
{
        _cleanup_free_ char *path = NULL;
        char language[] = "LC_ALL=C";
        posix_spawn_file_actions_t actions;
        int r;

        if (asprintf(&path, "PATH=%s", getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin") < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = set_actions(&actions, folder, out, err);
        if (r == 0) {
                char *const environment[] = { language, path, NULL };

                /* The words are not changed; the prototype is older than const. */
                r = -posix_spawnp(&child->pid, argv[0], &actions, NULL, (char *const *) argv,
                                  environment);
        }
        (void) posix_spawn_file_actions_destroy(&actions);
        if (r < 0)
                child->pid = 0;
        return r;
}

int child_start(Child *child, int folder, const char *const argv[], Failure *failure)
{
        _cleanup_close_ int out = -1, err = -1;
        int pair[2], r;

        *child = (Child){ .program = argv[0], .out = -1, .err = -1 };
        if (pipe2(pair, O_CLOEXEC) < 0)
                return failure_errno(failure, -errno, "Cannot make a pipe");
        child->out = pair[0];
        out = pair[1];
        if (pipe2(pair, O_CLOEXEC) < 0) {
                r = -errno;
                child_done(child);
                return failure_errno(failure, r, "Cannot make a pipe");
        }
        child->err = pair[0];
        err = pair[1];

        r = spawn(child, folder, argv, out, err);
        if (r == 0)
                return 0;
        child_done(child);
        if (r == -ENOENT || r == -EACCES || r == -ENOEXEC)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "%s cannot be started: %s; " REMEDY, argv[0], strerror(-r));
        return failure_errno(failure, r, "Cannot start %s", argv[0]);
}

int child_hear(Child *child, Said *said)
{
        char part[TOOL_SAID_SIZE / 2];
        ssize_t n = read(child->err, part, sizeof(part));
        size_t over;

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 1 : -errno;
        if (n == 0)
                return 0;
        over = said->n + (size_t) n;
        over = over >= sizeof(said->text) ? over - sizeof(said->text) + 1 : 0;
        memmove(said->text, said->text + over, said->n - over);
        said->n -= over;
        memcpy(said->text + said->n, part, (size_t) n);
        said->n += (size_t) n;
        said->text[said->n] = '\0';
        return 1;
}

int child_wait(Child *child, int *ret_status, Failure *failure)
{
        pid_t pid;

        do
                pid = waitpid(child->pid, ret_status, 0);
        while (pid < 0 && errno == EINTR);
        if (pid < 0)
                return failure_errno(failure, -errno, "Cannot wait for %s", child->program);
        child->pid = 0;
        return 0;
}

void child_done(Child *child)
{
        if (child->pid > 0) {
                (void) kill(child->pid, SIGKILL);
                while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
                child->pid = 0;
        }
        cleanup_close_p(&child->out);
        cleanup_close_p(&child->err);
        child->out = child->err = -1;
}

/* What a child printed, growing up to TOOL_OUTPUT_MAX. */
typedef struct Output {
        char *text;
        size_t n, size;
} Output;

/* 0 at the end, 1 else. */
static int output_read(Output *output, int fd)
{
        ssize_t n;

        if (output->n + 1 >= output->size) {
                size_t size = output->size > 0 ? output->size * 2 : 4096;
                char *text = size <= TOOL_OUTPUT_MAX ? realloc(output->text, size) : NULL;

                if (!text)
                        return size <= TOOL_OUTPUT_MAX ? -ENOMEM : -EFBIG;
                output->text = text;
                output->size = size;
        }
        n = read(fd, output->text + output->n, output->size - output->n - 1);
        if (n < 0)
                return errno == EINTR ? 1 : -errno;
        output->n += (size_t) n;
        output->text[output->n] = '\0';
        return n > 0;
}

/* Until the child has closed both; -1 is passed over by poll(). */
static int read_both(Child *child, Output *output, Said *said)
{
        struct pollfd fds[] = { { .fd = child->out, .events = POLLIN },
                                { .fd = child->err, .events = POLLIN } };
        int r;

        while (fds[0].fd >= 0 || fds[1].fd >= 0) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (fds[0].revents) {
                        r = output_read(output, child->out);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                fds[0].fd = -1;
                }
                if (fds[1].revents) {
                        r = child_hear(child, said);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                fds[1].fd = -1;
                }
        }
        return 0;
}

int tool_run(int folder, const char *const argv[], int *ret_status, char **ret_output,
             Said *ret_said, Failure *failure)
{
        CLEANUP(child_done) Child child = {};
        _cleanup_free_ char *text = NULL;
        Output output = {};
        int r, status;

        *ret_said = (Said){};
        r = child_start(&child, folder, argv, failure);
        if (r < 0)
                return r;
        r = read_both(&child, &output, ret_said);
        text = output.text;
        if (r < 0)
                return failure_errno(failure, r, "Cannot read what %s %s says", argv[0], argv[1]);
        r = child_wait(&child, &status, failure);
        if (r < 0)
                return r;
        if (!WIFEXITED(status))
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "%s %s was ended by signal %d (%s); out of memory, or killed by "
                                   "hand: try again",
                                   argv[0], argv[1], WTERMSIG(status), strsignal(WTERMSIG(status)));
        *ret_status = WEXITSTATUS(status);
        if (ret_output)
                *ret_output = TAKE(text);
        return 0;
}

int tool_failure(Failure *failure, const char *name, const char *path, const char *what,
                 const Said *said)
{
        static const struct {
                const char *said;
                const char *name, *remedy;
        } known[] = {
                { " lock\n", BUS_ERROR_IMAGE_BUSY,
                  "; fuser -v shows who has it, stop it and try again" },
                { "No space left on device", BUS_ERROR_REPOSITORY_FULL,
                  "; free space or make the file system larger" },
                { "Disk quota exceeded", BUS_ERROR_REPOSITORY_FULL,
                  "; free space or raise the quota" },
                { "Read-only file system", BUS_ERROR_REPOSITORY_READ_ONLY,
                  "; the kernel's log says why, then: mount -o remount,rw" },
                { "Permission denied", BUS_ERROR_REPOSITORY_PERMISSIONS,
                  "; images belong to sendense:sendense-export, folders with mode 2750" },
                { "Operation not permitted", BUS_ERROR_REPOSITORY_PERMISSIONS,
                  "; images belong to sendense:sendense-export, folders with mode 2750" },
                { "Stale file handle", BUS_ERROR_REPOSITORY_MISSING, "; mount it again" },
                { "Transport endpoint is not connected", BUS_ERROR_REPOSITORY_MISSING,
                  "; mount it again" },
                { "Connection timed out", BUS_ERROR_REPOSITORY_MISSING,
                  "; its server does not answer: try again, or mount it again" },
                { "Host is down", BUS_ERROR_REPOSITORY_MISSING,
                  "; its server does not answer: try again, or mount it again" },
                { "backing file", BUS_ERROR_IMAGE_DAMAGED,
                  "; a layer below is missing or damaged: bring it back, or begin a new chain with "
                  "a "
                  "full backup" },
        };
        const char *remedy = strcmp(name, BUS_ERROR_IMAGE_DAMAGED) == 0
                                             ? "; begin a new chain with a full backup"
                                             : "";
        const char *text = said->text;
        size_t length = said->n;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strstr(said->text, known[i].said)) {
                        name = known[i].name;
                        remedy = known[i].remedy;
                        break;
                }
        /* Its last lines are the ones that say it. */
        while (length > 0 && text[length - 1] == '\n')
                length--;
        if (length > 240) {
                text += length - 240;
                length = 240;
        }
        if (length == 0)
                return failure_set(failure, name, "%s: %s, and did not say why%s", path, what,
                                   remedy);
        return failure_set(failure, name, "%s: %s: %.*s%s", path, what, (int) length, text, remedy);
}

int tool_check_version(const char *program, Failure *failure)
{
        const char *const argv[] = { program, "--version", NULL };
        _cleanup_free_ char *text = NULL;
        int r, status = 0;
        Said said;

        r = tool_run(-1, argv, &status, &text, &said, failure);
        if (r < 0)
                return r;
        if (status != 0 || !text)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "%s --version failed: %.200s; " REMEDY, program, said.text);
        text[strcspn(text, "\n")] = '\0';
        if (!tool_version_is_enough(text, IMAGE_SHAPE_QEMU_MAJOR, IMAGE_SHAPE_QEMU_MINOR))
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "\"%.100s\" is too old, %d.%d is needed; " REMEDY, text,
                                   IMAGE_SHAPE_QEMU_MAJOR, IMAGE_SHAPE_QEMU_MINOR);
        return 0;
}
