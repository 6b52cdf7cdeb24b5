/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection through the tunnel: a local socket and a channel of an SSH session, and bytes between them both ways. What one side
 * does not take the other is not asked for; the end of one direction leaves the other open. Belongs to one link and its thread.
 */
#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        FLOW_UP_SIZE = 256 * 1024, /* read from a local socket at once */
        FLOW_WINDOW = 4 * 1024 * 1024, /* what the hub may send before we have taken it */
};

typedef enum FlowState {
        FLOW_OPENING, /* the hub is asked for the channel */
        FLOW_CONNECTING, /* the local server is */
        FLOW_OPEN,
        FLOW_GIVEN_UP, /* the client is gone, the hub's answer is awaited */
        FLOW_OVER,
        FLOW_STATE_MAX,
        FLOW_STATE_INVALID = -22,
} FlowState;

/* What flows of one link share: read and written by one thread, one flow after the other. */
typedef struct FlowBuffers {
        char *up; /* FLOW_UP_SIZE */
        char *down; /* FLOW_WINDOW */
        size_t n_flows;
        bool is_held; /* nothing is read from their session, and no answer of the hub is seen */
        uint64_t hold_usec; /* by so much later the hub must have opened a channel, then */
        uint64_t answer_usec; /* and before that in no case */
} FlowBuffers;

typedef struct Flow {
        ssh_session session;
        ssh_channel channel;
        FlowBuffers *buffers;
        int fd;
        uint16_t port; /* of the hub's loopback; 0: the hub came to us */
        FlowState state;
        uint64_t expires_usec; /* when the hub must have opened the channel */
        bool is_channel_open; /* the peer knows it */
        bool local_ended; /* nothing more comes from the local side, and the hub was told */
        bool remote_ended; /* the same the other way */
        size_t n_buffered; /* that libssh holds for the local side */
        bool is_full; /* the local side takes nothing more until poll() says so */
        bool was_full; /* some time since the window was looked at */
        uint64_t taken_usec; /* when it last took something, as far as that was seen */
        int n_queued; /* bytes that the kernel had for it when that was last looked at */
        char *rest; /* bytes that the local side has not taken yet */
        size_t rest_at, rest_size;
        char *up_rest; /* bytes that libssh has not taken yet */
        size_t up_at, up_size;
        size_t n_since_window; /* taken since the window was last looked at */
        struct ssh_channel_callbacks_struct callbacks;
        uint64_t n_up, n_down;
} Flow;

/* From a local client to a port of the hub, which has until expires_usec to open it. Takes fd. NULL when out of memory; then fd is
 * closed. */
Flow *flow_new_out(ssh_session session, FlowBuffers *buffers, int fd, uint16_t port,
                   uint64_t expires_usec);

/* From the hub to a port of ours. Takes the channel. NULL: it cannot be reached. */
Flow *flow_new_in(ssh_session session, FlowBuffers *buffers, ssh_channel channel, uint16_t port);

/* Closes both sides. */
Flow *flow_free(Flow *flow);

/* What to wait for at flow->fd; 0: nothing. */
short flow_events(const Flow *flow);

/* Bytes for the local side that lie in memory. */
size_t flow_held(const Flow *flow);

/* Since when the local side has taken nothing of them; UINT64_MAX: it has all, or takes more. */
uint64_t flow_still_usec(const Flow *flow);

/* Sees whether a local side that is full takes something all the same: poll() tells of that only when a third of its queue is free. */
void flow_look(Flow *flow);

/* When a step is due in any case; UINT64_MAX: never. */
uint64_t flow_due_usec(const Flow *flow);

/* There is something to do without waiting. */
bool flow_can_go_on(const Flow *flow);

/* Does what can be done now; revents are those of flow->fd. */
void flow_step(Flow *flow, short revents);
