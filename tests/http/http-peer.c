/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program with routes of its own around lib/http, for the tests here: http-peer SOCKET [IDLE-MSEC] serves on a
 * unix socket, and ends by SIGTERM, or with status 7 when it was idle.
 */
#include "cleanup.h"
#include "http/http-server.h"
#include "parse.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
        LARGE_SIZE = 4 * 1024 * 1024,
};

static struct Peer {
        sd_event *event;
        HttpStream *stream;
        unsigned n_gone, n_events, n_never;
        sd_event_source *writer; /* of the newest pipe, as the next two */
        uint64_t n_to_write, n_written;
        unsigned n_pipes, n_pipes_gone;
} peer;

static void on_echo(HttpRequest *request, void *userdata)
{
        size_t size;
        const char *body = http_request_body(request, &size);

        (void) userdata;
        http_request_answer(request, 200,
                            json_pack("{s:s*, s:s*, s:s%, s:i}", "name",
                                      http_request_param(request, "name"), "q",
                                      http_request_query(request, "q"), "body", body,
                                      size < 64 ? size : 64, "size", (int) size));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) usec;
        sd_event_source_unref(source);
        http_request_answer(userdata, 202, json_pack("{s:b}", "later", 1));
        return 0;
}

static void on_later(HttpRequest *request, void *userdata)
{
        sd_event_source *timer = NULL;

        (void) userdata;
        if (sd_event_add_time_relative(peer.event, &timer, CLOCK_MONOTONIC, 20000, 0, on_timer,
                                       request) < 0)
                abort();
}

/* Never answered: what the server's end does with it is the test. */
static void on_never(HttpRequest *request, void *userdata)
{
        (void) request;
        (void) userdata;
        peer.n_never++;
}

static void on_empty(HttpRequest *request, void *userdata)
{
        (void) userdata;
        http_request_answer(request, 204, NULL);
}

/* More than the socket of one who does not read takes. */
static void on_large(HttpRequest *request, void *userdata)
{
        char *text = malloc(LARGE_SIZE + 1);

        (void) userdata;
        if (!text)
                abort();
        memset(text, 'a', LARGE_SIZE);
        text[LARGE_SIZE] = '\0';
        http_request_answer_text(request, "text/plain", text);
        free(text);
}

static void on_gone(void *userdata)
{
        (void) userdata;
        peer.stream = NULL;
        peer.n_gone++;
}

static void on_stream(HttpRequest *request, void *userdata)
{
        (void) userdata;
        peer.stream = http_request_stream(request, on_gone, NULL);
}

static void on_event(HttpRequest *request, void *userdata)
{
        const char *repeat = http_request_query(request, "n");
        uint64_t n = 1;
        int r = 0, again = 0;
        json_t *more;

        (void) userdata;
        if (repeat)
                (void) parse_uint64(repeat, 1, UINT32_MAX, &n);
        for (; n > 0 && peer.stream && r == 0; n--) {
                json_t *data = json_pack("{s:i}", "n", (int) ++peer.n_events);

                r = http_stream_send(peer.stream, peer.n_events, "state", data);
                json_decref(data);
        }
        more = json_object();
        if (r < 0)
                again = http_stream_send(peer.stream, peer.n_events, "state", more);
        json_decref(more);
        http_request_answer(request, 200,
                            json_pack("{s:i, s:i, s:i, s:i, s:i}", "r", r, "again", again, "gone",
                                      (int) peer.n_gone, "never", (int) peer.n_never, "sent",
                                      (int) peer.n_events));
}

static void on_end(HttpRequest *request, void *userdata)
{
        (void) userdata;
        if (peer.stream)
                http_stream_end(peer.stream);
        peer.stream = NULL;
        http_request_answer(request, 200, NULL);
}

/* ── A pipe ── bytes that count themselves, as fast as somebody takes them. */

static int on_room(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        unsigned char block[4096];
        uint64_t n_left = peer.n_to_write - peer.n_written;
        size_t size = n_left < sizeof(block) ? (size_t) n_left : sizeof(block);
        ssize_t n;

        (void) events, (void) userdata;
        for (size_t i = 0; i < size; i++)
                block[i] = (unsigned char) ((peer.n_written + i) % 251);
        n = size > 0 ? send(fd, block, size, MSG_NOSIGNAL) : 0;
        if (n > 0)
                peer.n_written += (uint64_t) n;
        else if (n == 0 || errno != EAGAIN) {
                peer.writer = sd_event_source_unref(source);
                (void) close(fd);
        }
        return 0;
}

typedef struct Piped {
        HttpPipe *pipe;
        bool is_whole;
} Piped;

static void on_pipe_end(void *userdata)
{
        Piped *piped = userdata;

        http_pipe_end(piped->pipe, piped->is_whole);
        free(piped);
}

static void on_pipe_gone(void *userdata)
{
        free(userdata);
        peer.n_pipes_gone++;
}

static void on_pipe(HttpRequest *request, void *userdata)
{
        Piped *piped = calloc(1, sizeof(*piped));
        const char *n = http_request_query(request, "n");
        int fds[2];

        (void) userdata;
        peer.n_written = peer.n_to_write = 0;
        if (n)
                (void) parse_uint64(n, 0, INT64_MAX, &peer.n_to_write);
        if (!piped || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
            sd_event_add_io(peer.event, &peer.writer, fds[1], EPOLLOUT, on_room, NULL) < 0)
                abort();
        piped->is_whole = http_request_query(request, "broken") == NULL;
        piped->pipe = http_request_pipe(request, &(HttpPipeSetup){ .type = "application/x-bytes",
                                                                   .location = "/there",
                                                                   .fd = fds[0],
                                                                   .on_end = on_pipe_end,
                                                                   .on_gone = on_pipe_gone,
                                                                   .userdata = piped });
        if (piped->pipe)
                peer.n_pipes++;
        else
                free(piped);
}

static void on_piped(HttpRequest *request, void *userdata)
{
        (void) userdata;
        http_request_answer(request, 200,
                            json_pack("{s:I, s:i, s:i, s:b}", "written",
                                      (json_int_t) peer.n_written, "begun", (int) peer.n_pipes,
                                      "gone", (int) peer.n_pipes_gone, "writing",
                                      peer.writer != NULL));
}

static bool is_allowed(const char *token, void *userdata)
{
        (void) userdata;
        return token && strcmp(token, "good") == 0;
}

static void on_idle(void *userdata)
{
        (void) userdata;
        (void) sd_event_exit(peer.event, 7);
}

static const HttpRoute routes[] = {
        { "GET", "/open", on_empty, true },         { "GET", "/echo/{name}", on_echo, false },
        { "POST", "/echo/{name}", on_echo, false }, { "GET", "/later", on_later, false },
        { "GET", "/never", on_never, false },       { "GET", "/stream", on_stream, false },
        { "POST", "/event", on_event, false },      { "POST", "/end", on_end, false },
        { "GET", "/pipe", on_pipe, false },         { "GET", "/piped", on_piped, false },
        { "GET", "/large", on_large, true },        { "GET", "/large/{name}", on_large, false },
};

static int listen_on(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return -1;
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 64) < 0)
                return -1;
        return fd;
}

int main(int argc, char *argv[])
{
        HttpServer *server = NULL;
        HttpServerSetup setup = {
                .routes = routes,
                .n_routes = ELEMENTSOF(routes),
                .is_allowed = is_allowed,
                .on_idle = on_idle,
        };
        sigset_t signals;
        int status;

        if (argc < 2 || sd_event_default(&peer.event) < 0)
                return 2;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ||
            sd_event_add_signal(peer.event, NULL, SIGTERM, NULL, NULL) < 0)
                return 2;
        setup.event = peer.event;
        setup.listen_fd = listen_on(argv[1]);
        setup.idle_usec = argc > 2 ? strtoull(argv[2], NULL, 10) * 1000 : 0;
        if (setup.listen_fd < 0 || http_server_new(&setup, &server) < 0)
                return 2;
        status = sd_event_loop(peer.event);
        http_server_free(server);
        sd_event_unref(peer.event);
        return status;
}
