/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP client against our own server, and against peers that no server should be.
 */
#include "unit.h"

#include "cleanup.h"
#include "clock.h"
#include "http/http-client.h"
#include "http/http-server.h"
#include "json-cleanup.h"
#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef struct Heard {
        unsigned n;
        int error;
        unsigned status;
        json_t *body;
        char why[256];
} Heard;

static HttpRequest *kept;

static void on_echo(HttpRequest *request, void *userdata)
{
        size_t size;
        const char *body = http_request_body(request, &size);

        (void) userdata;
        http_request_answer(request, 200,
                            json_pack("{s:s, s:s*, s:i}", "body", body, "q",
                                      http_request_query(request, "q"), "size", (int) size));
}

static void on_empty(HttpRequest *request, void *userdata)
{
        (void) userdata;
        http_request_answer(request, 204, NULL);
}

static void on_never(HttpRequest *request, void *userdata)
{
        (void) userdata;
        kept = request;
}

static bool is_allowed(const char *token, void *userdata)
{
        (void) userdata;
        return token && strcmp(token, "good") == 0;
}

static int listen_tcp(uint16_t *ret_port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, size), 0);
        assert_int_equal(listen(fd, 64), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &size), 0);
        *ret_port = ntohs(address.sin_port);
        return fd;
}

typedef struct World {
        sd_event *event;
        HttpServer *server;
        HttpClient *client;
        uint16_t port;
        Heard heard;
} World;

static void setup(World *world)
{
        static const HttpRoute routes[] = {
                { "POST", "/echo", on_echo, false },
                { "GET", "/echo", on_echo, false },
                { "DELETE", "/empty", on_empty, true },
                { "GET", "/never", on_never, true },
        };
        HttpServerSetup server = { .routes = routes,
                                   .n_routes = ELEMENTSOF(routes),
                                   .is_allowed = is_allowed };

        *world = (World){};
        assert_true(sd_event_new(&world->event) >= 0);
        server.event = world->event;
        server.listen_fd = listen_tcp(&world->port);
        assert_int_equal(http_server_new(&server, &world->server), 0);
        assert_int_equal(http_client_new(world->event, &world->client), 0);
}

static void done(World *world)
{
        world->client = http_client_free(world->client);
        if (kept)
                http_request_answer(TAKE(kept), 200, NULL);
        world->server = http_server_free(world->server);
        json_decref(world->heard.body);
        sd_event_unref(world->event);
}

static void wait_heard(World *world, unsigned n)
{
        uint64_t until = clock_monotonic_usec() + 20 * USEC_PER_SEC;

        while (world->heard.n < n && clock_monotonic_usec() < until)
                assert_true(sd_event_run(world->event, 100 * USEC_PER_MSEC) >= 0);
        assert_int_equal(world->heard.n, n);
}

static void on_heard(const HttpAnswer *answer, void *userdata)
{
        Heard *heard = userdata;

        heard->n++;
        heard->error = answer->error;
        heard->status = answer->status;
        json_decref(heard->body);
        heard->body = json_deep_copy(answer->body);
        (void) snprintf(heard->why, sizeof(heard->why), "%s", answer->why);
}

static HttpCall *ask(World *world, const char *method, const char *path, const char *token,
                     const json_t *body)
{
        HttpCall *call = NULL;

        assert_int_equal(http_client_ask(world->client,
                                         &(HttpAsked){ .method = method,
                                                       .port = world->port,
                                                       .path = path,
                                                       .token = token,
                                                       .body = body,
                                                       .timeout_usec = 10 * USEC_PER_SEC,
                                                       .done = on_heard,
                                                       .userdata = &world->heard },
                                         &call),
                         0);
        return call;
}

static void there_and_back(void **state)
{
        CLEANUP(json_decref_p) json_t *body = json_pack("{s:s}", "vm", "b\xc3\xbcro");
        World world;

        (void) state;
        setup(&world);
        (void) ask(&world, "POST", "/echo?q=a%20b", "good", body);
        wait_heard(&world, 1);
        assert_int_equal(world.heard.error, 0);
        assert_int_equal(world.heard.status, 200);
        assert_string_equal(world.heard.why, "");
        assert_string_equal(json_string_value(json_object_get(world.heard.body, "body")),
                            "{\"vm\":\"b\xc3\xbcro\"}");
        assert_string_equal(json_string_value(json_object_get(world.heard.body, "q")), "a b");

        (void) ask(&world, "DELETE", "/empty", NULL, NULL);
        wait_heard(&world, 2);
        assert_int_equal(world.heard.error, 0);
        assert_int_equal(world.heard.status, 204);
        assert_null(world.heard.body);
        done(&world);
}

static void refused(void **state)
{
        World world;

        (void) state;
        setup(&world);
        (void) ask(&world, "GET", "/echo", "bad", NULL);
        wait_heard(&world, 1);
        assert_int_equal(world.heard.error, 0);
        assert_int_equal(world.heard.status, 401);
        assert_non_null(json_object_get(world.heard.body, "error"));
        /* A POST without a body has a length, or a strict server would ask for one. */
        (void) ask(&world, "POST", "/echo", "good", NULL);
        wait_heard(&world, 2);
        assert_int_equal(world.heard.status, 200);
        assert_int_equal(json_integer_value(json_object_get(world.heard.body, "size")), 0);
        done(&world);
}

/* Larger than a socket's buffers, both ways. */
static void large(void **state)
{
        const size_t size = (size_t) 900 * 1024;
        CLEANUP(json_decref_p) json_t *body = NULL;
        char *text = malloc(size);
        World world;

        (void) state;
        assert_non_null(text);
        memset(text, 'x', size);
        body = json_pack("{s:s%}", "t", text, size);
        free(text);
        setup(&world);
        (void) ask(&world, "POST", "/echo", "good", body);
        wait_heard(&world, 1);
        assert_int_equal(world.heard.error, 0);
        assert_int_equal(json_string_length(json_object_get(world.heard.body, "body")), size + 8);
        done(&world);
}

static void nobody(void **state)
{
        World world;
        uint16_t port;
        int fd;

        (void) state;
        setup(&world);
        fd = listen_tcp(&port);
        (void) close(fd);
        world.port = port;
        (void) ask(&world, "GET", "/echo", NULL, NULL);
        wait_heard(&world, 1);
        assert_int_equal(world.heard.error, -ECONNREFUSED);
        assert_string_equal(world.heard.why, "Nobody listens there");
        done(&world);
}

static void too_late(void **state)
{
        World world;

        (void) state;
        setup(&world);
        assert_int_equal(http_client_ask(world.client,
                                         &(HttpAsked){ .method = "GET",
                                                       .port = world.port,
                                                       .path = "/never",
                                                       .timeout_usec = 50 * USEC_PER_MSEC,
                                                       .done = on_heard,
                                                       .userdata = &world.heard },
                                         NULL),
                         0);
        wait_heard(&world, 1);
        assert_int_equal(world.heard.error, -ETIMEDOUT);
        assert_string_not_equal(world.heard.why, "");
        done(&world);
}

typedef struct Wrong {
        const char *text; /* NULL: closes before it was asked */
        int fd, peer;
        sd_event *event;
        sd_event_source *asked;
} Wrong;

/* Reads the question, answers with text and closes. */
static int on_asked(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        const Wrong *wrong = userdata;
        char question[4096];

        (void) source, (void) events;
        assert_true(recv(fd, question, sizeof(question), 0) > 0);
        assert_true(send(fd, wrong->text, strlen(wrong->text), MSG_NOSIGNAL) > 0);
        (void) shutdown(fd, SHUT_WR);
        (void) sd_event_source_set_enabled(wrong->asked, SD_EVENT_OFF);
        return 0;
}

static int on_wrong(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Wrong *wrong = userdata;

        (void) source, (void) events;
        wrong->peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(wrong->peer >= 0);
        if (!wrong->text)
                cleanup_close_p(&wrong->peer);
        else
                assert_true(sd_event_add_io(wrong->event, &wrong->asked, wrong->peer, EPOLLIN,
                                            on_asked, wrong) >= 0);
        return 0;
}

static void ask_wrong(Wrong wrong, Heard *ret_heard)
{
        sd_event_source *source = NULL;
        World world;

        setup(&world);
        wrong.fd = listen_tcp(&world.port);
        wrong.peer = -1;
        wrong.event = world.event;
        assert_true(sd_event_add_io(world.event, &source, wrong.fd, EPOLLIN, on_wrong, &wrong) >=
                    0);
        (void) ask(&world, "GET", "/", NULL, NULL);
        wait_heard(&world, 1);
        *ret_heard = world.heard;
        ret_heard->body = NULL;
        sd_event_source_disable_unref(source);
        sd_event_source_disable_unref(wrong.asked);
        (void) close(wrong.fd);
        cleanup_close_p(&wrong.peer);
        done(&world);
}

static void wrong_peers(void **state)
{
        Heard heard;

        (void) state;
        ask_wrong((Wrong){ .text = NULL }, &heard);
        assert_int_equal(heard.error, -ECONNRESET);
        ask_wrong((Wrong){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}" }, &heard);
        assert_int_equal(heard.error, -ECONNRESET);
        ask_wrong(
                        (Wrong){
                                        .text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                        },
                        &heard);
        assert_int_equal(heard.error, -EBADMSG);
        ask_wrong((Wrong){ .text = "SSH-2.0-OpenSSH_9.2\r\n" }, &heard);
        assert_true(heard.error < 0);
        assert_int_equal(heard.status, 0);
        /* A redirect is an answer, and nothing is followed. */
        ask_wrong(
                        (Wrong){
                                        .text = "HTTP/1.1 302 Found\r\nLocation: "
                                                "http://127.0.0.1:1/\r\n"
                                                "Content-Length: 0\r\n\r\n",
                        },
                        &heard);
        assert_int_equal(heard.error, 0);
        assert_int_equal(heard.status, 302);
}

/* 401, or whatever it answers, counts once; a cancelled call and a freed client never. */
static void cancelled(void **state)
{
        HttpCall *call;
        World world;

        (void) state;
        setup(&world);
        call = ask(&world, "GET", "/never", NULL, NULL);
        for (int i = 0; i < 20 && !kept; i++)
                (void) sd_event_run(world.event, 100 * USEC_PER_MSEC);
        assert_non_null(kept);
        assert_null(http_call_cancel(call));
        (void) ask(&world, "DELETE", "/empty", NULL, NULL);
        wait_heard(&world, 1);
        assert_int_equal(world.heard.status, 204);
        (void) ask(&world, "DELETE", "/empty", NULL, NULL);
        world.client = http_client_free(world.client);
        (void) sd_event_run(world.event, 10 * USEC_PER_MSEC);
        assert_int_equal(world.heard.n, 1);
        done(&world);
}

static void too_many(void **state)
{
        World world;

        (void) state;
        setup(&world);
        for (int i = 0; i < HTTP_CLIENT_CALLS_MAX; i++)
                (void) ask(&world, "DELETE", "/empty", NULL, NULL);
        assert_int_equal(http_client_ask(world.client,
                                         &(HttpAsked){ .method = "GET",
                                                       .port = world.port,
                                                       .path = "/",
                                                       .done = on_heard },
                                         NULL),
                         -EBUSY);
        wait_heard(&world, HTTP_CLIENT_CALLS_MAX);
        /* And then there is room again. */
        (void) ask(&world, "DELETE", "/empty", NULL, NULL);
        wait_heard(&world, HTTP_CLIENT_CALLS_MAX + 1);
        done(&world);
}

static void no_descriptor_is_kept(void **state)
{
        unsigned before;
        World world;

        (void) state;
        setup(&world);
        (void) ask(&world, "DELETE", "/empty", NULL, NULL);
        wait_heard(&world, 1);
        (void) sd_event_run(world.event, 10 * USEC_PER_MSEC);
        before = unit_count_descriptors();
        for (unsigned i = 2; i < 50; i++) {
                (void) ask(&world, "DELETE", "/empty", NULL, NULL);
                wait_heard(&world, i);
        }
        (void) sd_event_run(world.event, 10 * USEC_PER_MSEC);
        assert_in_range(unit_count_descriptors(), before - 1, before + 1);
        done(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back),
                cmocka_unit_test(refused),
                cmocka_unit_test(large),
                cmocka_unit_test(nobody),
                cmocka_unit_test(too_late),
                cmocka_unit_test(wrong_peers),
                cmocka_unit_test(cancelled),
                cmocka_unit_test(too_many),
                cmocka_unit_test(no_descriptor_is_kept),
        };

        return RUN_TESTS(tests);
}
