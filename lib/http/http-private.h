/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rooms of the HTTP server share; nobody else includes it.
 */
#pragma once

#include "http/http-peers.h"
#include "http/http-server.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

struct HttpRequest {
        HttpServer *server;
        HttpRequest *next, *previous; /* all of a server */
        struct MHD_Connection *connection;
        const HttpRoute *route;
        HttpPathParams params;
        char query[HTTP_PATH_PARAM_MAX + 1]; /* what was decoded last */
        char *body;
        size_t body_size, body_room;
        bool is_handled; /* the handler has it, or had it */
        bool is_suspended;
        struct MHD_Response *response;
        unsigned status;
        size_t n_ignored; /* bytes of a body that came after its refusal */
        HttpStream *stream; /* when it is one */
        HttpPipe *pipe; /* the same */
};

struct HttpServer {
        HttpServerSetup setup;
        struct MHD_Daemon *daemon;
        struct MHD_Response *empty; /* for the day when there is no memory for another */
        sd_event_source *io, *timer, *idle, *look;
        HttpPeers peers;
        HttpRequest *requests;
        unsigned n_connections, n_streams, n_pipes;
        bool is_running; /* in MHD_run() */
};

HttpRequest *http_request_new(HttpServer *server, struct MHD_Connection *connection);
HttpRequest *http_request_free(HttpRequest *request);
DEFINE_CLEANUP(HttpRequest *, http_request_free)

/* -EMSGSIZE: more than the server's body_max. */
int http_request_append(HttpRequest *request, const char *data, size_t size);

/* Gives the answer to libmicrohttpd. */
enum MHD_Result http_request_queue(HttpRequest *request);

/* Sets response, which becomes the request's; wakes a connection that waits. */
void http_request_respond(HttpRequest *request, unsigned status, struct MHD_Response *response);

/* The connection of a stream has ended: tells its owner. libmicrohttpd frees the rest with the response. NULL is none. */
void http_stream_gone(HttpStream *stream);

/* Ends the stream of a server that ends; NULL is none. */
void http_stream_close(HttpStream *stream);

/* The same of a pipe. */
void http_pipe_gone(HttpPipe *pipe);
void http_pipe_close(HttpPipe *pipe);

/* Has the loop look after the daemon soon: something was resumed. */
void http_server_wake(HttpServer *server);
