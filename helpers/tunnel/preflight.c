/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The preflight (see preflight.h).
 */
#include "preflight.h"

#include <stdio.h>

static void on_step(SessionStep step, const char *text, void *userdata)
{
        (void) userdata;
        printf("ok      %-8s  %s\n", session_step_to_string(step), text);
}

static int try_forwards(ssh_session session, uint16_t reverse_port, PortRange ports,
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
        r = session_try(session, ports.first, problem);
        if (r >= 0 && ports.last != ports.first)
                r = session_try(session, ports.last, problem);
        if (r < 0)
                return r;
        (void) snprintf(text, sizeof(text), "we may connect to its 127.0.0.1:%u and %u",
                        ports.first, ports.last);
        on_step(SESSION_FORWARD, text, NULL);
        return 0;
}

int preflight(const SessionPlace *place, uint16_t reverse_port, PortRange ports)
{
        SessionProblem problem = {};
        ssh_session session = NULL;
        int r;

        r = session_open(place, on_step, NULL, &session, &problem);
        if (r >= 0) {
                r = try_forwards(session, reverse_port, ports, &problem);
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
