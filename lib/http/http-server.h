/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An HTTP server in an sd-event loop, on libmicrohttpd: routes, JSON, bearer tokens, limits of size, number and
 * time, and the end of the program when nobody wants it any more. Used by the HTTP APIs, which are
 * socket-activated. A handler may answer later: its connection waits without costing anything.
 *
 * It does not log; what an operator must know goes to on_trouble.
 */
#pragma once

#include "cleanup.h"
#include "http/http-route.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

enum {
        HTTP_BODY_MAX = 1024 * 1024,
        HTTP_CONNECTIONS_MAX = 64,
        HTTP_TOKEN_MAX = 256,
};

typedef struct HttpServer HttpServer;

typedef struct HttpServerSetup {
        sd_event *event;
        int listen_fd; /* becomes the server's, also when it cannot be made */
        const HttpRoute *routes;
        size_t n_routes;
        /* Whether the token of a request is good; token is NULL when there is none. */
        bool (*is_allowed)(const char *token, void *userdata);
        /* When no connection was there for idle_usec. */
        void (*on_idle)(void *userdata);
        uint64_t idle_usec; /* 0: never idle */
        void *userdata; /* for all of them, and for handlers */
} HttpServerSetup;

int http_server_new(const HttpServerSetup *setup, HttpServer **ret_server);

/* Answers what still waits with 503, then ends all connections. */
HttpServer *http_server_free(HttpServer *server);
DEFINE_CLEANUP(HttpServer *, http_server_free)

/* ── Requests ── a handler gets one and owes it exactly one answer, now or later. The request is gone with it. */

const char *http_request_param(const HttpRequest *request, const char *name); /* of the path */
const char *http_request_query(HttpRequest *request, const char *name); /* NULL: not given */
const char *http_request_header(HttpRequest *request, const char *name);

/* The bytes of the body, which are wiped with the request; NUL-terminated, may hold further NULs. */
const char *http_request_body(const HttpRequest *request, size_t *ret_size);

/* Takes the reference of body, which may be NULL: then there is no content. */
void http_request_answer(HttpRequest *request, unsigned status, json_t *body);

/* {"error": name, "message": text}, text as printf() makes it. */
void http_request_refuse(HttpRequest *request, unsigned status, const char *name,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ── Streams ── server-sent events instead of an answer. */

typedef struct HttpStream HttpStream;

/* Begins one. on_gone is called when the peer has left, or the server ends; the stream is gone then. A heartbeat
 * every 15 s notices a peer that has vanished. NULL when out of memory or too many: then it is answered with 503. */
HttpStream *http_request_stream(HttpRequest *request, void (*on_gone)(void *userdata),
                                void *userdata);

/* Queues one event. -ENOBUFS: the peer does not read and was dropped (on_gone is still to come). */
int http_stream_send(HttpStream *stream, uint64_t id, const char *event, const json_t *data);

/* After the last event; on_gone is not called any more. */
void http_stream_end(HttpStream *stream);
