/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmicrohttpd in an sd-event loop (see http-server.h): its epoll descriptor and its next deadline are two
 * sources of the loop, and everything happens in MHD_run().
 */
#include "clock.h"
#include "http/http-private.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

enum {
        ENDING_ROUNDS = 8,
        PEER_TIMEOUT_SEC =
                        30, /* for one that reads nothing at all; who sends too little goes before (http-peers.h) */
        LOOK_SEC = 1, /* so often those are looked for whose time is over */
        /* Beyond the limit, for those that come at the same moment: at their arrival others are ended. */
        CONNECTIONS_ROOM = 64,
        /* For the head of a request, and what is read of its body at a time. Above 32 KiB libmicrohttpd maps the memory
         * and unmaps it with the connection, so that tokens and passwords in it do not stay behind. */
        PEER_MEMORY_BYTES = 36 * 1024,
};

/* What is older than TLS 1.2 has no place. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static void server_run(HttpServer *server);

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        (void) source;
        (void) fd;
        (void) events;
        server_run(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source;
        (void) usec;
        server_run(userdata);
        return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        HttpServer *server = userdata;

        (void) source;
        (void) usec;
        if (server->n_connections == 0)
                server->setup.on_idle(server->setup.userdata);
        return 0;
}

static void timer_set(sd_event_source *timer, uint64_t usec)
{
        if (sd_event_source_set_time_relative(timer, usec) >= 0)
                (void) sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void server_run(HttpServer *server)
{
        MHD_UNSIGNED_LONG_LONG timeout_msec;

        server->is_running = true;
        (void) MHD_run(server->daemon);
        server->is_running = false;
        if (MHD_get_timeout(server->daemon, &timeout_msec) == MHD_YES)
                timer_set(server->timer, (uint64_t) timeout_msec * 1000);
        else
                (void) sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
}

void http_server_wake(HttpServer *server)
{
        if (!server->is_running)
                timer_set(server->timer, 0);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
        HttpServer *server = userdata;

        (void) usec;
        http_peers_end(&server->peers, HTTP_CONNECTIONS_MAX, clock_monotonic_usec());
        if (server->n_connections > 0)
                timer_set(source, LOOK_SEC * USEC_PER_SEC);
        return 0;
}

static HttpPeer *peer_of(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

/* One that cannot be written down has libmicrohttpd's own time limit alone. */
static HttpPeer *peer_new(HttpServer *server, struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

        return info ? http_peer_new(&server->peers, info->connect_fd,
                                    http_peer_key(info->connect_fd), clock_monotonic_usec())
                    : NULL;
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
        HttpServer *server = userdata;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                *socket_context = peer_new(server, connection);
                http_peers_end(&server->peers, HTTP_CONNECTIONS_MAX, clock_monotonic_usec());
                if (server->n_connections++ == 0)
                        timer_set(server->look, LOOK_SEC * USEC_PER_SEC);
                if (server->idle)
                        (void) sd_event_source_set_enabled(server->idle, SD_EVENT_OFF);
                return;
        }
        *socket_context = http_peer_free(*socket_context);
        if (--server->n_connections == 0 && server->idle)
                timer_set(server->idle, server->setup.idle_usec);
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
        (void) userdata;
        (void) code;
        http_peer_waits(peer_of(connection), clock_monotonic_usec());
        *request_context = http_request_free(*request_context);
}

/* Paths and arguments are decoded where they are taken apart: a slash in a name is not one of the path. */
static size_t keep_escapes(void *userdata, struct MHD_Connection *connection, char *text)
{
        (void) userdata;
        (void) connection;
        return strlen(text);
}

static bool is_allowed(HttpRequest *request)
{
        const HttpServerSetup *setup = &request->server->setup;

        return request->route->is_open ||
               setup->is_allowed(http_request_token(request), setup->userdata);
}

static void refuse_method(HttpRequest *request, const char *method, const char *path,
                          const char *allow)
{
        http_request_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED,
                            "com.sendense.Error.MethodNotAllowed", "%s takes %s, not %.16s.", path,
                            allow, method);
        (void) MHD_add_response_header(request->response, MHD_HTTP_HEADER_ALLOW, allow);
}

static void refuse_size(HttpRequest *request)
{
        http_request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "com.sendense.Error.TooLarge",
                            "A body has at most %zu bytes.", request->server->setup.body_max);
}

/* What the head of a request tells already. true: go on and take the body. */
static bool request_begin(HttpRequest *request, const char *method, const char *path)
{
        const HttpServerSetup *setup = &request->server->setup;
        const char *length = http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
        char allow[HTTP_ALLOW_MAX];

        switch (http_route_find(setup->routes, setup->n_routes, method, path, &request->route,
                                &request->params, allow)) {
        case HTTP_MATCH_NO_PATH:
                http_request_refuse(request, MHD_HTTP_NOT_FOUND, "com.sendense.Error.NotFound",
                                    "There is nothing at this path.");
                return false;
        case HTTP_MATCH_NO_METHOD:
                refuse_method(request, method, path, allow);
                return false;
        case HTTP_MATCH_FOUND:
                break;
        }
        if (!is_allowed(request)) {
                http_request_refuse(request, MHD_HTTP_UNAUTHORIZED,
                                    "com.sendense.Error.Unauthorized",
                                    "A valid token is needed: 'Authorization: Bearer TOKEN'.");
                return false;
        }
        if (length && strtoull(length, NULL, 10) > setup->body_max) {
                refuse_size(request);
                return false;
        }
        return true;
}

/* A part of the body. */
static enum MHD_Result request_take(HttpRequest *request, const char *data, size_t *size)
{
        int r = http_request_append(request, data, *size);

        if (r == -EMSGSIZE) {
                *size = 0;
                refuse_size(request);
                return MHD_YES;
        }
        if (r < 0)
                return MHD_NO;
        *size = 0;
        return MHD_YES;
}

/* What comes after a refusal; not for ever. */
static enum MHD_Result request_ignore(HttpRequest *request, size_t *size)
{
        request->n_ignored += *size;
        *size = 0;
        return request->n_ignored > HTTP_BODY_MAX ? MHD_NO : MHD_YES;
}

/* What anybody gets, and a refusal, may be cut while it is read: else who reads slowly would keep his place without a token. */
static void set_place(const HttpRequest *request, HttpPeer *peer)
{
        if (request->response || request->route->is_open)
                http_peer_waits(peer, clock_monotonic_usec());
        else
                http_peer_is_whole(peer);
}

static enum MHD_Result on_access(void *userdata, struct MHD_Connection *connection,
                                 const char *path, const char *method, const char *version,
                                 const char *data, size_t *size, void **request_context)
{
        HttpServer *server = userdata;
        HttpRequest *request = *request_context;

        (void) version;
        if (!request) {
                request = http_request_new(server, connection);
                if (!request)
                        return MHD_NO;
                *request_context = request;
                http_peer_has_head(peer_of(connection), clock_monotonic_usec());
                return request_begin(request, method, path) ? MHD_YES : http_request_queue(request);
        }
        if (*size > 0) {
                if (!request->response)
                        return request_take(request, data, size);
                return request_ignore(request, size);
        }
        if (!request->is_handled)
                set_place(request, peer_of(connection));
        if (!request->is_handled && !request->response) {
                request->is_handled = true;
                request->route->handle(request, server->setup.userdata);
        }
        if (request->response)
                return http_request_queue(request);
        request->is_suspended = true;
        MHD_suspend_connection(connection);
        return MHD_YES;
}

/* Ends the options; without a certificate it is at once their end. */
static void set_tls(const HttpServerSetup *setup, struct MHD_OptionItem ret_items[static 4])
{
        size_t n = 0;

        if (setup->certificate) {
                ret_items[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0,
                                                          (void *) setup->certificate };
                ret_items[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0,
                                                          (void *) setup->key };
                ret_items[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                          (void *) TLS_PRIORITIES };
        }
        ret_items[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
}

static int server_start(HttpServer *server)
{
        unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
        struct MHD_OptionItem tls[4];

        if (server->setup.certificate) {
                if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
                        return -EOPNOTSUPP;
                flags |= MHD_USE_TLS;
        }
        set_tls(&server->setup, tls);
        server->empty = MHD_create_response_from_buffer(0, (void *) "", MHD_RESPMEM_PERSISTENT);
        if (!server->empty)
                return -ENOMEM;
        errno = 0;
        server->daemon = MHD_start_daemon(
                        flags, 0, NULL, NULL, on_access, server, MHD_OPTION_LISTEN_SOCKET,
                        server->setup.listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                        (unsigned) HTTP_CONNECTIONS_MAX + CONNECTIONS_ROOM,
                        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) PEER_TIMEOUT_SEC,
                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) PEER_MEMORY_BYTES,
                        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
                        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server,
                        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
        if (!server->daemon)
                return errno > 0 ? -errno : server->setup.certificate ? -EBADMSG : -EIO;
        server->setup.listen_fd = -1; /* the daemon's */
        return 0;
}

static int server_attach(HttpServer *server)
{
        const union MHD_DaemonInfo *info;
        sd_event *event = server->setup.event;
        int r;

        info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return -EOPNOTSUPP;
        r = sd_event_add_io(event, &server->io, info->epoll_fd, EPOLLIN, on_io, server);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &server->timer, CLOCK_MONOTONIC, 0, 1,
                                               on_timer, server);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &server->look, CLOCK_MONOTONIC,
                                               LOOK_SEC * USEC_PER_SEC, 0, on_look, server);
        if (r >= 0 && server->setup.idle_usec > 0)
                r = sd_event_add_time_relative(event, &server->idle, CLOCK_MONOTONIC,
                                               server->setup.idle_usec, 0, on_idle, server);
        return r < 0 ? r : 0;
}

int http_server_new(const HttpServerSetup *setup, HttpServer **ret_server)
{
        CLEANUP(http_server_free_p) HttpServer *server = NULL;
        int r;

        server = calloc(1, sizeof(*server));
        if (!server) {
                close(setup->listen_fd);
                return -ENOMEM;
        }
        server->setup = *setup;
        if (server->setup.body_max == 0)
                server->setup.body_max = HTTP_BODY_MAX;
        r = server_start(server);
        if (r >= 0)
                r = server_attach(server);
        if (r < 0)
                return r;
        *ret_server = TAKE(server);
        return 0;
}

bool http_server_is_busy(const HttpServer *server)
{
        return server->n_connections > 0;
}

HttpServer *http_server_free(HttpServer *server)
{
        if (!server)
                return NULL;
        server->idle = sd_event_source_disable_unref(server->idle);
        for (HttpRequest *request = server->requests; request; request = request->next)
                if (request->is_suspended)
                        http_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                                            "com.sendense.Error.Busy",
                                            "The server ends; try again.");
                else {
                        http_stream_close(request->stream);
                        http_pipe_close(request->pipe);
                }
        if (server->daemon) {
                /* An answer may take more than one round to be on its way. */
                for (unsigned i = 0; i < ENDING_ROUNDS && server->requests; i++)
                        (void) MHD_run(server->daemon);
                MHD_stop_daemon(server->daemon);
        }
        if (server->empty)
                MHD_destroy_response(server->empty);
        server->io = sd_event_source_disable_unref(server->io);
        server->timer = sd_event_source_disable_unref(server->timer);
        server->look = sd_event_source_disable_unref(server->look);
        if (server->setup.listen_fd >= 0)
                close(server->setup.listen_fd);
        free(server);
        return NULL;
}
