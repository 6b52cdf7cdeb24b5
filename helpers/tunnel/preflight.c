/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The preflight (see preflight.h).
 */
#include "preflight.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
        PORTS_TEXT_SIZE = 120,
};

#define PORT_RANGE_SIZE(range) ((unsigned) (range).last - (range).first + 1)

static void on_step(SessionStep step, const char *text, void *userdata)
{
        (void) userdata;
        printf("ok      %-8s  %s\n", session_step_to_string(step), text);
}

/* Which of them, for people: "10150,10160-10163", cut off where it gets long. */
static void format_ports(PortRange ports, const bool *is_forbidden,
                         char ret_text[static PORTS_TEXT_SIZE])
{
        unsigned n = PORT_RANGE_SIZE(ports);
        size_t at = 0;

        ret_text[0] = '\0';
        for (unsigned i = 0, end; i < n; i = end) {
                char last[8] = "";

                for (end = i + 1; end < n && is_forbidden[i] && is_forbidden[end];)
                        end++;
                if (!is_forbidden[i])
                        continue;
                if (at > PORTS_TEXT_SIZE - 20) {
                        (void) snprintf(ret_text + at, PORTS_TEXT_SIZE - at, ",...");
                        return;
                }
                if (end > i + 1)
                        (void) snprintf(last, sizeof(last), "-%u", ports.first + end - 1);
                at += (size_t) snprintf(ret_text + at, PORTS_TEXT_SIZE - at, "%s%u%s",
                                        at > 0 ? "," : "", ports.first + i, last);
        }
}

/* One after the other, each costs one way there and back: the two ends first, the others as long as
 * the step may take. Their number, or negative. */
static int try_ports(ssh_session session, PortRange ports, unsigned n_wanted, bool *is_forbidden,
                     SessionProblem *problem)
{
        uint64_t end_usec = clock_monotonic_usec() + SESSION_STEP_SEC * USEC_PER_SEC;
        unsigned n = PORT_RANGE_SIZE(ports);

        for (unsigned tried = 0; tried < n_wanted; tried++) {
                unsigned i = tried == 0 ? 0 : (tried == 1 ? n - 1 : tried - 1);
                int r;

                if (tried > 1 && clock_monotonic_usec() > end_usec)
                        return (int) tried;
                r = session_try(session, (uint16_t) (ports.first + i), problem);
                if (r < 0)
                        return r;
                is_forbidden[i] = r > 0;
        }
        return (int) n_wanted;
}

static int try_forward(ssh_session session, PortRange ports, bool is_quick, SessionProblem *problem)
{
        unsigned n = PORT_RANGE_SIZE(ports), n_forbidden = 0;
        _cleanup_free_ bool *is_forbidden = calloc(n, sizeof(bool));
        char text[SESSION_TEXT_SIZE], list[PORTS_TEXT_SIZE];
        int n_tried;

        if (!is_forbidden) {
                *problem = (SessionProblem){ .step = SESSION_FORWARD, .text = "out of memory" };
                return -ENOMEM;
        }
        n_tried = try_ports(session, ports, is_quick && n > 2 ? 2 : n, is_forbidden, problem);
        if (n_tried < 0)
                return n_tried;
        for (unsigned i = 0; i < n; i++)
                n_forbidden += is_forbidden[i];
        if (n_forbidden > 0) {
                format_ports(ports, is_forbidden, list);
                return session_forbids(list, n_forbidden, (unsigned) n_tried, problem);
        }
        (void) snprintf(text, sizeof(text),
                        "we may connect to its 127.0.0.1:%u-%u (%d of %u ports tried)", ports.first,
                        ports.last, n_tried, n);
        on_step(SESSION_FORWARD, text, NULL);
        return 0;
}

static int try_forwards(ssh_session session, uint16_t reverse_port, PortRange ports, bool is_quick,
                        SessionProblem *problem)
{
        char text[SESSION_TEXT_SIZE];
        int r;

        r = session_listen(session, reverse_port, problem);
        if (r < 0)
                return r;
        (void) snprintf(text, sizeof(text), "the hub listens on its 127.0.0.1:%u for us",
                        reverse_port);
        on_step(SESSION_REVERSE, text, NULL);
        return try_forward(session, ports, is_quick, problem);
}

/* The second signal ends the program. */
static void on_limit(int signal_number)
{
        static const char text[] =
                        "FAILED  time      the step that follows takes too long, and who connects "
                        "waits\n                  the tunnel tries again and tells what is wrong\n";

        if (write(STDOUT_FILENO, text, sizeof(text) - 1) >= 0)
                (void) raise(signal_number);
        (void) alarm(1);
}

void preflight_limit(unsigned sec)
{
        const struct sigaction action = { .sa_handler = on_limit, .sa_flags = (int) SA_RESETHAND };

        /* What was told must not lie in a buffer then. */
        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        (void) sigaction(SIGALRM, &action, NULL);
        (void) alarm(sec);
}

int preflight(const SessionPlace *place, uint16_t reverse_port, PortRange ports, bool is_quick)
{
        SessionProblem problem = {};
        ssh_session session = NULL;
        int r;

        r = session_open(place, on_step, NULL, &session, &problem);
        if (r >= 0) {
                r = try_forwards(session, reverse_port, ports, is_quick, &problem);
                session_close(session);
        }
        if (r < 0)
                printf("FAILED  %-8s  %s\n                  %s\n",
                       session_step_to_string(problem.step), problem.text, problem.remedy);
        else
                printf("The tunnel to %s port %u can be used.\n", place->host, place->port);
        (void) fflush(stdout);
        return r;
}
