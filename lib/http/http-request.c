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

        if (size > HTTP_BODY_MAX - request->body_size)
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

void http_request_answer(HttpRequest *request, unsigned status, json_t *body)
{
        CLEANUP(json_decref_p) json_t *owned = body;
        _cleanup_free_ char *text = NULL, *line = NULL;
        struct MHD_Response *response;

        if (owned) {
                text = json_dumps(owned, JSON_COMPACT);
                line = text ? text_format("%s\n", text) : NULL;
                if (!line) {
                        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
                        line = strdup("");
                }
        } else
                line = strdup("");
        response = line ? MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY)
                        : NULL;
        if (!response) {
                /* Without memory for an answer there is the one that was made at the start. */
                http_request_respond(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
                                     request->server->empty);
                return;
        }
        if (owned)
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                               "application/json");
        http_request_respond(request, status, response);
}

void http_request_refuse(HttpRequest *request, unsigned status, const char *name,
                         const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        http_request_answer(
                        request, status,
                        json_pack("{s:s, s:s}", "error", name, "message", text ?: "Out of memory"));
}
