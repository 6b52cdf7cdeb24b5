/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who waits (see http-peers.h). A connection is ended by its socket alone: libmicrohttpd meets the end of the stream and clears up.
 */
#include "http/http-peers.h"

#include "cleanup.h"
#include "parse.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

typedef enum PeerState {
        PEER_NEW, /* has said nothing whole yet */
        PEER_HEAD, /* its body is on the way */
        PEER_WHOLE,
        PEER_BETWEEN, /* after an answer */
        PEER_ENDED,
} PeerState;

struct HttpPeer {
        HttpPeers *peers;
        HttpPeer *next, *previous;
        HttpPeerKey key;
        PeerState state;
        uint64_t since_usec;
        int fd; /* libmicrohttpd's */
};

HttpPeerKey http_peer_key_of(const struct sockaddr_storage *address)
{
        HttpPeerKey key = { .family = address->ss_family };

        if (address->ss_family == AF_INET)
                key.id = ((const struct sockaddr_in *) address)->sin_addr.s_addr;
        else if (address->ss_family == AF_INET6)
                memcpy(&key.id, &((const struct sockaddr_in6 *) address)->sin6_addr,
                       sizeof(key.id));
        return key;
}

HttpPeerKey http_peer_key(int fd)
{
        struct sockaddr_storage address = {};
        socklen_t size = sizeof(address);
        struct ucred credentials = {};
        HttpPeerKey key;

        if (getpeername(fd, (struct sockaddr *) &address, &size) < 0)
                return (HttpPeerKey){};
        key = http_peer_key_of(&address);
        size = sizeof(credentials);
        if (key.family == AF_UNIX &&
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
                key.id = credentials.uid;
        return key;
}

HttpPeer *http_peer_new(HttpPeers *peers, int fd, HttpPeerKey key, uint64_t now_usec)
{
        HttpPeer *peer = malloc(sizeof(*peer));

        if (!peer)
                return NULL;
        *peer = (HttpPeer){ .peers = peers,
                            .previous = peers->last,
                            .key = key,
                            .state = PEER_NEW,
                            .since_usec = now_usec,
                            .fd = fd };
        if (peers->last)
                peers->last->next = peer;
        else
                peers->first = peer;
        peers->last = peer;
        peers->n++;
        return peer;
}

HttpPeer *http_peer_free(HttpPeer *peer)
{
        if (!peer)
                return NULL;
        if (peer->previous)
                peer->previous->next = peer->next;
        else
                peer->peers->first = peer->next;
        if (peer->next)
                peer->next->previous = peer->previous;
        else
                peer->peers->last = peer->previous;
        peer->peers->n -= peer->state != PEER_ENDED;
        free(peer);
        return NULL;
}

static void set(HttpPeer *peer, PeerState state, uint64_t now_usec)
{
        if (!peer || peer->state == PEER_ENDED)
                return;
        peer->state = state;
        peer->since_usec = now_usec;
}

void http_peer_has_head(HttpPeer *peer, uint64_t now_usec)
{
        set(peer, PEER_HEAD, now_usec);
}

void http_peer_is_whole(HttpPeer *peer)
{
        set(peer, PEER_WHOLE, 0);
}

void http_peer_waits(HttpPeer *peer, uint64_t now_usec)
{
        set(peer, PEER_BETWEEN, now_usec);
}

static bool may_go(const HttpPeer *peer)
{
        return peer->state != PEER_WHOLE && peer->state != PEER_ENDED;
}

static bool is_same(HttpPeerKey a, HttpPeerKey b)
{
        return a.id == b.id && a.family == b.family;
}

static size_t count_waiting(const HttpPeers *peers, HttpPeerKey key)
{
        size_t n = 0;

        for (const HttpPeer *peer = peers->first; peer; peer = peer->next)
                n += may_go(peer) && is_same(peer->key, key);
        return n;
}

/* Whoever has said something whole before, or is in the middle of a body, stays as long as there is somebody who has not. */
static bool goes_before(const HttpPeer *peer, const HttpPeer *other)
{
        if ((peer->state == PEER_HEAD) != (other->state == PEER_HEAD))
                return other->state == PEER_HEAD;
        return peer->since_usec < other->since_usec;
}

static HttpPeer *choose(const HttpPeers *peers)
{
        HttpPeer *chosen = NULL;
        size_t most = 0;

        for (HttpPeer *peer = peers->first; peer; peer = peer->next) {
                size_t n = may_go(peer) ? count_waiting(peers, peer->key) : 0;

                if (n > most || (n > 0 && n == most && goes_before(peer, chosen))) {
                        most = n;
                        chosen = peer;
                }
        }
        return chosen;
}

static void end(HttpPeer *peer)
{
        peer->state = PEER_ENDED;
        peer->peers->n--;
        (void) shutdown(peer->fd, SHUT_RDWR);
}

void http_peers_end(HttpPeers *peers, size_t max, uint64_t now_usec)
{
        for (HttpPeer *peer = peers->first; peer; peer = peer->next) {
                uint64_t limit_sec = peer->state == PEER_NEW ? HTTP_HEAD_SEC : HTTP_WHOLE_SEC;

                if (may_go(peer) && now_usec > peer->since_usec + limit_sec * USEC_PER_SEC)
                        end(peer);
        }
        while (peers->n > max) {
                HttpPeer *peer = choose(peers);

                if (!peer)
                        return;
                end(peer);
        }
}
