/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passwords (see password.h).
 */
#include "password.h"

#include "cleanup.h"
#include "hub-client.h"
#include "options.h"
#include "parse.h"
#include "secret.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

enum {
        PASSWORD_MAX = 512, /* bytes, as the hub has it */
        BUFFER_SIZE = PASSWORD_MAX + 2, /* a line feed, and one byte that is too much */
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
        caught = number;
}

bool operator_is_there(void)
{
        return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool operator_agrees(const char *question)
{
        char line[16];

        for (;;) {
                (void) fprintf(stderr, "%s (yes/no) ", question);
                if (!fgets(line, sizeof(line), stdin))
                        return false;
                if (strcmp(line, "yes\n") == 0 || strcmp(line, "no\n") == 0)
                        return line[0] == 'y';
        }
}

/* Up to size bytes, or to a line feed when is_line; how many, or negative. */
static ssize_t read_bytes(int fd, char *buffer, size_t size, bool is_line)
{
        size_t n = 0;

        while (n < size) {
                ssize_t got = read(fd, buffer + n, size - n);

                if (got < 0 && errno == EINTR && !caught)
                        continue;
                if (got < 0)
                        return -errno;
                n += (size_t) got;
                if (got == 0 || (is_line && n > 0 && buffer[n - 1] == '\n'))
                        break;
        }
        return (ssize_t) n;
}

/* The terminal is given back as it was, also when a signal ends the typing; the signal counts afterwards. */
static ssize_t read_typed(const char *prompt, char *buffer)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
        struct sigaction action = { .sa_handler = on_signal }, old[ELEMENTSOF(signals)];
        struct termios as_it_was, silent;
        ssize_t n;

        if (tcgetattr(STDIN_FILENO, &as_it_was) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], &action, &old[i]);
        silent = as_it_was;
        silent.c_lflag &= ~(tcflag_t) ECHO;
        (void) fputs(prompt, stderr);
        n = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0
                            ? -errno
                            : read_bytes(STDIN_FILENO, buffer, BUFFER_SIZE, true);
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_was);
        (void) fputc('\n', stderr);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], &old[i], NULL);
        if (caught)
                (void) raise(caught);
        return n;
}

static ExitStatus make_memory(const char *buffer, ssize_t n, const char *from, int *ret_fd)
{
        int r;

        if (n > 0 && buffer[n - 1] == '\n')
                n--;
        if (n == 0)
                return complain(CTL_FAILED, "the password %s is empty", from);
        if (n > PASSWORD_MAX)
                return complain(CTL_FAILED, "the password %s has more than %d bytes", from,
                                PASSWORD_MAX);
        r = secret_make_memfd(buffer, (size_t) n, ret_fd);
        return r < 0 ? complain(CTL_FAILED, "Cannot keep a password in memory: %s", strerror(-r))
                     : CTL_OK;
}

static ExitStatus get_file(const char *path, int *ret_fd)
{
        CLEANUP(secret_free_p) Secret *secret = NULL;
        int r = secret_read_file(path, BUFFER_SIZE, &secret);

        if (r == -EPERM)
                return complain(CTL_FAILED,
                                "%s is not private. Make it so: chown it to yourself or root, and "
                                "chmod 0600",
                                path);
        if (r == -ENODATA || r == -EFBIG)
                return complain(CTL_FAILED, "%s must hold a password of 1 to %d bytes", path,
                                PASSWORD_MAX);
        if (r < 0)
                return complain(CTL_FAILED, "%s cannot be read: %s", path, strerror(-r));
        return make_memory(secret_data(secret), (ssize_t) secret_size(secret), "in the file",
                           ret_fd);
}

static ExitStatus get_descriptor(const char *text, char *buffer, int *ret_fd)
{
        uint64_t number;
        ssize_t n;

        if (parse_uint64(text, 0, 1023, &number) < 0)
                return complain(CTL_USAGE, "--password-fd= must be the number of a descriptor");
        n = read_bytes((int) number, buffer, BUFFER_SIZE, false);
        return n < 0 ? complain(CTL_FAILED, "descriptor %s cannot be read: %s", text,
                                strerror((int) -n))
                     : make_memory(buffer, n, "there", ret_fd);
}

static ExitStatus get(const char *prompt, char *buffer, int *ret_fd)
{
        const char *file = option_value(OPTION_PASSWORD_FILE);
        const char *fd = option_value(OPTION_PASSWORD_FD);
        ssize_t n;

        if (file && fd)
                return complain(CTL_USAGE,
                                "--password-file= and --password-fd= exclude each other");
        if (file)
                return get_file(file, ret_fd);
        if (fd)
                return get_descriptor(fd, buffer, ret_fd);
        if (!operator_is_there())
                return complain(CTL_USAGE,
                                "there is no terminal to type a password on; --password-file= or "
                                "--password-fd= gives it");
        n = read_typed(prompt, buffer);
        if (caught)
                return CTL_INTERRUPTED;
        return n < 0 ? complain(CTL_FAILED, "Cannot read from the terminal: %s", strerror((int) -n))
                     : make_memory(buffer, n, "typed", ret_fd);
}

ExitStatus password_append(sd_bus_message *message, const char *prompt)
{
        _cleanup_close_ int fd = -1;
        char buffer[BUFFER_SIZE];
        ExitStatus s;
        int r;

        s = get(prompt, buffer, &fd);
        explicit_bzero(buffer, sizeof(buffer));
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_append(message, "h", fd);
        return r < 0 ? hub_complain_arguments(r) : CTL_OK;
}
