/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signs of life (see life.h). A question of libssh's is asked anew only when its answer was read, and while a session is held none is.
 * What is sent then needs no answer: the hub hears us, and a hub that is gone lets its bytes unacknowledged or refuses them, which
 * ends the connection.
 */
#include "life.h"

#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <libssh/server.h>

enum {
        ASK_SEC = 5, /* the hub, whether it lives */
        SILENCE_SEC = 20, /* of the hub, before the session counts as lost */
};

void life_begin(Life *life)
{
        uint64_t now = clock_monotonic_usec();

        *life = (Life){ .asked_usec = now, .heard_usec = now };
}

int life_look(Life *life, ssh_session session, uint64_t in_bytes, bool is_held)
{
        uint64_t now = clock_monotonic_usec();

        if (in_bytes != life->heard_bytes || is_held) {
                life->heard_bytes = in_bytes;
                life->heard_usec = now;
        }
        if (now - life->heard_usec >= SILENCE_SEC * USEC_PER_SEC)
                return -ETIMEDOUT;
        if (now - life->asked_usec >= ASK_SEC * USEC_PER_SEC) {
                life->asked_usec = now;
                (void) (is_held ? ssh_send_ignore(session, "") : ssh_send_keepalive(session));
        }
        return 0;
}

uint64_t life_due_usec(const Life *life)
{
        uint64_t due = life->asked_usec + ASK_SEC * USEC_PER_SEC,
                 silent = life->heard_usec + SILENCE_SEC * USEC_PER_SEC;

        return silent < due ? silent : due;
}
