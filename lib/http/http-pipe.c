/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes out of a socket as the body of an answer (see http-server.h): read when the peer takes it, so that nothing of it is kept
 * here, and whoever writes into the socket waits for a peer that is slow. Nobody but the owner knows whether the end of the socket was
 * the end of the matter; if it was not, the connection is cut, which a client sees.
 */
#include "http/http-private.h"

#include <errno.h>
#include <unistd.h>

enum {
        PIPES_MAX = 8,
        PIPE_BLOCK_BYTES = 64 * 1024,
};

struct HttpPipe {
        HttpServer *server;
        HttpRequest *request; /* NULL when the peer has gone */
        int fd;
        sd_event_source *io;
        void (*on_end)(void *userdata);
        void (*on_gone)(void *userdata);
        void *userdata;
        bool is_suspended, has_ended, is_over, is_whole;
};

static void pipe_wake(HttpPipe *pipe)
{
        if (!pipe->is_suspended || !pipe->request)
                return;
        pipe->is_suspended = false;
        MHD_resume_connection(pipe->request->connection);
        http_server_wake(pipe->server);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        (void) fd, (void) events;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        pipe_wake(userdata);
        return 0;
}

static ssize_t pipe_wait(HttpPipe *pipe)
{
        if (!pipe->has_ended && sd_event_source_set_enabled(pipe->io, SD_EVENT_ONESHOT) < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        pipe->is_suspended = true;
        MHD_suspend_connection(pipe->request->connection);
        return 0;
}

static ssize_t on_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
        HttpPipe *pipe = userdata;
        ssize_t n;

        (void) position;
        if (!pipe->has_ended && !pipe->is_over) {
                do
                        n = read(pipe->fd, buffer, max);
                while (n < 0 && errno == EINTR);
                if (n > 0)
                        return n;
                if (n < 0 && errno != EAGAIN)
                        return MHD_CONTENT_READER_END_WITH_ERROR;
                pipe->has_ended = n == 0;
                if (pipe->has_ended && pipe->on_end)
                        pipe->on_end(pipe->userdata);
        }
        if (!pipe->is_over)
                return pipe_wait(pipe);
        return pipe->is_whole ? MHD_CONTENT_READER_END_OF_STREAM
                              : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_free(void *userdata)
{
        HttpPipe *pipe = userdata;

        pipe->server->n_pipes--;
        sd_event_source_disable_unref(pipe->io);
        if (pipe->fd >= 0)
                (void) close(pipe->fd);
        free(pipe);
}

/* Takes the descriptor, also when there is no pipe. */
static HttpPipe *pipe_new(HttpRequest *request, const HttpPipeSetup *setup)
{
        HttpServer *server = request->server;
        HttpPipe *pipe = server->n_pipes < PIPES_MAX ? calloc(1, sizeof(*pipe)) : NULL;

        if (!pipe) {
                (void) close(setup->fd);
                return NULL;
        }
        server->n_pipes++;
        *pipe = (HttpPipe){
                .server = server,
                .request = request,
                .fd = setup->fd,
                .on_end = setup->on_end,
                .on_gone = setup->on_gone,
                .userdata = setup->userdata,
        };
        if (sd_event_add_io(server->setup.event, &pipe->io, setup->fd, EPOLLIN, on_io, pipe) >= 0 &&
            sd_event_source_set_enabled(pipe->io, SD_EVENT_OFF) >= 0)
                return pipe;
        on_free(pipe);
        return NULL;
}

HttpPipe *http_request_pipe(HttpRequest *request, const HttpPipeSetup *setup)
{
        struct MHD_Response *response = NULL;
        HttpPipe *pipe = pipe_new(request, setup);

        if (pipe) {
                response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIPE_BLOCK_BYTES,
                                                             on_read, pipe, on_free);
                if (!response)
                        on_free(pipe);
        }
        if (!response) {
                http_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "com.sendense.Error.Busy",
                                    "Too many files are being fetched; try again.");
                return NULL;
        }
        request->pipe = pipe;
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, setup->type);
        if (setup->location)
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, setup->location);
        http_request_respond(request, MHD_HTTP_OK, response);
        return pipe;
}

void http_pipe_end(HttpPipe *pipe, bool is_whole)
{
        pipe->on_end = pipe->on_gone = NULL;
        pipe->is_over = true;
        pipe->is_whole = is_whole;
        pipe_wake(pipe);
}

void http_pipe_gone(HttpPipe *pipe)
{
        if (!pipe)
                return;
        pipe->request = NULL;
        pipe->io = sd_event_source_disable_unref(pipe->io);
        pipe->on_end = NULL;
        if (pipe->on_gone)
                pipe->on_gone(pipe->userdata);
        pipe->on_gone = NULL;
}

void http_pipe_close(HttpPipe *pipe)
{
        if (!pipe)
                return;
        pipe->on_end = NULL;
        pipe->is_over = true;
        pipe->is_whole = false;
        pipe_wake(pipe);
}
