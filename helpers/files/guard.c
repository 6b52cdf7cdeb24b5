/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deadlines (see guard.h). libguestfs can be interrupted nowhere, so the end of the time ends the program, from a signal handler:
 * what it has to say is made before. systemd ends the appliance with it.
 */
#include "guard.h"

#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
        WORDS_SIZE = 1024,
};

static char words[WORDS_SIZE];
static volatile sig_atomic_t n_words;
static unsigned seconds_left;
static int fd = -1;

static void on_alarm(int signal)
{
        ssize_t n = n_words > 0 ? write(fd, words, (size_t) n_words) : 0;

        (void) signal, (void) n;
        /* What it was doing cannot be ended in order. */
        (void) raise(SIGKILL);
}

void guard_init(int result_fd)
{
        const struct sigaction action = { .sa_handler = on_alarm };

        fd = result_fd;
        (void) sigaction(SIGALRM, &action, NULL);
}

void guard_set(unsigned seconds, const char *name, const char *format, ...)
{
        char text[256];
        json_t *result;
        size_t n = 0;
        va_list ap;

        guard_clear();
        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        result = json_pack("{s:s, s:s, s:s}", "result", "failed", "error_name", name, "error_text",
                           text);
        if (result)
                n = json_dumpb(result, words, sizeof(words) - 1, JSON_COMPACT);
        json_decref(result);
        if (n > 0 && n < sizeof(words) - 1) {
                words[n] = '\n';
                n_words = (sig_atomic_t) n + 1;
        }
        seconds_left = seconds;
        (void) alarm(seconds);
}

void guard_again(void)
{
        (void) alarm(seconds_left);
}

void guard_clear(void)
{
        (void) alarm(0);
        n_words = 0;
}
