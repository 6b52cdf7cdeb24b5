/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs that a hub needs (see doctor-tools.h). Each is asked for its version, which takes a moment; one that hangs is given up.
 */
#include "doctor-tools.h"

#include "cleanup.h"
#include "ctl.h"
#include "image-shape.h"
#include "json-cleanup.h"
#include "text.h"
#include "tool-version.h"
#include "version-report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "/usr/bin/"

enum {
        LINE_SIZE = 128,
};

typedef struct Tool {
        const char *name, *package;
        uint64_t major, minor; /* at least */
} Tool;

static const Tool tools[] = {
        { "qemu-img", IMAGE_SHAPE_QEMU_PACKAGE, IMAGE_SHAPE_QEMU_MAJOR, IMAGE_SHAPE_QEMU_MINOR },
        { "qemu-nbd", IMAGE_SHAPE_QEMU_PACKAGE, IMAGE_SHAPE_QEMU_MAJOR, IMAGE_SHAPE_QEMU_MINOR },
        { "nbdcopy", "libnbd-bin", 1, 0 },
};

static int add(json_t *verdicts, const char *check, const char *verdict, const char *text,
               const char *remedy)
{
        return json_array_append_new(verdicts,
                                     json_pack("{s:s, s:s, s:s, s:s*}", "Check", check, "Verdict",
                                               verdict, "Text", text, "Remedy", remedy)) == 0
                               ? 0
                               : -ENOMEM;
}

/* What is behind the end of the line is not wanted, and the line is short. */
static int read_line(int fd, char ret_line[static LINE_SIZE])
{
        size_t n = 0;
        ssize_t r;

        do {
                r = read(fd, ret_line + n, LINE_SIZE - 1 - n);
                if (r > 0)
                        n += (size_t) r;
        } while ((r > 0 && n < LINE_SIZE - 1) || (r < 0 && errno == EINTR));
        ret_line[n] = '\0';
        ret_line[strcspn(ret_line, "\n")] = '\0';
        return r < 0 ? -errno : 0;
}

static int start(const char *path, int out, pid_t *ret_pid)
{
        char language[] = "LC_ALL=C", search[] = "PATH=/usr/bin:/bin";
        char *const environment[] = { language, search, NULL };
        const char *const argv[] = { "timeout", "5", path, "--version", NULL };
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                /* The words are not changed; the prototype is older than const. */
                r = posix_spawnp(ret_pid, "timeout", &actions, NULL, (char *const *) argv,
                                 environment);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* The first line that it says about its version. */
static int ask_version(const char *path, char ret_line[static LINE_SIZE])
{
        CLEANUP(cleanup_close_p) int in = -1, out = -1;
        int pipes[2], r, status;
        pid_t pid = 0; /* that of start() when it says so */

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        in = pipes[0];
        out = pipes[1];
        r = start(path, out, &pid);
        if (r < 0)
                return r;
        cleanup_close_p(&out);
        out = -1;
        r = read_line(in, ret_line);
        cleanup_close_p(&in);
        in = -1;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return r < 0 ? r : WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

static int judge_tool(const Tool *tool, json_t *verdicts, unsigned *n_good)
{
        _cleanup_free_ char *remedy = text_format("apt-get install %s", tool->package);
        _cleanup_free_ char *path = text_format("%s" FOLDER "%s", arg_root, tool->name);
        _cleanup_free_ char *text = NULL;
        char said[LINE_SIZE];
        int r;

        if (!path || !remedy)
                return -ENOMEM;
        r = ask_version(path, said);
        if (r >= 0 && tool_version_is_enough(said, tool->major, tool->minor)) {
                (*n_good)++;
                return 0;
        }
        text = r >= 0 ? text_format("%s says \"%s\", %" PRIu64 ".%" PRIu64 " is needed", path, said,
                                    tool->major, tool->minor)
                      : text_format("%s is missing or cannot be run", path);
        return text ? add(verdicts, "tools", "bad", text, remedy) : -ENOMEM;
}

int doctor_tools(json_t *verdicts)
{
        unsigned n_good = 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(tools); i++)
                r = judge_tool(tools + i, verdicts, &n_good);
        if (r < 0 || n_good < ELEMENTSOF(tools))
                return r;
        return add(verdicts, "tools", "ok", "qemu-img, qemu-nbd and nbdcopy are there", NULL);
}

int doctor_versions(sd_bus *bus, json_t *verdicts)
{
        CLEANUP(json_decref_p) json_t *differences = NULL;
        const json_t *difference;
        int r = version_differences(bus, &differences);
        size_t i;

        if (r < 0)
                return r;
        json_array_foreach (differences, i, difference)
                if (r >= 0)
                        r = add(verdicts, "versions", "bad", json_string_value(difference),
                                "sendensectl version shows all of them");
        if (r < 0 || json_array_size(differences) > 0)
                return r;
        return add(verdicts, "versions", "ok",
                   "all programs are of one build, and the hub that runs is its file", NULL);
}
