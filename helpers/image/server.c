/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The private server (see server.h). qemu-nbd writes its pid file when it listens and has the image
 * open, so that file's coming is the event that is waited for, beside the server's end.
 */
#include "server.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "image-shape.h"
#include "server-caches.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static int make_folder(Server *server, Failure *failure)
{
        const char *base = getenv("RUNTIME_DIRECTORY") ?: getenv("TMPDIR") ?: "/tmp";
        char *folder = NULL;

        if (asprintf(&folder, "%s/sendense-image-XXXXXX", base) < 0)
                return failure_errno(failure, -ENOMEM, "No memory for a path");
        if (!mkdtemp(folder)) {
                free(folder);
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "Cannot make a folder in %s: %m; set TMPDIR", base);
        }
        server->folder = folder;
        if (asprintf(&server->socket, "%s/nbd", folder) < 0)
                server->socket = NULL;
        if (asprintf(&server->pid_file, "%s/pid", folder) < 0)
                server->pid_file = NULL;
        if (!server->socket || !server->pid_file) {
                (void) failure_errno(failure, -ENOMEM, "No memory for a path");
                return -ENOMEM;
        }
        if (strlen(server->socket) >= sizeof(((struct sockaddr_un *) NULL)->sun_path))
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "%s is too long for a socket; set TMPDIR to a shorter folder",
                                   server->socket);
        return 0;
}

/* Until the pid file is there, or the child has closed its stderr because it ended. */
static int wait_ready(Server *server, int watch, Failure *failure)
{
        struct pollfd fds[] = { { .fd = watch, .events = POLLIN },
                                { .fd = server->child.err, .events = POLLIN } };
        char events[sizeof(struct inotify_event) * 16 + 256];

        while (access(server->pid_file, F_OK) < 0) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return failure_errno(failure, -errno, "Cannot wait for qemu-nbd");
                if (fds[0].revents && read(watch, events, sizeof(events)) < 0 && errno != EINTR)
                        return failure_errno(failure, -errno, "Cannot wait for qemu-nbd");
                if (fds[1].revents && child_hear(&server->child, &server->said) <= 0) {
                        server_wait_end(server);
                        return server_failure(server, "qemu-nbd cannot serve it", failure);
                }
        }
        return 0;
}

static int start(Server *server, const Image *image, const ServerUse *use, Failure *failure)
{
        const char *argv[TOOL_WORDS_MAX];
        _cleanup_free_ char *name = NULL;
        char clients[16];
        size_t n = 0;

        name = strcmp(use->format, "qcow2") == 0 ? server_caches_name(image)
                                                 : text_format("./%s", image->name);
        if (!name)
                return failure_errno(failure, -ENOMEM, "No memory for a name");

        (void) snprintf(clients, sizeof(clients), "%u", use->n_clients > 0 ? use->n_clients : 1);
        argv[n++] = "qemu-nbd";
        if (!use->is_writable)
                argv[n++] = "-r";
        if (use->is_direct) {
                argv[n++] = "--cache=none";
                argv[n++] = "--aio=threads";
        }
        argv[n++] = "-A"; /* clients may ask which layer holds what */
        argv[n++] = "-e";
        argv[n++] = clients;
        argv[n++] = "-k";
        argv[n++] = server->socket;
        argv[n++] = "--pid-file";
        argv[n++] = server->pid_file;
        argv[n++] = "-f";
        argv[n++] = use->format;
        argv[n++] = "--";
        argv[n++] = name;
        argv[n] = NULL;
        return child_start(&server->child, image->folder, argv, failure);
}

int server_start(Server *server, const Image *image, const ServerUse *use, Failure *failure)
{
        _cleanup_close_ int watch = -1;
        int r;

        *server = (Server){ .image = image, .child = { .out = -1, .err = -1 } };
        r = make_folder(server, failure);
        if (r >= 0) {
                watch = inotify_init1(IN_CLOEXEC);
                if (watch < 0 ||
                    inotify_add_watch(watch, server->folder, IN_CREATE | IN_MOVED_TO) < 0)
                        r = failure_errno(failure, -errno, "Cannot watch %s", server->folder);
        }
        if (r >= 0)
                r = start(server, image, use, failure);
        if (r >= 0)
                r = wait_ready(server, watch, failure);
        if (r < 0)
                server_done(server);
        return r;
}

int server_failure(Server *server, const char *what, Failure *failure)
{
        struct pollfd fd = { .fd = server->child.err, .events = POLLIN };
        int status;

        /* One that is alive and silent is not waited for. */
        while (poll(&fd, 1, 0) > 0 && child_hear(&server->child, &server->said) > 0)
                ;
        if (server->child.pid > 0 && waitpid(server->child.pid, &status, WNOHANG) > 0) {
                server->child.pid = 0;
                if (WIFSIGNALED(status))
                        return failure_set(
                                        failure, BUS_ERROR_FAILED,
                                        "%s: qemu-nbd was ended by signal %d (%s); out of memory, "
                                        "or killed by hand: try again",
                                        server->image->path, WTERMSIG(status),
                                        strsignal(WTERMSIG(status)));
        }
        return tool_failure(failure, BUS_ERROR_IMAGE_DAMAGED, server->image->path, what,
                            &server->said);
}

void server_wait_end(Server *server)
{
        siginfo_t info;

        if (server->child.pid > 0)
                (void) waitid(P_PID, (id_t) server->child.pid, &info, WEXITED | WNOWAIT);
}

int server_end(Server *server, Failure *failure)
{
        int r, status;

        /* It closes the image well, and need not find out by itself that its clients are gone. */
        (void) kill(server->child.pid, SIGTERM);
        while (child_hear(&server->child, &server->said) > 0)
                ;
        r = child_wait(&server->child, &status, failure);
        if (r < 0)
                return r;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        return tool_failure(failure, BUS_ERROR_FAILED, server->image->path,
                            "qemu-nbd did not end well", &server->said);
}

void server_done(Server *server)
{
        child_done(&server->child);
        if (server->socket)
                (void) unlink(server->socket);
        if (server->pid_file)
                (void) unlink(server->pid_file);
        if (server->folder)
                (void) rmdir(server->folder);
        free(TAKE(server->socket));
        free(TAKE(server->pid_file));
        free(TAKE(server->folder));
}
