/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A link: one SSH session to the hub and a thread that keeps it, for ever. libssh wants a session to be used by one thread, and one
 * session cannot use two processors; so there are several links, and the connections are spread over them.
 */
#pragma once

#include "ssh/session.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum LinkState {
        LINK_DOWN,
        LINK_UP,
        LINK_STATE_MAX,
        LINK_STATE_INVALID = -22,
} LinkState;

/* What the thread tells others, at any moment. */
typedef struct LinkCounts {
        LinkState state;
        unsigned n_flows; /* with those that wait for their turn */
        uint64_t n_opened, n_refused, n_sessions;
        uint64_t n_up, n_down; /* bytes */
        uint64_t n_closed; /* because they took nothing while others waited for their memory */
        bool is_full; /* nothing is read from the session: its connections hold as much as they may */
        uint64_t beat_usec; /* when the thread last showed that it lives */
} LinkCounts;

typedef struct LinkSetup {
        SessionPlace place;
        unsigned index;
        uint16_t reverse_port; /* of the hub's loopback; 0: not this link's business */
        uint16_t api_port; /* of ours, where that leads */
        uint64_t hold_usec; /* so long after it came a connection is opened at the hub, or closed; and one that takes nothing has so long */
        int told_fd; /* an eventfd: written when the state changes */
} LinkSetup;

typedef struct Link Link;

/* Starts it. */
int link_new(const LinkSetup *setup, Link **ret_link);

/* Ends its session and its thread, if that takes no more than a moment. Nothing may be asked of it afterwards. */
void link_stop(Link *link);

/* Connects a local socket with a port of the hub's loopback. Takes fd, but with -ENOTCONN: the link is down. */
int link_add(Link *link, int fd, uint16_t port, uint64_t accepted_usec);

LinkCounts link_counts(Link *link);

/* Why it is down, "" when it is not known or it is up. */
void link_problem(Link *link, SessionProblem *ret_problem);
