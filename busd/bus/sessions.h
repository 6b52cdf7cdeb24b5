/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whom a connection speaks for when it speaks for others, as an HTTP API does: it was shown a token, or a process that
 * connected to it, and got a session, which it names in its calls (option "session"). A session is worth something on
 * the connection that got it alone, and connections' names are never given twice. Asked by authorise.c.
 */
#pragma once

#include "bus/polkit-question.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define SESSION_OPTION "session"

enum {
        SESSIONS_MAX = 256, /* then the one that was not used for longest ends */
        SESSION_ID_SIZE = 33, /* with its NUL */
        SESSION_PRINCIPAL_SIZE = 80,
        SESSION_ROLES_SIZE = 64,
        SESSION_OWNER_SIZE = 32,
};

typedef struct Sessions Sessions;

typedef struct Session {
        char principal[SESSION_PRINCIPAL_SIZE]; /* "token:ci" or "uid:1000" */
        uint64_t token; /* its number; 0: no token but a process */
        char roles[SESSION_ROLES_SIZE]; /* of a token: "inspect,backup" */
        uint64_t expires_usec; /* of a token, 0: never */
        PolkitPeer peer; /* the process, when it is none */
} Session;

int sessions_new(Sessions **ret_sessions);
Sessions *sessions_free(Sessions *sessions);

/* One for who on the connection owner; the same again while it lasts. *ret_id is borrowed until the next call. -EINVAL: too long. */
int sessions_open(Sessions *sessions, const char *owner, const Session *who, const char **ret_id);

/* NULL: there is none of that name on that connection, or it has expired. */
const Session *sessions_find(Sessions *sessions, const char *owner, const char *id);

/* A token that was revoked or changed. */
void sessions_end_token(Sessions *sessions, uint64_t token);

/* The session that a call names, NULL when it names none. Unauthorized when it is not good; then *ret_session is NULL, too. */
int sessions_of_call(Sessions *sessions, sd_bus_message *call, const Session **ret_session,
                     sd_bus_error *error);

/* Whether the roles of a token have an action: its last word is the role. */
bool session_allows(const Session *session, const char *action);
