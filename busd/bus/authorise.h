/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may call what. Finds the caller's user at the bus daemon, lets uid 0 through, and asks polkit
 * about everybody else: all of it by asynchronous calls, so that neither a hanging polkit nor a
 * password dialogue stops the hub. Called by the handlers of the bus objects; knows no method.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

enum {
        /* Each open decision is one open call of ours, and a bus allows a connection 128 of them. */
        AUTHORISE_PENDING_MAX = 64,
        AUTHORISE_PENDING_PER_CALLER_MAX = 16, /* one connection cannot take all places */
        AUTHORISE_PENDING_PER_USER_MAX = 16, /* nor can one user with many of them; root can */
        /* Nor can all users together: the rest is for root, and for calls whose user is asked for. */
        AUTHORISE_PENDING_USERS_MAX = 56,
};

typedef struct Authority Authority;
typedef struct Sessions Sessions;

/* The act itself, run once the caller is allowed. principal is "uid:1000", or "token:ci". It answers the call, now
 * or later, and returns 0; or fails with a negative errno or an error set, which is then the
 * answer. request is what authority_check() was given. */
typedef int (*AuthorisedAct)(sd_bus_message *call, const char *principal, const void *request,
                             void *userdata, sd_bus_error *error);

/* Borrows the bus, which must outlive it. */
int authority_new(sd_bus *bus, Authority **ret_authority);

/* From now on a call may name a session (borrowed): then whom that stands for is asked about, and not the caller. A user
 * for whom speaks_for_others says so has no right without one. */
void authority_use_sessions(Authority *authority, Sessions *sessions,
                            bool (*speaks_for_others)(uint32_t uid));

/* Forgets all open decisions without an answer. Returns NULL. */
Authority *authority_free(Authority *authority);

/* Decides whether the sender of call may do action (a polkit action id, borrowed) and then runs
 * act, or answers the call with AccessDenied. Takes request (made by malloc(), may be NULL), on
 * failure too. 1: the answer comes later. Negative errno with error set: refused at once, Busy when
 * too many decisions are open. A caller that vanishes is forgotten. */
int authority_check(Authority *authority, sd_bus_message *call, const char *action, void *request,
                    AuthorisedAct act, void *userdata, sd_bus_error *error);

/* The same for what is no right to be granted: root and the user uid may, nobody else, and polkit is not asked. whom are the
 * words for them, borrowed. */
int authority_check_user(Authority *authority, sd_bus_message *call, uint32_t uid, const char *whom,
                         void *request, AuthorisedAct act, void *userdata, sd_bus_error *error);
