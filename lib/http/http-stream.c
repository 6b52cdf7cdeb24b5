/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Server-sent events (see http-server.h): a queue of text that libmicrohttpd reads when the peer takes it; an empty
 * queue suspends the connection.
 */
#include "http/http-private.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        STREAMS_MAX = 16,
        STREAM_QUEUE_MAX = 256 * 1024, /* bytes that a peer may be behind */
        STREAM_BLOCK_BYTES = 4096,
        HEARTBEAT_SEC = 15,
};

struct HttpStream {
        HttpServer *server;
        HttpRequest *request; /* NULL when the peer has gone */
        char *queue; /* what is still to be sent, n_queue bytes from n_read on */
        size_t n_queue, n_read, n_room;
        sd_event_source *heartbeat;
        void (*on_gone)(void *userdata);
        void *userdata;
        bool is_suspended, is_ended;
};

static void stream_wake(HttpStream *stream)
{
        if (!stream->is_suspended || !stream->request)
                return;
        stream->is_suspended = false;
        MHD_resume_connection(stream->request->connection);
        http_server_wake(stream->server);
}

static int stream_append(HttpStream *stream, const char *text)
{
        size_t n_left = stream->n_queue - stream->n_read, size = strlen(text);
        char *queue;

        /* Behind an event that was cut in two nothing can follow. */
        if (stream->is_ended || n_left + size > STREAM_QUEUE_MAX)
                return -ENOBUFS;
        if (stream->n_queue + size > stream->n_room) {
                size_t room = (n_left + size) * 2;

                queue = malloc(room);
                if (!queue)
                        return -ENOMEM;
                if (n_left > 0)
                        memcpy(queue, stream->queue + stream->n_read, n_left);
                free(stream->queue);
                stream->queue = queue;
                stream->n_room = room;
                stream->n_queue = n_left;
                stream->n_read = 0;
        }
        memcpy(stream->queue + stream->n_queue, text, size);
        stream->n_queue += size;
        stream_wake(stream);
        return 0;
}

static ssize_t on_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
        HttpStream *stream = userdata;
        size_t n = stream->n_queue - stream->n_read;

        (void) position;
        if (n > 0) {
                n = n < max ? n : max;
                memcpy(buffer, stream->queue + stream->n_read, n);
                stream->n_read += n;
                return (ssize_t) n;
        }
        if (stream->is_ended)
                return MHD_CONTENT_READER_END_OF_STREAM;
        stream->is_suspended = true;
        MHD_suspend_connection(stream->request->connection);
        return 0;
}

static void on_free(void *userdata)
{
        HttpStream *stream = userdata;

        stream->server->n_streams--;
        free(stream->queue);
        free(stream);
}

static int on_heartbeat(sd_event_source *source, uint64_t usec, void *userdata)
{
        HttpStream *stream = userdata;

        (void) usec;
        (void) stream_append(stream, ":\n\n"); /* a full queue is the timeout's business */
        if (sd_event_source_set_time_relative(source, HEARTBEAT_SEC * UINT64_C(1000000)) >= 0)
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static HttpStream *stream_new(HttpRequest *request)
{
        HttpServer *server = request->server;
        HttpStream *stream = server->n_streams < STREAMS_MAX ? calloc(1, sizeof(*stream)) : NULL;

        if (!stream)
                return NULL;
        stream->server = server;
        stream->request = request;
        if (sd_event_add_time_relative(server->setup.event, &stream->heartbeat, CLOCK_MONOTONIC,
                                       HEARTBEAT_SEC * UINT64_C(1000000), 0, on_heartbeat,
                                       stream) < 0) {
                free(stream);
                return NULL;
        }
        server->n_streams++;
        return stream;
}

HttpStream *http_request_stream(HttpRequest *request, void (*on_gone)(void *userdata),
                                void *userdata)
{
        struct MHD_Response *response = NULL;
        HttpStream *stream = stream_new(request);

        if (stream) {
                response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                             on_read, stream, on_free);
                if (!response) {
                        http_stream_gone(stream);
                        on_free(stream);
                }
        }
        if (!response) {
                http_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "com.sendense.Error.Busy", "Too many streams are open.");
                return NULL;
        }
        stream->on_gone = on_gone;
        stream->userdata = userdata;
        request->stream = stream;
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
        http_request_respond(request, MHD_HTTP_OK, response);
        return stream;
}

int http_stream_send(HttpStream *stream, uint64_t id, const char *event, const json_t *data)
{
        _cleanup_free_ char *text = NULL, *block = NULL;
        int r;

        text = json_dumps(data, JSON_COMPACT);
        block = text ? text_format("id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", id, event, text)
                     : NULL;
        if (!block)
                return -ENOMEM;
        r = stream_append(stream, block);
        if (r == -ENOBUFS) {
                stream->is_ended = true;
                stream->n_read = stream->n_queue;
                stream_wake(stream);
        }
        return r;
}

void http_stream_end(HttpStream *stream)
{
        stream->on_gone = NULL;
        stream->is_ended = true;
        stream_wake(stream);
}

void http_stream_gone(HttpStream *stream)
{
        if (!stream)
                return;
        stream->request = NULL;
        stream->heartbeat = sd_event_source_disable_unref(stream->heartbeat);
        if (stream->on_gone)
                stream->on_gone(stream->userdata);
        stream->on_gone = NULL;
}

void http_stream_close(HttpStream *stream)
{
        if (!stream)
                return;
        stream->is_ended = true;
        stream_wake(stream);
}
