/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program with fault points, for tests/left/fault-point.sh, which compiles it with and without them. It prints a
 * line after each step that it has got past, so that the output shows where it ended.
 *
 *   fault-victim steps N          N rounds of three steps
 *   fault-victim threads N        four threads hit one point N times each
 *   fault-victim signals N        a timer's handler and main() hit one point until main() has hit it N times
 *   fault-victim wait             one step for each line on stdin
 */
#include "lib/fault-point.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static void say(const char *text, long n)
{
        if (printf("%s %ld\n", text, n) < 0 || fflush(stdout) != 0)
                exit(1);
}

static int steps(long n)
{
        for (long i = 1; i <= n; i++) {
                errno = EXDEV;
                fault_point("victim.write.before");
                if (errno != EXDEV)
                        return 3;
                say("wrote", i);
                fault_point("victim.write.after");
                say("synced", i);
                fault_point("victim.rename.after");
                say("renamed", i);
        }
        return 0;
}

static void shared_step(void)
{
        fault_point("victim.shared");
}

static void *thread_main(void *n)
{
        for (long i = 0; i < *(long *) n; i++)
                shared_step();
        return NULL;
}

static int threads(long n)
{
        pthread_t thread[4];

        for (int i = 0; i < 4; i++)
                if (pthread_create(thread + i, NULL, thread_main, &n) != 0)
                        return 1;
        for (int i = 0; i < 4; i++)
                (void) pthread_join(thread[i], NULL);
        say("joined", 4 * n);
        return 0;
}

static volatile sig_atomic_t n_handled;

static void on_alarm(int sig)
{
        (void) sig;
        shared_step();
        n_handled++;
}

static int signals(long n)
{
        struct itimerval often = { .it_interval.tv_usec = 50, .it_value.tv_usec = 50 }, never = {};

        if (signal(SIGALRM, on_alarm) == SIG_ERR || setitimer(ITIMER_REAL, &often, NULL) < 0)
                return 1;
        for (long i = 0; i < n || n_handled == 0; i++)
                shared_step();
        if (setitimer(ITIMER_REAL, &never, NULL) < 0)
                return 1;
        say("handled", n_handled > 0);
        return 0;
}

static int wait_for_lines(void)
{
        char line[64];

        while (fgets(line, sizeof(line), stdin)) {
                fault_point("victim.line");
                say("line", 1);
        }
        return 0;
}

int main(int argc, char *argv[])
{
        long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1;

        if (argc > 1 && strcmp(argv[1], "steps") == 0)
                return steps(n);
        if (argc > 1 && strcmp(argv[1], "threads") == 0)
                return threads(n);
        if (argc > 1 && strcmp(argv[1], "signals") == 0)
                return signals(n);
        if (argc > 1 && strcmp(argv[1], "wait") == 0)
                return wait_for_lines();
        return 2;
}
