/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections to an export (see target.h).
 */
#include "target.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct TargetRequest {
        Target *target;
        Nbd *nbd;
        TargetAnswer answer;
        void *userdata;
        TargetRequest *next, *previous;
};

void target_init(Target *target, const NbdUri *uri, uint64_t size_bytes, unsigned n_connections)
{
        *target = (Target){
                .uri = uri,
                .size_bytes = size_bytes,
                .n_wanted = n_connections < TARGET_CONNECTIONS_MAX ? n_connections
                                                                   : TARGET_CONNECTIONS_MAX,
        };
}

static int lose(Target *target, int error)
{
        target->state = TARGET_LOST;
        target->errnum = error;
        return error;
}

static int begin_connection(Target *target)
{
        Nbd *nbd = &target->connections[target->n_connections];
        int r;

        *nbd = (Nbd){};
        r = nbd_begin(nbd, target->uri, false, NBD_HANDSHAKE_SEC, target->error);
        if (r < 0)
                return lose(target, r);
        target->n_connections++;
        return 0;
}

void target_open(Target *target)
{
        target_close(target);
        target->state = TARGET_OPENING;
        (void) begin_connection(target);
}

void target_close(Target *target)
{
        for (unsigned i = 0; i < target->n_connections; i++)
                nbd_drop(&target->connections[i]);
        target->n_connections = target->n_next = 0;
        target->n_requests = 0;
        target->state = TARGET_CLOSED;
        target->has_instance = false;
        while (target->requests) {
                TargetRequest *request = target->requests;

                target->requests = request->next;
                free(request);
        }
}

static int refuse(Target *target, int error, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

static int refuse(Target *target, int error, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(target->error, sizeof(target->error), format, ap);
        va_end(ap);
        return lose(target, error);
}

/* All connections of an epoch speak to one instance of the server. */
static int check_instance(Target *target, Nbd *nbd)
{
        _cleanup_free_ char *description = nbd_get_export_description(nbd->handle);
        const char *instance = description ?: "";

        if (strlen(instance) >= sizeof(target->instance))
                return refuse(target, -ESTALE, "its description is too long");
        if (target->has_instance && strcmp(target->instance, instance) != 0)
                return refuse(target, -ENOTCONN, "the server was started again");
        (void) snprintf(target->instance, sizeof(target->instance), "%s", instance);
        target->has_instance = true;
        return 0;
}

static int check(Target *target, Nbd *nbd)
{
        int64_t size = nbd_get_size(nbd->handle);

        if (size < 0)
                return refuse(target, -EIO, "%s", nbd_get_error());
        target->has_size = true;
        target->found_bytes = (uint64_t) size;
        if ((uint64_t) size != target->size_bytes)
                return refuse(target, -EMSGSIZE,
                              "it has %" PRId64 " bytes, and should have %" PRIu64, size,
                              target->size_bytes);
        if (nbd_is_read_only(nbd->handle) != 0)
                return refuse(target, -EROFS, "it is read-only");
        if (nbd_can_flush(nbd->handle) <= 0)
                return refuse(target, -EOPNOTSUPP,
                              "its server cannot make data durable (no flush)");
        if (nbd_can_zero(nbd->handle) <= 0)
                return refuse(target, -EOPNOTSUPP, "its server cannot write zeroes");
        return check_instance(target, nbd);
}

/* The others follow when the server says that a flush on one is a flush for all. */
static void on_ready(Target *target, Nbd *nbd)
{
        unsigned n = nbd_can_multi_conn(nbd->handle) > 0 ? target->n_wanted : 1;

        if (check(target, nbd) < 0)
                return;
        while (target->n_connections < n)
                if (begin_connection(target) < 0)
                        return;
        for (unsigned i = 0; i < target->n_connections; i++)
                if (!target->connections[i].is_ready)
                        return;
        target->state = TARGET_OPEN;
}

static void unlink_request(TargetRequest *request)
{
        if (request->previous)
                request->previous->next = request->next;
        else
                request->target->requests = request->next;
        if (request->next)
                request->next->previous = request->previous;
        request->target->n_requests--;
        nbd_answered(request->nbd);
}

static int on_answer(void *userdata, int *error)
{
        TargetRequest *request = userdata;

        unlink_request(request);
        request->answer(request->userdata, *error > 0 ? -*error : 0);
        free(request);
        return 1;
}

static TargetRequest *new_request(Target *target, Nbd *nbd, TargetAnswer answer, void *userdata)
{
        TargetRequest *request = nbd ? malloc(sizeof(*request)) : NULL;

        if (!request)
                return NULL;
        *request = (TargetRequest){ .target = target,
                                    .nbd = nbd,
                                    .answer = answer,
                                    .userdata = userdata,
                                    .next = target->requests };
        if (target->requests)
                target->requests->previous = request;
        target->requests = request;
        target->n_requests++;
        nbd_count(nbd);
        return request;
}

static int finish_issue(TargetRequest *request, int64_t cookie)
{
        Target *target = request->target;
        int error;

        if (cookie >= 0)
                return 0;
        error = nbd_refused(request->nbd, target->error);
        unlink_request(request);
        free(request);
        return lose(target, error);
}

/* The connection with the least to do. */
static Nbd *next_connection(Target *target)
{
        Nbd *best = NULL;

        for (unsigned i = 0; i < target->n_connections; i++) {
                Nbd *nbd = &target->connections[(target->n_next + i) % target->n_connections];

                if (!best || nbd->n_under_way < best->n_under_way)
                        best = nbd;
        }
        target->n_next++;
        return best;
}

int target_write(Target *target, const void *data, size_t length, uint64_t offset,
                 TargetAnswer answer, void *userdata)
{
        Nbd *nbd = next_connection(target);
        TargetRequest *request = new_request(target, nbd, answer, userdata);
        int64_t cookie;

        if (!nbd || !request)
                return -ENOMEM;
        cookie = nbd_aio_pwrite(
                        nbd->handle, data, length, offset,
                        (nbd_completion_callback){ .callback = on_answer, .user_data = request },
                        0);
        return cookie >= 0 ? 0 : finish_issue(request, cookie);
}

int target_zero(Target *target, uint64_t length, uint64_t offset, TargetAnswer answer,
                void *userdata)
{
        Nbd *nbd = next_connection(target);
        TargetRequest *request = new_request(target, nbd, answer, userdata);
        int64_t cookie;

        if (!nbd || !request)
                return -ENOMEM;
        cookie = nbd_aio_zero(
                        nbd->handle, length, offset,
                        (nbd_completion_callback){ .callback = on_answer, .user_data = request },
                        0);
        return cookie >= 0 ? 0 : finish_issue(request, cookie);
}

int target_flush(Target *target, TargetAnswer answer, void *userdata, unsigned *ret_n)
{
        *ret_n = target->n_connections;
        for (unsigned i = 0; i < target->n_connections; i++) {
                Nbd *nbd = &target->connections[i];
                TargetRequest *request = new_request(target, nbd, answer, userdata);
                int64_t cookie;

                if (!request)
                        return -ENOMEM;
                cookie = nbd_aio_flush(nbd->handle,
                                       (nbd_completion_callback){ .callback = on_answer,
                                                                  .user_data = request },
                                       0);
                if (cookie < 0)
                        return finish_issue(request, cookie);
        }
        return 0;
}

size_t target_poll(const Target *target, struct pollfd *fds, uint64_t *deadline_usec)
{
        for (unsigned i = 0; i < target->n_connections; i++) {
                fds[i] = nbd_poll_fd(&target->connections[i]);
                if (target->connections[i].deadline_usec < *deadline_usec)
                        *deadline_usec = target->connections[i].deadline_usec;
        }
        return target->n_connections;
}

void target_dispatch(Target *target, const struct pollfd *fds, size_t n_fds)
{
        uint64_t now = clock_monotonic_usec();

        for (size_t i = 0; i < n_fds && i < target->n_connections; i++) {
                int r = nbd_go_on(&target->connections[i], fds[i].revents, now, target->error);

                if (r < 0)
                        (void) lose(target, r);
                else if (r > 0 && target->state == TARGET_OPENING)
                        on_ready(target, &target->connections[i]);
                if (target->state == TARGET_LOST)
                        return;
        }
}
