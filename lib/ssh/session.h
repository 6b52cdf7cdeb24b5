/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An SSH session to the hub, opened step by step, so that what fails has a name: for the links, which keep sessions, and for the
 * preflight, which tells people. Blocks, each step for a bounded time.
 */
#pragma once

#include "config-value.h"

#include <libssh/libssh.h>

enum {
        SESSION_STEP_SEC =
                        10, /* for connecting, the banner, the key exchange, the login; for each */
        SESSION_TEXT_SIZE = 320,
};

typedef enum SessionStep {
        SESSION_RESOLVE,
        SESSION_CONNECT,
        SESSION_BANNER,
        SESSION_KEYS,
        SESSION_HOST_KEY,
        SESSION_LOGIN,
        SESSION_REVERSE,
        SESSION_FORWARD,
        SESSION_STEP_MAX,
        SESSION_STEP_INVALID = -22,
} SessionStep;

const char *session_step_to_string(SessionStep step);

/* Where to go, as whom, and whom to expect there. Everything is borrowed. */
typedef struct SessionPlace {
        const char *host;
        uint16_t port;
        const char *user;
        ssh_key own_key; /* private */
        ssh_key hub_key; /* public; nobody else is spoken to */
} SessionPlace;

/* Where it went wrong, why, and what to do. One line each. */
typedef struct SessionProblem {
        SessionStep step;
        char text[SESSION_TEXT_SIZE];
        char remedy[SESSION_TEXT_SIZE];
} SessionProblem;

/* Told after each step that went well; may be NULL. */
typedef void (*SessionTold)(SessionStep step, const char *text, void *userdata);

/* Resolves, connects, reads the banner, exchanges keys, compares the hub's, logs in. Negative errno with problem set. */
int session_open(const SessionPlace *place, SessionTold told, void *userdata,
                 ssh_session *ret_session, SessionProblem *problem);
void session_close(ssh_session session);

/* Asks for the reverse forward: what connects to this port of the hub's loopback comes through the session. */
int session_listen(ssh_session session, uint16_t port, SessionProblem *problem);

/* Whether the hub lets us connect to this port of its loopback; that something answers there is not asked. 0: it does; 1: it
 * forbids it, and problem is not set. */
int session_try(ssh_session session, uint16_t port, SessionProblem *problem);

/* Sets problem for so many of all ports, which it forbids. -EPERM. */
int session_forbids(const char *ports, unsigned n, unsigned n_all, SessionProblem *problem);

/* "SHA256:…" of a key, as OpenSSH shows it. */
void session_key_text(ssh_key key, char ret_text[static SESSION_TEXT_SIZE]);
