/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The API of a node, for tests of the hub's questions: `vcenter-peer FOLDER [PORT]` listens on 127.0.0.1, prints its port, and answers
 * POST /api/v1/vcenter/QUESTION with {"status", "body"} of FOLDER/QUESTION.json, with 503 when there is none, and not at all for the status 0. What it was
 * asked is a line of FOLDER/asked. Every token is good. Lives until SIGTERM.
 */
#include "cleanup.h"
#include "http/http-server.h"
#include "json-cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *folder;

static void note(const char *question, const char *body, size_t size)
{
        CLEANUP(json_decref_p) json_t *asked = json_loadb(body, size, 0, NULL);
        _cleanup_fclose_ FILE *file = NULL;
        char path[512];

        (void) snprintf(path, sizeof(path), "%s/asked", folder);
        file = fopen(path, "ae");
        if (!file)
                abort();
        (void) fprintf(file, "%s ", question);
        (void) json_dumpf(asked, file, JSON_COMPACT | JSON_SORT_KEYS);
        (void) fputc('\n', file);
}

static void on_question(HttpRequest *request, void *userdata)
{
        const char *question = http_request_param(request, "question");
        CLEANUP(json_decref_p) json_t *answer = NULL;
        char path[512];
        size_t size;
        const char *body = http_request_body(request, &size);

        (void) userdata;
        note(question, body, size);
        (void) snprintf(path, sizeof(path), "%s/%s.json", folder, question);
        answer = json_load_file(path, 0, NULL);
        if (!answer) {
                http_request_refuse(request, 503, "com.sendense.Error.Busy", "Not now");
                return;
        }
        if (json_integer_value(json_object_get(answer, "status")) == 0)
                return; /* the server answers it when it ends */
        http_request_answer(request,
                            (unsigned) json_integer_value(json_object_get(answer, "status")),
                            json_incref(json_object_get(answer, "body")));
}

static void on_health(HttpRequest *request, void *userdata)
{
        (void) userdata;
        http_request_answer(request, 200,
                            json_pack("{s:i, s:s, s:s}", "protocol", 1, "state", "running",
                                      "version", "peer"));
}

static bool is_allowed(const char *token, void *userdata)
{
        (void) userdata;
        return token != NULL;
}

static int listen_on(uint16_t port)
{
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 16) < 0 ||
            getsockname(fd, (struct sockaddr *) &address, &size) < 0) {
                perror("vcenter-peer");
                exit(EXIT_FAILURE);
        }
        (void) printf("%u\n", ntohs(address.sin_port));
        (void) fflush(stdout);
        return fd;
}

int main(int argc, char *argv[])
{
        static const HttpRoute routes[] = {
                { "GET", "/api/v1/health", on_health, false },
                { "POST", "/api/v1/vcenter/{question}", on_question, false },
        };
        sd_event *event = NULL;
        HttpServer *server = NULL;
        sigset_t mask;
        int r;

        if (argc < 2)
                return EXIT_FAILURE;
        folder = argv[1];
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        r = sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -1 : sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = http_server_new(
                                &(HttpServerSetup){
                                                .event = event,
                                                .listen_fd = listen_on((
                                                                uint16_t) (argc > 2 ? strtol(argv[2],
                                                                                             NULL,
                                                                                             10)
                                                                                    : 0)),
                                                .routes = routes,
                                                .n_routes = ELEMENTSOF(routes),
                                                .is_allowed = is_allowed },
                                &server);
        if (r >= 0)
                r = sd_event_loop(event);
        http_server_free(server);
        sd_event_unref(event);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
