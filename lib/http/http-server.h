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
        HTTP_CONNECTIONS_MAX = 64, /* beyond them those go that send no request (http-peers.h) */
        HTTP_TOKEN_MAX = 256,
        HTTP_QUERY_NAMES_MAX = 16, /* that one route knows */
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
        size_t body_max; /* bytes; 0: HTTP_BODY_MAX, which is the most */
        bool has_problems; /* refusals are problem documents, RFC 9457 */
        const char *certificate, *key; /* PEM, borrowed: TLS 1.2 or newer; NULL: none */
        void *userdata; /* for all of them, and for handlers */
} HttpServerSetup;

/* -EBADMSG: certificate and key are none, or do not belong together; -EOPNOTSUPP: libmicrohttpd was built without TLS. */
int http_server_new(const HttpServerSetup *setup, HttpServer **ret_server);

/* Answers what still waits with 503, then ends all connections. */
HttpServer *http_server_free(HttpServer *server);
DEFINE_CLEANUP(HttpServer *, http_server_free)

/* Whether a connection is open. */
bool http_server_is_busy(const HttpServer *server);

/* ── Requests ── a handler gets one and owes it exactly one answer, now or later. The request is gone with it. */

const char *http_request_param(const HttpRequest *request, const char *name); /* of the path */
const char *http_request_query(HttpRequest *request, const char *name); /* NULL: not given */
const char *http_request_header(HttpRequest *request, const char *name);

/* As http_request_query(), but what is no text of HTTP_PATH_PARAM_MAX bytes at most is -EINVAL and not absent. 0: not given, 1: *ret_value
 * is borrowed until the next question. */
int http_request_query_text(HttpRequest *request, const char *name, const char **ret_value);

/* A name in the query that is none of these, or is there twice; NULL: all are. Borrowed. */
const char *http_request_query_unknown(HttpRequest *request, const char *const *known,
                                       size_t n_known);

/* The token of "Authorization: Bearer", NULL when there is none of a token's length. */
const char *http_request_token(HttpRequest *request);

/* The socket of a client on this machine that came by a unix socket, -1 for another; borrowed. */
int http_request_peer(const HttpRequest *request);

/* The bytes of the body, which are wiped with the request; NUL-terminated, may hold further NULs. */
const char *http_request_body(const HttpRequest *request, size_t *ret_size);

/* Takes the reference of body, which may be NULL: then there is no content. */
void http_request_answer(HttpRequest *request, unsigned status, json_t *body);

/* The same with the header Location. */
void http_request_answer_at(HttpRequest *request, unsigned status, json_t *body,
                            const char *location);

/* An answer that is no JSON: text, of that type. */
void http_request_answer_text(HttpRequest *request, const char *type, const char *text);

/* {"error": name, "message": text}, text as printf() makes it; or the problem document {"type", "title", "status", "detail", "error"}. */
void http_request_refuse(HttpRequest *request, unsigned status, const char *name,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with the members of more (taken, may be NULL) besides. */
void http_request_refuse_with(HttpRequest *request, unsigned status, const char *name, json_t *more,
                              const char *format, ...) __attribute__((format(printf, 5, 6)));

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

/* ── Pipes ── the bytes of a socket instead of an answer, however many they are. */

typedef struct HttpPipe HttpPipe;

typedef struct HttpPipeSetup {
        const char *type; /* of the content */
        const char *location; /* for the header Location; NULL: none */
        int fd; /* does not block; becomes the pipe's, also when there is none */
        void (*on_end)(void *userdata); /* fd has ended: http_pipe_end() is owed, now or later */
        void (*on_gone)(void *userdata); /* the peer has left, or the server ends; the pipe is gone then */
        void *userdata;
} HttpPipeSetup;

/* Begins one with 200. NULL when out of memory or too many: then it is answered with 503. */
HttpPipe *http_request_pipe(HttpRequest *request, const HttpPipeSetup *setup);

/* Behind what was read comes the end; or, when it is not whole, the connection is cut at once. Neither on_end nor on_gone is called any
 * more. */
void http_pipe_end(HttpPipe *pipe, bool is_whole);
