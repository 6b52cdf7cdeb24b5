/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-hub-api: the hub's HTTP API on the sockets that systemd gives it. Started by a connection
 * (units/sendense-hub-api.socket), ends by itself when nobody asks. It turns requests into calls of com.sendense.Hub1 in the name
 * of who asks, and answers into JSON; it may do nothing in its own.
 */
#include "api.h"
#include "hub-task.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "core-dump.h"
#include "http/http-server.h"
#include "json-wipe.h"
#include "listen.h"
#include "log.h"
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

enum {
        IDLE_SEC = 60,
        SOCKETS_MAX = 4,
        /* Who asks is known when the body is there, so this times the connections of all sockets must not be too much: half of what
         * the unit may have. The longest request that makes sense is shorter by half. */
        BODY_MAX = 256 * 1024,
};

static const Program program = {
        .name = "sendense-hub-api",
        .help = "sendense-hub-api [OPTIONS...]\n\n"
                "Serves the hub's HTTP API on the sockets that systemd passes.\n\n"
                "  -h --help         Show this help\n"
                "     --version      Show version, git commit and build id\n\n"
                "See sendense-hub-api(8).\n",
};

typedef struct Server {
        Api api; /* first: handlers get it as their userdata */
        HttpServer *http[SOCKETS_MAX]; /* one for each socket */
        Secret *certificate, *key; /* for those that speak TLS; NULL: none does */
        sd_event *event;
} Server;

/* Whether a token is good says the hub, later. */
static bool is_allowed(const char *token, void *userdata)
{
        (void) token, (void) userdata;
        return true;
}

static void on_idle(void *userdata)
{
        Server *server = userdata;

        for (size_t i = 0; i < SOCKETS_MAX; i++)
                if (server->http[i] && http_server_is_busy(server->http[i]))
                        return;
        (void) sd_event_exit(server->event, EXIT_SUCCESS);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
        Server *server = userdata;

        (void) message;
        (void) ret_error;
        log_error(-ENOTCONN, "The bus has closed the connection, ending");
        (void) sd_event_exit(server->event, EXIT_FAILURE);
        return 0;
}

static int connect_bus(Server *server)
{
        int r;

        r = sd_bus_open_system(&server->api.bus);
        if (r >= 0)
                r = sd_bus_attach_event(server->api.bus, server->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal_async(server->api.bus, NULL, NULL, NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected",
                                              on_disconnected, NULL, server);
        if (r < 0)
                return log_error(r, "Cannot connect to the system bus: %m");
        return 0;
}

static int serve_socket(Server *server, int fd, bool is_tls, HttpServer **ret_http)
{
        int r;

        if (!is_tls && listen_is_beyond(fd))
                return log_error(-EPERM,
                                 "A socket without TLS listens beyond this machine, not serving. "
                                 "[Api] Listen=, Certificate= and Key= of hub.conf make one with "
                                 "TLS");
        if (is_tls && !server->key) {
                r = listen_read_tls(&server->certificate, &server->key);
                if (r < 0)
                        return log_error(r,
                                         "The certificate and its key cannot be read, not serving: "
                                         "%m; see [Api] of hub.conf");
        }
        r = http_server_new(
                        &(HttpServerSetup){ .event = server->event,
                                            .listen_fd = fd,
                                            .routes = api_routes,
                                            .n_routes = api_n_routes,
                                            .is_allowed = is_allowed,
                                            .on_idle = on_idle,
                                            .idle_usec = IDLE_SEC * UINT64_C(1000000),
                                            .body_max = BODY_MAX,
                                            .has_problems = true,
                                            .certificate = is_tls ? secret_data(server->certificate)
                                                                  : NULL,
                                            .key = is_tls ? secret_data(server->key) : NULL,
                                            .userdata = server },
                        ret_http);
        if (r == -EBADMSG)
                return log_error(r, "[Api] Certificate= and Key= are no certificate and its key, "
                                    "not serving");
        return r < 0 ? log_error(r, "Cannot serve: %m") : 0;
}

static int listen_all(Server *server)
{
        char **names = NULL;
        int n, r = 0;

        n = sd_listen_fds_with_names(true, &names);
        if (n < 1 || n > SOCKETS_MAX)
                r = log_error(n < 0 ? n : -EINVAL,
                              "Expected 1 to %d sockets from systemd; start "
                              "sendense-hub-api.socket",
                              SOCKETS_MAX);
        for (int i = 0; r >= 0 && i < n; i++)
                r = serve_socket(server, SD_LISTEN_FDS_START + i,
                                 strcmp(names[i], LISTEN_TLS_NAME) == 0, &server->http[i]);
        for (int i = 0; names && i < n; i++)
                free(names[i]);
        free(names);
        return r;
}

static int serve(Server *server)
{
        int r;

        r = listen_all(server);
        if (r >= 0) {
                (void) sd_notify(false, "READY=1");
                r = sd_event_loop(server->event);
                (void) sd_notify(false, "STOPPING=1");
        }
        /* Calls of the bus end first: an answer that came now would have no request. */
        hub_tasks_forget(&server->api);
        server->api.bus = sd_bus_flush_close_unref(server->api.bus);
        for (size_t i = 0; i < SOCKETS_MAX; i++)
                http_server_free(server->http[i]);
        secret_free(server->certificate);
        secret_free(server->key);
        return r;
}

static int run(void)
{
        Server server = { .api.started_usec = clock_realtime_usec() };
        int r;

        r = sd_event_default(&server.event);
        if (r >= 0)
                r = sd_event_set_signal_exit(server.event, true);
        if (r >= 0)
                (void) sd_event_set_watchdog(server.event, true);
        if (r < 0)
                log_error(r, "Cannot make an event loop: %m");
        else
                r = connect_bus(&server);
        if (r >= 0)
                r = serve(&server);
        sd_bus_unref(server.api.bus);
        sd_event_unref(server.event);
        return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char *argv[])
{
        const char *config = NULL;
        int r;

        json_wipe_freed();
        core_dump_never(); /* tokens pass through the HTTP server's memory */
        r = program_parse(&program, argc, argv, &config);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        log_open(program.name);
        (void) bus_error_register();
        return run();
}
