/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbdkit as a child (see nbdkit.h). It has written its pid file when it listens, and the kernel tells by
 * inotify; its end is told by a pidfd.
 */
#include "nbdkit.h"

#include "nbdkit-said.h"

#include "secret.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum {
        WORDS_MAX = NBDKIT_PARAMETERS_MAX + 12,
        NBDKIT_STOP_MSEC = 3000,
};

struct Nbdkit {
        pid_t pid; /* 0: none, or reaped */
        int pid_fd, error_fd, folder_fd; /* folder_fd: inotify */
        char *folder, *socket, *pid_file, *uri;
        NbdkitSaid *said;
        bool listens;
};

/* What of our environment is none of its business is left out: credentials, the notify socket, LISTEN_*. */
static char **make_environment(void)
{
        static const char *const kept[] = { "PATH", "HOME", "TMPDIR" };
        char **list = calloc(ELEMENTSOF(kept) + 2, sizeof(*list));
        size_t n = 0;

        if (!list)
                return NULL;
        list[n++] = strdup("LC_ALL=C");
        for (size_t i = 0; i < ELEMENTSOF(kept); i++) {
                const char *value = getenv(kept[i]);

                if (value)
                        list[n++] = text_format("%s=%s", kept[i], value);
        }
        return list;
}

static void free_list(char **list)
{
        for (size_t i = 0; list && list[i]; i++)
                free(list[i]);
        free(list);
}

/* A unit's own runtime folder is its own; elsewhere the folder's mode keeps others out. */
static int make_folder(Nbdkit *nbdkit)
{
        const char *base = getenv("RUNTIME_DIRECTORY");
        _cleanup_free_ char *folder = NULL;

        if (!base || !*base)
                base = getenv("XDG_RUNTIME_DIR");
        if (!base || !*base)
                base = "/tmp";
        folder = text_format("%.*s/sendense-nbdkit-XXXXXX", (int) strcspn(base, ":"), base);
        if (!folder)
                return -ENOMEM;
        if (!mkdtemp(folder))
                return -errno;
        nbdkit->folder = TAKE(folder);
        nbdkit->socket = text_format("%s/socket", nbdkit->folder);
        nbdkit->pid_file = text_format("%s/pid", nbdkit->folder);
        nbdkit->uri = text_format("nbd+unix:///?socket=%s", nbdkit->socket ?: "");
        if (!nbdkit->socket || !nbdkit->pid_file || !nbdkit->uri)
                return -ENOMEM;
        if (strlen(nbdkit->socket) >= sizeof(((struct sockaddr_un *) NULL)->sun_path))
                return -ENAMETOOLONG;
        nbdkit->folder_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (nbdkit->folder_fd < 0 ||
            inotify_add_watch(nbdkit->folder_fd, nbdkit->folder, IN_CLOSE_WRITE) < 0)
                return -errno;
        return 0;
}

/* The reading end, closed on execution by us alone. A secret is shorter than what a pipe holds. */
static int make_password_pipe(const Secret *password, int *ret_fd)
{
        _cleanup_close_ int from = -1, to = -1;
        int fds[2];

        if (memchr(secret_data(password), '\n', secret_size(password)) ||
            memchr(secret_data(password), '\0', secret_size(password)))
                return -EINVAL;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        from = fds[0];
        to = fds[1];
        if (write(to, secret_data(password), secret_size(password)) !=
            (ssize_t) secret_size(password))
                return -EIO;
        *ret_fd = take_fd(&from);
        return 0;
}

/* No printf() here: another thread may have been within malloc() when we were forked. */
static void say(const char *program)
{
        static const char why[] = "nbdkit: error: cannot execute ";

        if (write(STDERR_FILENO, why, strlen(why)) < 0 ||
            write(STDERR_FILENO, program, strlen(program)) < 0)
                return; /* nobody reads it */
}

/* Between fork() and exec(), where only what is safe in a signal handler may be called. */
static void become(const char *const words[], char **environment, int error_fd, int password_fd,
                   pid_t parent)
{
        struct sigaction standard = { .sa_handler = SIG_DFL };
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        sigset_t none;

        (void) sigemptyset(&none);
        (void) sigaction(SIGPIPE, &standard, NULL);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        /* Until nbdkit sets its own, which is SIGTERM. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                return;
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
            dup2(error_fd, STDERR_FILENO) < 0)
                return;
        if (password_fd >= 0 && fcntl(password_fd, F_SETFD, 0) < 0)
                return;
        (void) execve(words[0], (char *const *) words, environment);
        say(words[0]);
}

static int spawn(Nbdkit *nbdkit, const char *const words[], int password_fd)
{
        char **environment = make_environment();
        _cleanup_close_ int from = -1, to = -1;
        pid_t parent = getpid();
        int fds[2], r = 0;

        if (!environment)
                return -ENOMEM;
        if (pipe2(fds, O_CLOEXEC) < 0) {
                r = -errno;
                free_list(environment);
                return r;
        }
        from = fds[0];
        to = fds[1];
        if (fcntl(from, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        if (r >= 0) {
                nbdkit->pid = fork();
                if (nbdkit->pid < 0) {
                        r = -errno;
                        nbdkit->pid = 0;
                } else if (nbdkit->pid == 0) {
                        become(words, environment, to, password_fd, parent);
                        _exit(127);
                }
        }
        free_list(environment);
        if (r < 0)
                return r;
        nbdkit->error_fd = take_fd(&from);
        nbdkit->pid_fd = pidfd_open(nbdkit->pid, 0);
        return nbdkit->pid_fd < 0 ? -errno : 0;
}

static int run(Nbdkit *nbdkit, const NbdkitCommand *command)
{
        const char *words[WORDS_MAX] = { command->program,
                                         "-f", /* a child that we can wait for */
                                         "-r",
                                         "-U",
                                         nbdkit->socket,
                                         "-P",
                                         nbdkit->pid_file,
                                         command->plugin };
        size_t n = 8, n_parameters = 0;
        _cleanup_close_ int password_fd = -1;
        char password_word[32];
        int r;

        for (; command->parameters[n_parameters]; n_parameters++) {
                if (n_parameters >= NBDKIT_PARAMETERS_MAX)
                        return -E2BIG;
                words[n++] = command->parameters[n_parameters];
        }
        if (command->password) {
                r = make_password_pipe(command->password, &password_fd);
                if (r < 0)
                        return r;
                (void) snprintf(password_word, sizeof(password_word), "password=-%i", password_fd);
                words[n++] = password_word;
        }
        words[n] = NULL;
        return spawn(nbdkit, words, password_fd);
}

int nbdkit_start(const NbdkitCommand *command, Nbdkit **ret_nbdkit,
                 char ret_error[static NBDKIT_ERROR_SIZE])
{
        CLEANUP(nbdkit_free_p) Nbdkit *nbdkit = malloc(sizeof(*nbdkit));
        int r;

        if (!nbdkit)
                return -ENOMEM;
        *nbdkit = (Nbdkit){ .pid_fd = -1, .error_fd = -1, .folder_fd = -1 };
        r = nbdkit_said_new(command->password, &nbdkit->said);
        if (r >= 0)
                r = make_folder(nbdkit);
        if (r >= 0)
                r = run(nbdkit, command);
        if (r < 0) {
                (void) snprintf(ret_error, NBDKIT_ERROR_SIZE, "cannot start nbdkit: %s",
                                r == -EINVAL ? "a line feed in the password cannot be handed over"
                                             : strerror(-r));
                return r;
        }
        *ret_nbdkit = TAKE(nbdkit);
        return 0;
}

void nbdkit_poll(const Nbdkit *nbdkit, struct pollfd fds[static NBDKIT_FDS])
{
        fds[0] = (struct pollfd){ .fd = nbdkit->pid_fd, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = nbdkit->error_fd, .events = POLLIN };
        fds[2] = (struct pollfd){ .fd = nbdkit->folder_fd, .events = POLLIN };
}

static void hear(Nbdkit *nbdkit)
{
        char data[4096];

        while (nbdkit->error_fd >= 0) {
                ssize_t n = read(nbdkit->error_fd, data, sizeof(data));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                nbdkit_said_add(nbdkit->said, data, n > 0 ? (size_t) n : 0);
                if (n <= 0) {
                        cleanup_close_p(&nbdkit->error_fd);
                        nbdkit->error_fd = -1;
                }
        }
}

/* The events themselves say nothing that the pid file does not. */
static bool has_pid_file(Nbdkit *nbdkit)
{
        char events[4096];
        struct stat st;

        while (read(nbdkit->folder_fd, events, sizeof(events)) > 0)
                ;
        return stat(nbdkit->pid_file, &st) >= 0 && st.st_size > 0;
}

/* A user has few instances of inotify, and all copies are of one user. */
static void forget_folder(Nbdkit *nbdkit)
{
        cleanup_close_p(&nbdkit->folder_fd);
        nbdkit->folder_fd = -1;
}

int nbdkit_dispatch(Nbdkit *nbdkit)
{
        int status;

        hear(nbdkit);
        if (nbdkit->pid > 0 && waitpid(nbdkit->pid, &status, WNOHANG) == nbdkit->pid) {
                nbdkit->pid = 0;
                hear(nbdkit);
        }
        if (nbdkit->pid == 0)
                return -ECHILD;
        if (!nbdkit->listens)
                nbdkit->listens = has_pid_file(nbdkit);
        if (nbdkit->listens)
                forget_folder(nbdkit);
        return nbdkit->listens;
}

const char *nbdkit_uri(const Nbdkit *nbdkit)
{
        return nbdkit->uri;
}

const char *nbdkit_said(Nbdkit *nbdkit)
{
        hear(nbdkit);
        return nbdkit_said_last(nbdkit->said);
}

void nbdkit_stop(Nbdkit *nbdkit)
{
        forget_folder(nbdkit);
        if (nbdkit->pid > 0)
                (void) kill(nbdkit->pid, SIGTERM);
}

static void end_child(Nbdkit *nbdkit)
{
        struct pollfd end = { .fd = nbdkit->pid_fd, .events = POLLIN };
        int r;

        if (nbdkit->pid <= 0)
                return;
        nbdkit_stop(nbdkit);
        do
                r = nbdkit->pid_fd < 0 ? 0 : poll(&end, 1, NBDKIT_STOP_MSEC);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                (void) kill(nbdkit->pid, SIGKILL);
        while (waitpid(nbdkit->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        nbdkit->pid = 0;
}

static void remove_and_free(char *path)
{
        if (path)
                (void) unlink(path);
        free(path);
}

Nbdkit *nbdkit_free(Nbdkit *nbdkit)
{
        if (!nbdkit)
                return NULL;
        end_child(nbdkit);
        cleanup_close_p(&nbdkit->pid_fd);
        cleanup_close_p(&nbdkit->error_fd);
        cleanup_close_p(&nbdkit->folder_fd);
        remove_and_free(TAKE(nbdkit->socket));
        remove_and_free(TAKE(nbdkit->pid_file));
        if (nbdkit->folder)
                (void) rmdir(nbdkit->folder);
        free(nbdkit->folder);
        free(nbdkit->uri);
        (void) nbdkit_said_free(nbdkit->said);
        free(nbdkit);
        return NULL;
}
