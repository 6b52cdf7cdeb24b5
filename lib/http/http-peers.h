/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connections of an HTTP server, and which of them must go: a request has a time to be complete in, whatever trickles, and where
 * there are too many the one goes that has waited longest of the peer who has most that wait. A connection whose request is whole is
 * never ended here, unless it is one that anybody may make: then its answer has the time of a further request. Used by the server alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct HttpPeer HttpPeer;

enum {
        HTTP_HEAD_SEC = 10, /* from the connection to the end of the first head */
        HTTP_WHOLE_SEC =
                        20, /* from there to the end of its body; the same for both of any further request */
};

/* Whom a connection is of: a user of this machine, or an address, of IPv6 the network that one machine has all of. */
typedef struct HttpPeerKey {
        uint64_t id;
        unsigned family; /* AF_UNIX, AF_INET, AF_INET6, or another */
} HttpPeerKey;

typedef struct HttpPeers {
        HttpPeer *first, *last; /* in the order in which they came */
        size_t n; /* those that were ended and are not gone yet do not count */
} HttpPeers;

/* Of the other end of fd; of what is no socket, nobody's. */
HttpPeerKey http_peer_key(int fd);

/* The same of an address that is there already. */
HttpPeerKey http_peer_key_of(const struct sockaddr_storage *address);

/* A new connection waits for the head of its first request. NULL: no memory. */
HttpPeer *http_peer_new(HttpPeers *peers, int fd, HttpPeerKey key, uint64_t now_usec);

/* It has gone. NULL in, NULL out. */
HttpPeer *http_peer_free(HttpPeer *peer);

/* The head is there; all of it is there, and an answer is owed; the answer is sent. NULL is nobody. */
void http_peer_has_head(HttpPeer *peer, uint64_t now_usec);
void http_peer_is_whole(HttpPeer *peer);
void http_peer_waits(HttpPeer *peer, uint64_t now_usec);

/* Ends those whose time is over, and, while there are more than max, those that have to go. */
void http_peers_end(HttpPeers *peers, size_t max, uint64_t now_usec);
