/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk behind an NBD server, by a few connections. A lost connection is a fault of the whole source: all
 * reads under way are answered with it, and the engine opens it again.
 */
#include "source.h"

#include "cleanup.h"
#include "clock.h"
#include "nbd-uri.h"
#include "nbd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        CONNECTIONS_MAX = 8,
        READS = 16,
};

#define STATUS_BYTES_MAX (UINT64_C(2) << 30) /* of one question; lengths have 32 bits */

typedef struct SourceNbd SourceNbd;

typedef struct Request {
        SourceNbd *owner;
        Nbd *nbd;
        SourceAnswer answer;
        void *userdata;
        Extents *extents; /* of a question for them */
        int extents_error;
        struct Request *next, *previous;
} Request;

struct SourceNbd {
        Source source;
        NbdUri uri;
        SourceAnswer opened; /* NULL: nothing is being opened */
        void *opened_userdata;
        unsigned n_wanted, n_connections, n_next, handshake_sec;
        bool asks_extents, is_lost;
        Request *requests; /* under way */
        Nbd connections[CONNECTIONS_MAX];
};

static void answer_open(SourceNbd *s, int error)
{
        SourceAnswer opened = TAKE(s->opened);

        if (opened)
                opened(s->opened_userdata, error);
}

static void unlink_request(Request *request)
{
        if (request->previous)
                request->previous->next = request->next;
        else
                request->owner->requests = request->next;
        if (request->next)
                request->next->previous = request->previous;
}

static Request *new_request(SourceNbd *s, Nbd *nbd, SourceAnswer answer, void *userdata)
{
        Request *request = malloc(sizeof(*request));

        if (!request)
                return NULL;
        *request = (Request){
                .owner = s, .nbd = nbd, .answer = answer, .userdata = userdata, .next = s->requests
        };
        if (s->requests)
                s->requests->previous = request;
        s->requests = request;
        return request;
}

static void answer_request(Request *request, int error)
{
        unlink_request(request);
        request->answer(request->userdata, error);
        free(request);
}

/* The loss of one connection is the loss of all. */
static void lose(SourceNbd *s, int error)
{
        for (unsigned i = 0; i < s->n_connections; i++)
                nbd_drop(&s->connections[i]);
        s->n_connections = 0;
        s->is_lost = true;
        answer_open(s, error);
        while (s->requests)
                answer_request(s->requests, error);
}

static int begin_connection(SourceNbd *s)
{
        Nbd *nbd = &s->connections[s->n_connections];
        int r;

        *nbd = (Nbd){};
        r = nbd_begin(nbd, &s->uri, s->asks_extents, s->handshake_sec, s->source.error);
        if (r < 0)
                return r;
        s->n_connections++;
        return 0;
}

static int source_nbd_open(Source *source, SourceAnswer answer, void *userdata)
{
        SourceNbd *s = (SourceNbd *) source;
        int r;

        source->ops->close(source);
        s->is_lost = false;
        s->opened = answer;
        s->opened_userdata = userdata;
        r = begin_connection(s);
        if (r < 0)
                answer_open(s, r);
        return 0;
}

/* The first connection tells what there is; the others follow when the server says that they see the same. */
static void on_ready(SourceNbd *s, Nbd *nbd)
{
        int64_t size = nbd_get_size(nbd->handle);
        unsigned n = nbd_can_multi_conn(nbd->handle) > 0 ? s->n_wanted : 1;
        int r = 0;

        if (size < 0) {
                lose(s, source_fail(&s->source, -EIO, "%s", nbd_get_error()));
                return;
        }
        if (nbd == s->connections) {
                s->source.size_bytes = (uint64_t) size;
                s->source.knows_extents = nbd_can_meta_context(nbd->handle,
                                                               LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
                while (r >= 0 && s->n_connections < n)
                        r = begin_connection(s);
        } else if ((uint64_t) size != s->source.size_bytes)
                r = source_fail(&s->source, -EIO, "two connections tell two sizes");
        if (r < 0) {
                lose(s, r);
                return;
        }
        for (unsigned i = 0; i < s->n_connections; i++)
                if (!s->connections[i].is_ready)
                        return;
        answer_open(s, 0);
}

static int on_answer(void *userdata, int *error)
{
        Request *request = userdata;
        SourceNbd *s = request->owner;
        int r = *error > 0 ? -*error : 0;

        nbd_answered(request->nbd);
        if (r == 0)
                r = request->extents_error;
        if (r < 0)
                (void) source_fail(&s->source, r, "%s", strerror(-r));
        answer_request(request, r);
        return 1;
}

static Nbd *next_connection(SourceNbd *s)
{
        return s->n_connections > 0 ? &s->connections[s->n_next++ % s->n_connections] : NULL;
}

/* A request that could not be issued is gone already, without its callback. */
static int not_issued(SourceNbd *s, Request *request)
{
        char text[NBD_ERROR_SIZE];
        int error = nbd_refused(request->nbd, text);

        nbd_answered(request->nbd);
        unlink_request(request);
        free(request);
        return source_fail(&s->source, error, "%s", text);
}

static int source_nbd_read(Source *source, void *buffer, size_t length, uint64_t offset,
                           SourceAnswer answer, void *userdata)
{
        SourceNbd *s = (SourceNbd *) source;
        Nbd *nbd = next_connection(s);
        Request *request = nbd ? new_request(s, nbd, answer, userdata) : NULL;

        if (!request)
                return nbd ? -ENOMEM : -ENOTCONN;
        nbd_count(nbd);
        if (nbd_aio_pread(nbd->handle, buffer, length, offset,
                          (nbd_completion_callback){ .callback = on_answer, .user_data = request },
                          0) < 0)
                return not_issued(s, request);
        return 0;
}

/* Pairs of length and flags; the last may reach beyond what was asked for. */
static int on_extents(void *userdata, const char *context, uint64_t offset, uint32_t *entries,
                      size_t n_entries, int *error)
{
        Request *request = userdata;
        int r = 1;

        (void) error;
        if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0 || offset != request->extents->end)
                return 0;
        for (size_t i = 0; i + 1 < n_entries && r > 0; i += 2)
                r = extents_add(request->extents, entries[i], entries[i + 1] & LIBNBD_STATE_ZERO);
        if (r < 0)
                request->extents_error = r;
        return 0;
}

static int source_nbd_ask_extents(Source *source, uint64_t offset, uint64_t length,
                                  Extents *extents, SourceAnswer answer, void *userdata)
{
        SourceNbd *s = (SourceNbd *) source;
        Nbd *nbd = next_connection(s);
        Request *request = nbd ? new_request(s, nbd, answer, userdata) : NULL;

        if (!request)
                return nbd ? -ENOMEM : -ENOTCONN;
        request->extents = extents;
        nbd_count(nbd);
        if (nbd_aio_block_status(
                            nbd->handle, length < STATUS_BYTES_MAX ? length : STATUS_BYTES_MAX,
                            offset,
                            (nbd_extent_callback){ .callback = on_extents, .user_data = request },
                            (nbd_completion_callback){ .callback = on_answer,
                                                       .user_data = request },
                            0) < 0)
                return not_issued(s, request);
        return 0;
}

static size_t source_nbd_poll(Source *source, struct pollfd fds[static SOURCE_FDS_MAX],
                              uint64_t *deadline_usec)
{
        SourceNbd *s = (SourceNbd *) source;

        for (unsigned i = 0; i < s->n_connections; i++) {
                fds[i] = nbd_poll_fd(&s->connections[i]);
                if (s->connections[i].deadline_usec < *deadline_usec)
                        *deadline_usec = s->connections[i].deadline_usec;
        }
        return s->n_connections;
}

static void source_nbd_dispatch(Source *source, const struct pollfd *fds, size_t n_fds)
{
        SourceNbd *s = (SourceNbd *) source;
        uint64_t now = clock_monotonic_usec();

        for (size_t i = 0; i < n_fds && i < s->n_connections; i++) {
                int r = nbd_go_on(&s->connections[i], fds[i].revents, now, source->error);

                if (r < 0)
                        lose(s, r);
                else if (r > 0)
                        on_ready(s, &s->connections[i]);
        }
}

static void source_nbd_close(Source *source)
{
        SourceNbd *s = (SourceNbd *) source;

        for (unsigned i = 0; i < s->n_connections; i++)
                nbd_drop(&s->connections[i]);
        s->n_connections = 0;
        s->opened = NULL;
        while (s->requests) {
                Request *request = s->requests;

                unlink_request(request);
                free(request);
        }
}

static void source_nbd_free(Source *source)
{
        free(source);
}

static const SourceOps nbd_ops = {
        .kind = "nbd",
        .open = source_nbd_open,
        .read = source_nbd_read,
        .ask_extents = source_nbd_ask_extents,
        .poll = source_nbd_poll,
        .dispatch = source_nbd_dispatch,
        .close = source_nbd_close,
        .free = source_nbd_free,
};

int source_nbd_new(const char *uri, unsigned n_connections, bool asks_extents,
                   unsigned handshake_sec, Source **ret_source)
{
        _cleanup_free_ SourceNbd *s = malloc(sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (SourceNbd){
                .source = { .ops = &nbd_ops,
                            .n_reads = READS,
                            .read_bytes = SOURCE_READ_BYTES_USUAL },
                .n_wanted = n_connections < CONNECTIONS_MAX ? n_connections : CONNECTIONS_MAX,
                .handshake_sec = handshake_sec > 0 ? handshake_sec : NBD_HANDSHAKE_SEC,
                .asks_extents = asks_extents,
        };
        r = nbd_uri_parse(uri, &s->uri);
        if (r < 0)
                return r;
        *ret_source = &TAKE(s)->source;
        return 0;
}
