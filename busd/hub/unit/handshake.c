/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A handshake by libnbd's asynchronous calls in an sd-event loop (see handshake.h). The connection is made
 * here, so that a refused one is told from one that broke.
 */
#include "handshake.h"

#include "cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

struct Handshake {
        HandshakeDone done;
        void *userdata;
        struct sockaddr_storage to;
        socklen_t to_size;
        char target[sizeof(((struct sockaddr_un *) NULL)->sun_path) + 1]; /* for people */
        int fd; /* watched here; libnbd has a copy, which it closes when it likes */
        struct nbd_handle *nbd;
        sd_event *event;
        sd_event_source *io, *deadline;
};

/* Nothing of it happens after its end is told; the caller frees it, perhaps in done. */
static void finish(Handshake *h, int error, const char *words, uint64_t size_bytes,
                   const char *description)
{
        HandshakeDone done = h->done;
        void *userdata = h->userdata;
        char text[512];

        h->io = sd_event_source_disable_unref(h->io);
        h->deadline = sd_event_source_disable_unref(h->deadline);
        if (error < 0)
                (void) snprintf(text, sizeof(text), "NBD handshake with %s: %s", h->target, words);
        done(error, error < 0 ? text : NULL, size_bytes, description, userdata);
}

/* Whether the peer has closed the connection and all it said was read. */
static bool is_closed_by_peer(const Handshake *h)
{
        char byte;

        return recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* What libnbd says of a handshake that died. It has no errno of its own for a peer that closes and for one
 * that talks nonsense. */
static void finish_dead(Handshake *h)
{
        int error = nbd_get_errno();
        const char *words = nbd_get_error();

        if (error == ENOTCONN || error == EPIPE)
                error = ECONNRESET;
        else if (error == 0 || error == EINVAL || error == EIO)
                error = is_closed_by_peer(h) ? ECONNRESET : EPROTO;
        finish(h, -error, words ?: strerrordesc_np(error), 0, NULL);
}

static void finish_ready(Handshake *h)
{
        int64_t size = nbd_get_size(h->nbd);
        char *description;

        if (size < 0) {
                finish_dead(h);
                return;
        }
        description = nbd_get_export_description(h->nbd);
        (void) nbd_aio_disconnect(h->nbd, 0);
        finish(h, 0, NULL, (uint64_t) size, description ?: "");
        free(description);
}

/* What libnbd waits for. */
static uint32_t events_of(struct nbd_handle *nbd)
{
        unsigned direction = nbd_aio_get_direction(nbd);

        return (direction & LIBNBD_AIO_DIRECTION_READ ? (uint32_t) EPOLLIN : 0) |
               (direction & LIBNBD_AIO_DIRECTION_WRITE ? (uint32_t) EPOLLOUT : 0);
}

static void go_on(Handshake *h)
{
        int r;

        if (nbd_aio_is_dead(h->nbd) > 0 || nbd_aio_is_closed(h->nbd) > 0) {
                finish_dead(h);
                return;
        }
        if (nbd_aio_is_ready(h->nbd) > 0) {
                finish_ready(h);
                return;
        }
        r = sd_event_source_set_io_events(h->io, events_of(h->nbd));
        if (r < 0)
                finish(h, r, strerrordesc_np(-r), 0, NULL);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Handshake *h = userdata;
        unsigned direction = nbd_aio_get_direction(h->nbd);
        int r = 0;

        (void) source, (void) fd;
        if (direction & LIBNBD_AIO_DIRECTION_READ && revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                r = nbd_aio_notify_read(h->nbd);
        else if (direction & LIBNBD_AIO_DIRECTION_WRITE &&
                 revents & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                r = nbd_aio_notify_write(h->nbd);
        if (r < 0)
                finish_dead(h);
        else
                go_on(h);
        return 0;
}

/* The connection is there: libnbd takes it over. */
static void begin(Handshake *h)
{
        int r, copy = fcntl(h->fd, F_DUPFD_CLOEXEC, 3);

        if (copy < 0) {
                finish(h, -errno, "no descriptor is left", 0, NULL);
                return;
        }
        h->io = sd_event_source_disable_unref(h->io);
        if (nbd_aio_connect_socket(h->nbd, copy) < 0) {
                finish_dead(h);
                return;
        }
        r = sd_event_add_io(h->event, &h->io, h->fd, events_of(h->nbd), on_io, h);
        if (r < 0)
                finish(h, r, strerrordesc_np(-r), 0, NULL);
        else
                go_on(h);
}

static int on_connected(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Handshake *h = userdata;
        int error = 0;
        socklen_t size = sizeof(error);

        (void) source, (void) revents;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        if (error != 0)
                finish(h, -error, strerrordesc_np(error), 0, NULL);
        else
                begin(h);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source, (void) usec;
        finish(userdata, -ETIMEDOUT, "no answer in time", 0, NULL);
        return 0;
}

static int set_target(Handshake *h, const HandshakeRequest *request)
{
        struct sockaddr_un *un = (struct sockaddr_un *) &h->to;
        struct sockaddr_in *in = (struct sockaddr_in *) &h->to;

        if (request->socket_path && strlen(request->socket_path) >= sizeof(un->sun_path))
                return -ENAMETOOLONG;
        if (request->socket_path) {
                un->sun_family = AF_UNIX;
                (void) snprintf(un->sun_path, sizeof(un->sun_path), "%s", request->socket_path);
                (void) snprintf(h->target, sizeof(h->target), "%s", request->socket_path);
                h->to_size = sizeof(*un);
                return 0;
        }
        in->sin_family = AF_INET;
        in->sin_port = htons(request->port);
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void) snprintf(h->target, sizeof(h->target), "127.0.0.1:%u", request->port);
        h->to_size = sizeof(*in);
        return 0;
}

/* A refusal may come at once; it is told by the loop like any other. So is a socket that is not there. */
static int on_refused(sd_event_source *source, void *userdata)
{
        Handshake *h = userdata;

        (void) source;
        finish(h, -ECONNREFUSED, strerrordesc_np(ECONNREFUSED), 0, NULL);
        return 0;
}

static int connect_target(Handshake *h)
{
        h->fd = socket(h->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (h->fd < 0)
                return -errno;
        if (connect(h->fd, (const struct sockaddr *) &h->to, h->to_size) == 0 ||
            errno == EINPROGRESS)
                return sd_event_add_io(h->event, &h->io, h->fd, EPOLLOUT, on_connected, h);
        if (h->to.ss_family != AF_UNIX || (errno != ENOENT && errno != ECONNREFUSED))
                return -errno;
        return sd_event_add_defer(h->event, &h->io, on_refused, h);
}

DEFINE_CLEANUP(Handshake *, handshake_free)

int handshake_start(sd_event *event, const HandshakeRequest *request, HandshakeDone done,
                    void *userdata, Handshake **ret_handshake)
{
        CLEANUP(handshake_free_p) Handshake *h = NULL;
        int r;

        h = malloc(sizeof(Handshake));
        if (!h)
                return -ENOMEM;
        *h = (Handshake){
                .done = done,
                .userdata = userdata,
                .fd = -1,
                .nbd = nbd_create(),
                .event = sd_event_ref(event),
        };
        if (!h->nbd)
                return -ENOMEM;
        if (nbd_set_export_name(h->nbd, request->export_name) < 0 ||
            nbd_set_full_info(h->nbd, true) < 0)
                return -EINVAL;
        if (request->psk_path && (nbd_set_tls(h->nbd, LIBNBD_TLS_REQUIRE) < 0 ||
                                  nbd_set_tls_psk_file(h->nbd, request->psk_path) < 0 ||
                                  nbd_set_tls_username(h->nbd, request->export_name) < 0))
                return -EINVAL;
        r = set_target(h, request);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &h->deadline, CLOCK_MONOTONIC,
                                               request->timeout_usec, 0, on_deadline, h);
        if (r >= 0)
                r = connect_target(h);
        if (r < 0)
                return r;
        *ret_handshake = TAKE(h);
        return 0;
}

Handshake *handshake_free(Handshake *h)
{
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->io);
        sd_event_source_disable_unref(h->deadline);
        if (h->fd >= 0)
                (void) close(h->fd);
        nbd_close(h->nbd);
        sd_event_unref(h->event);
        free(h);
        return NULL;
}
