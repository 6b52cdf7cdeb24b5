/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory that the flows of one link may fill together with what the hub has sent and their local sides have not taken. libssh lets the
 * hub send 1.25 MiB for each channel before anything of it is taken, and has no setting for that; so when all of them together hold too
 * much, nothing more is read from the session until they hold less. That holds up the others of this session, too. Who takes
 * nothing for as long as a connection may be held is therefore given up, so that they can go on.
 */
#pragma once

#include "flow.h"

enum {
        /* Bytes. libssh's buffers may take as much again, because they never shrink. */
        SHARE_MAX = 3 * 1024 * 1024,
        SHARE_ENOUGH = 2 * 1024 * 1024, /* when reading goes on */
        SHARE_LOOK_MSEC =
                        1000, /* while nothing is read: who takes something slowly is seen so soon */
};

/* Whether the session may be read, in *is_full as it was and is from now on. Flows that are given up are over. Returns how many. */
unsigned share_bound(Flow *const *flows, size_t n_flows, uint64_t hold_usec, uint64_t now_usec,
                     bool *is_full);

/* When the flows are to be looked at again although nothing happens, or one given up; UINT64_MAX: never. Of a share that is full. */
uint64_t share_due_usec(Flow *const *flows, size_t n_flows, uint64_t hold_usec, uint64_t now_usec);
