/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NBD connections (see nbd.h), by libnbd's calls that do not wait.
 */
#include "nbd.h"

#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int keep(char error[static NBD_ERROR_SIZE], int r, const char *text)
{
        (void) snprintf(error, NBD_ERROR_SIZE, "%s", text ?: "unknown error");
        return r;
}

/* A server that does not take a key says only that it goes on no longer. */
static int lost(int r, const char *text, char error[static NBD_ERROR_SIZE])
{
        if (!text || !strstr(text, "gnutls_handshake"))
                return keep(error, r, text);
        (void) snprintf(error, NBD_ERROR_SIZE,
                        "no TLS with its server, which may have another key than was given here: "
                        "%.150s",
                        text);
        return r;
}

/* The key is in a file of the unit's credentials, which libnbd reads at the handshake. */
static int set_tls(struct nbd_handle *handle, const char *name, char error[static NBD_ERROR_SIZE])
{
        char path[TLS_PSK_PATH_SIZE];
        int r = tls_psk_find_credential(name, path);

        if (r < 0) {
                (void) snprintf(error, NBD_ERROR_SIZE,
                                "the key '%.128s' for its TLS is not in the credential "
                                "'" TLS_PSK_FILE "' of this unit (%s)",
                                name, strerror(-r));
                return r;
        }
        if (nbd_set_tls(handle, LIBNBD_TLS_REQUIRE) < 0 || nbd_set_tls_psk_file(handle, path) < 0 ||
            nbd_set_tls_username(handle, name) < 0)
                return keep(error, -EOPNOTSUPP, nbd_get_error());
        return 0;
}

static int set_up(struct nbd_handle *handle, const NbdUri *uri, bool with_extents)
{
        /* The description of an export comes only when asked for; buffers are ours and whole or unused. */
        if (nbd_set_full_info(handle, true) < 0 || nbd_set_pread_initialize(handle, false) < 0 ||
            nbd_set_export_name(handle, uri->export_name) < 0)
                return -1;
        /* Structured replies bring nothing else, and each takes libnbd two more calls to read. */
        if (nbd_set_request_structured_replies(handle, with_extents) < 0)
                return -1;
        if (with_extents && nbd_add_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0)
                return -1;
        return *uri->socket ? nbd_aio_connect_unix(handle, uri->socket)
                            : nbd_aio_connect_tcp(handle, uri->host, uri->port);
}

int nbd_begin(Nbd *nbd, const NbdUri *uri, bool with_extents, unsigned handshake_sec,
              char error[static NBD_ERROR_SIZE])
{
        int r;

        nbd_drop(nbd);
        nbd->handle = nbd_create();
        if (!nbd->handle)
                return keep(error, -ENOMEM, nbd_get_error());
        r = *uri->tls_name ? set_tls(nbd->handle, uri->tls_name, error) : 0;
        if (r < 0) {
                nbd_drop(nbd);
                return r;
        }
        if (set_up(nbd->handle, uri, with_extents) < 0) {
                r = nbd_get_errno();
                (void) lost(0, nbd_get_error(), error);
                nbd_drop(nbd);
                return r > 0 ? -r : -ENOTCONN;
        }
        nbd->handshake_sec = handshake_sec;
        nbd->deadline_usec = clock_monotonic_usec() + handshake_sec * USEC_PER_SEC;
        return 0;
}

void nbd_drop(Nbd *nbd)
{
        /* A server that waits for nothing is told, which costs no waiting here. */
        if (nbd->handle && nbd->is_ready && nbd->n_under_way == 0)
                (void) nbd_aio_disconnect(nbd->handle, 0);
        if (nbd->handle)
                nbd_close(nbd->handle);
        *nbd = (Nbd){ .deadline_usec = UINT64_MAX };
}

/* A connection may die in the sending of one request; to the next one libnbd calls that an invalid argument. */
int nbd_refused(const Nbd *nbd, char error[static NBD_ERROR_SIZE])
{
        int errnum = nbd_get_errno();

        (void) keep(error, 0, nbd_get_error());
        return errnum <= 0 || nbd_aio_is_dead(nbd->handle) > 0 || nbd_aio_is_closed(nbd->handle) > 0
                               ? -ENOTCONN
                               : -errnum;
}

void nbd_count(Nbd *nbd)
{
        if (nbd->n_under_way++ == 0)
                nbd->deadline_usec = clock_monotonic_usec() + NBD_ANSWER_SEC * USEC_PER_SEC;
}

void nbd_answered(Nbd *nbd)
{
        nbd->n_under_way--;
        nbd->deadline_usec = nbd->n_under_way > 0 ? clock_monotonic_usec() +
                                                                    NBD_ANSWER_SEC * USEC_PER_SEC
                                                  : UINT64_MAX;
}

struct pollfd nbd_poll_fd(const Nbd *nbd)
{
        unsigned direction = nbd_aio_get_direction(nbd->handle);

        return (struct pollfd){
                .fd = nbd_aio_get_fd(nbd->handle),
                .events = (short) ((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                                   (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0)),
        };
}

/* One notice at a time: it may change what the connection waits for. An error is delivered as whatever it
 * waits for, because libnbd finds out itself what it is. */
static int notify(Nbd *nbd, short revents)
{
        unsigned direction = nbd_aio_get_direction(nbd->handle);

        if (revents == 0)
                return 0;
        if ((direction & LIBNBD_AIO_DIRECTION_READ) && (revents & (POLLIN | POLLHUP | POLLERR)))
                return nbd_aio_notify_read(nbd->handle);
        if (direction & LIBNBD_AIO_DIRECTION_WRITE)
                return nbd_aio_notify_write(nbd->handle);
        return 0;
}

int nbd_go_on(Nbd *nbd, short revents, uint64_t now_usec, char error[static NBD_ERROR_SIZE])
{
        int r;

        if (notify(nbd, revents) < 0) {
                r = nbd_get_errno();
                return lost(r == ENOENT ? -ENOENT : -ENOTCONN, nbd_get_error(), error);
        }
        if (nbd_aio_is_dead(nbd->handle) || nbd_aio_is_closed(nbd->handle))
                return keep(error, -ENOTCONN, "the connection was lost");
        if (!nbd->is_ready && nbd_aio_is_ready(nbd->handle)) {
                nbd->is_ready = true;
                nbd->deadline_usec = UINT64_MAX;
                return 1;
        }
        if (now_usec >= nbd->deadline_usec) {
                (void) snprintf(error, NBD_ERROR_SIZE, "no answer within %u s",
                                nbd->is_ready ? NBD_ANSWER_SEC : nbd->handshake_sec);
                return -ETIMEDOUT;
        }
        return 0;
}
