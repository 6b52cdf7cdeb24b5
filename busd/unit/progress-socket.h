/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where copy units tell how far they are: a datagram socket in the loop of a daemon, hub or node. Everybody may send; what
 * does not come from a process of the copy unit of the very job it speaks of is dropped and counted.
 * Numbers are for people to look at, nothing is decided by them.
 *
 * A flood costs the hub a bounded part of its time: beyond that the kernel's queue fills, and the
 * datagrams of copies are lost like those of the stranger.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "names.h"

typedef struct ProgressSocket ProgressSocket;

typedef struct ProgressCounts {
        uint64_t n_taken; /* given to the handler */
        uint64_t n_malformed; /* no progress datagram at all, or without credentials */
        uint64_t n_foreign; /* one from a process that is not of that job's copy unit, or has just ended */
} ProgressCounts;

typedef void (*ProgressHandler)(uint64_t job, uint32_t disk_key, uint64_t bytes_done,
                                uint64_t bytes_total, void *userdata);

/* Binds path (absolute, its folder exists) in place of whatever an earlier hub left there; units of that side
 * are believed. The handler may
 * not free the socket. */
int progress_socket_new(sd_event *event, const char *path, UnitSide side, ProgressHandler handler,
                        void *userdata, ProgressSocket **ret_socket);

/* Removes the path as well. NULL is fine; always NULL. */
ProgressSocket *progress_socket_free(ProgressSocket *socket);

DEFINE_CLEANUP(ProgressSocket *, progress_socket_free)

ProgressCounts progress_socket_counts(const ProgressSocket *socket);

/* Another root of control groups (see progress-sender.h), for tests. Borrowed. */
void progress_socket_set_root(ProgressSocket *socket, const char *root);
