/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendense-tunnel counts, as it stands in a small file of its runtime folder: written by the tunnel once a second, read by the
 * node for its object on the bus. The file is gone when the tunnel has ended.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define TUNNEL_COUNTERS_FILE "/run/sendense-tunnel/counters"

enum {
        TUNNEL_COUNTERS_MAX = 4096, /* bytes of the file */
        TUNNEL_ERROR_SIZE = 256,
};

typedef struct TunnelCounters {
        const char *hub;
        uint16_t port;
        unsigned n_sessions, n_wanted;
        bool has_way_back; /* one of them has the reverse port */
        unsigned n_connections, n_held; /* now */
        uint64_t n_opened, n_refused, n_given_up, n_reconnects; /* since it started */
        uint64_t bytes_up, bytes_down;
        char error[TUNNEL_ERROR_SIZE]; /* why there is no way back; "": there is */
        uint64_t started_usec, written_usec; /* CLOCK_REALTIME */
} TunnelCounters;

/* Replaces path, which everybody may read. Nothing is synced: it is about this moment. */
int tunnel_counters_write(const char *path, const TunnelCounters *counters);

/* The object in the file, with Hub, Port, State ("connected", "one-way" when the hub does not reach this node, "connecting", or "silent"
 * when the file is older than it should be), Sessions, SessionsWanted, WayBack, Connections, Held, Opened, Refused, GivenUp, Reconnects,
 * BytesUp, BytesDown, Error, StartedUSec, WrittenUSec. -ENOENT: no
 * tunnel runs; -EBADMSG: it is none of ours. */
int tunnel_counters_read(const char *path, uint64_t now_usec, json_t **ret_counters);
