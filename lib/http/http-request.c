/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request and its answer (see http-server.h): the body as it arrives, wiped at the end, and what is handed to
 * libmicrohttpd. Handlers and the server call it.
 */
#include "http/http-private.h"
#include "json-cleanup.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

HttpRequest *http_request_new(HttpServer *server, struct MHD_Connection *connection)
{
        HttpRequest *request = calloc(1, sizeof(*request));

        if (!request)
                return NULL;
        request->server = server;
        request->connection = connection;
        request->next = server->requests;
        if (request->next)
                request->next->previous = request;
        server->requests = request;
        return request;
}

HttpRequest *http_request_free(HttpRequest *request)
{
        if (!request)
                return NULL;
        if (request->previous)
                request->previous->next = request->next;
        else
                request->server->requests = request->next;
        if (request->next)
                request->next->previous = request->previous;
        if (request->body)
                explicit_bzero(request->body, request->body_room);
        free(request->body);
        http_stream_gone(request->stream);
        http_pipe_gone(request->pipe);
        if (request->response && request->response != request->server->empty)
                MHD_destroy_response(request->response);
        free(request);
        return NULL;
}

/* Without realloc(), which would leave the old bytes behind. */
static int body_grow(HttpRequest *request, size_t room)
{
        char *body = malloc(room);

        if (!body)
                return -ENOMEM;
        if (request->body) {
                memcpy(body, request->body, request->body_size);
                explicit_bzero(request->body, request->body_room);
                free(request->body);
        }
        request->body = body;
        request->body_room = room;
        return 0;
}

int http_request_append(HttpRequest *request, const char *data, size_t size)
{
        int r;

        if (size > request->server->setup.body_max - request->body_size)
                return -EMSGSIZE;
        if (request->body_size + size + 1 > request->body_room) {
                size_t room = request->body_room > 0 ? request->body_room * 2 : 4096;

                while (room < request->body_size + size + 1)
                        room *= 2;
                r = body_grow(request, room);
                if (r < 0)
                        return r;
        }
        memcpy(request->body + request->body_size, data, size);
        request->body_size += size;
        request->body[request->body_size] = '\0';
        return 0;
}

const char *http_request_param(const HttpRequest *request, const char *name)
{
        return http_path_param(&request->params, name);
}

const char *http_request_query(HttpRequest *request, const char *name)
{
        const char *raw;

        raw = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
        if (!raw || !http_text_decode(raw, strlen(raw), request->query))
                return NULL;
        return request->query;
}

int http_request_query_text(HttpRequest *request, const char *name, const char **ret_value)
{
        const char *raw;

        raw = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
        if (!raw)
                return 0;
        if (!http_text_decode(raw, strlen(raw), request->query))
                return -EINVAL;
        *ret_value = request->query;
        return 1;
}

typedef struct Names {
        const char *const *known;
        size_t n_known;
        bool seen[HTTP_QUERY_NAMES_MAX];
        const char *unknown;
} Names;

static enum MHD_Result on_name(void *userdata, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
        Names *names = userdata;
        size_t i = 0;

        (void) kind, (void) value;
        while (i < names->n_known && strcmp(names->known[i], name) != 0)
                i++;
        if (i < names->n_known && !names->seen[i]) {
                names->seen[i] = true;
                return MHD_YES;
        }
        names->unknown = name;
        return MHD_NO;
}

const char *http_request_query_unknown(HttpRequest *request, const char *const *known,
                                       size_t n_known)
{
        Names names = { .known = known,
                        .n_known = n_known < HTTP_QUERY_NAMES_MAX ? n_known
                                                                  : HTTP_QUERY_NAMES_MAX };

        (void) MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, on_name,
                                         &names);
        return names.unknown;
}

const char *http_request_token(HttpRequest *request)
{
        static const char scheme[] = "Bearer ";
        const char *value = http_request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);

        if (!value || strncasecmp(value, scheme, strlen(scheme)) != 0 ||
            strlen(value) > strlen(scheme) + HTTP_TOKEN_MAX)
                return NULL;
        return value + strlen(scheme);
}

int http_request_peer(const HttpRequest *request)
{
        const union MHD_ConnectionInfo *info;
        socklen_t size = sizeof(int);
        int domain;

        info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
            domain != AF_UNIX)
                return -1;
        return info->connect_fd;
}

const char *http_request_header(HttpRequest *request, const char *name)
{
        return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_request_body(const HttpRequest *request, size_t *ret_size)
{
        *ret_size = request->body_size;
        return request->body ?: "";
}

enum MHD_Result http_request_queue(HttpRequest *request)
{
        return MHD_queue_response(request->connection, request->status, request->response);
}

void http_request_respond(HttpRequest *request, unsigned status, struct MHD_Response *response)
{
        if (response != request->server->empty) {
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
                (void) MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        }
        request->status = status;
        request->response = response;
        if (request->is_suspended) {
                request->is_suspended = false;
                MHD_resume_connection(request->connection);
                http_server_wake(request->server);
        }
}

/* Without memory for an answer there is the one that was made at the start. */
static void respond(HttpRequest *request, unsigned status, struct MHD_Response *response)
{
        if (response)
                http_request_respond(request, status, response);
        else
                http_request_respond(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
                                     request->server->empty);
}

static struct MHD_Response *response_new(const char *type, const char *text)
{
        struct MHD_Response *response;

        response = MHD_create_response_from_buffer(strlen(text), (void *) text,
                                                   MHD_RESPMEM_MUST_COPY);
        if (response && type)
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        return response;
}

/* Takes the reference of body. */
static struct MHD_Response *json_response_new(json_t *body, const char *type)
{
        CLEANUP(json_decref_p) json_t *owned = body;
        _cleanup_free_ char *text = owned ? json_dumps(owned, JSON_COMPACT) : NULL;
        _cleanup_free_ char *line = text ? text_format("%s\n", text) : NULL;

        return line ? response_new(type, line) : NULL;
}

void http_request_answer_at(HttpRequest *request, unsigned status, json_t *body,
                            const char *location)
{
        struct MHD_Response *response =
                        body ? json_response_new(body, "application/json") : response_new(NULL, "");

        if (response && location)
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, location);
        respond(request, status, response);
}

void http_request_answer(HttpRequest *request, unsigned status, json_t *body)
{
        http_request_answer_at(request, status, body, NULL);
}

void http_request_answer_text(HttpRequest *request, const char *type, const char *text)
{
        respond(request, MHD_HTTP_OK, response_new(type, text));
}

static json_t *problem(unsigned status, const char *name, const char *text)
{
        return json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title",
                         MHD_get_reason_phrase_for(status), "status", (int) status, "detail", text,
                         "error", name);
}

static void refuse(HttpRequest *request, unsigned status, const char *name, json_t *more,
                   const char *text)
{
        bool has_problems = request->server->setup.has_problems;
        CLEANUP(json_decref_p) json_t *members = more;
        struct MHD_Response *response;
        json_t *body;

        body = has_problems ? problem(status, name, text)
                            : json_pack("{s:s, s:s}", "error", name, "message", text);
        if (members)
                (void) json_object_update_missing(body, members);
        response = json_response_new(body, has_problems ? "application/problem+json"
                                                        : "application/json");
        if (response && status == MHD_HTTP_UNAUTHORIZED)
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                               "Bearer");
        respond(request, status, response);
}

void http_request_refuse(HttpRequest *request, unsigned status, const char *name,
                         const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        refuse(request, status, name, NULL, text ?: "Out of memory");
}

void http_request_refuse_with(HttpRequest *request, unsigned status, const char *name, json_t *more,
                              const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        refuse(request, status, name, more, text ?: "Out of memory");
}
