/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-node-api: the node's HTTP API on the sockets that systemd gives it. Started by a connection
 * (units/sendense-node-api.socket), ends by itself when nobody asks. It turns requests into calls of
 * com.sendense.Node1 and answers into JSON.
 */
#include "api.h"
#include "tokens.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "core-dump.h"
#include "http/http-server.h"
#include "json-wipe.h"
#include "log.h"
#include "program.h"
#include "secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

enum {
        IDLE_SEC = 60,
        TOKENS_FILE_MAX = 16 * 1024,
};

#define TOKENS_CREDENTIAL "tokens"

static bool arg_hash_token;

static const ProgramSwitch switches[] = { { "hash-token", &arg_hash_token }, {} };

static const Program program = {
        .name = "sendense-node-api",
        .help = "sendense-node-api [OPTIONS...]\n\n"
                "Serves the node's HTTP API on the sockets that systemd passes.\n\n"
                "  -h --help         Show this help\n"
                "     --version      Show version, git commit and build id\n"
                "     --hash-token   Read a token from standard input and print its digest, for\n"
                "                    a line 'NAME DIGEST' of /etc/sendense/node-api.tokens\n\n"
                "See sendense-node-api(8).\n",
        .switches = switches,
};

typedef struct Server {
        Api api; /* first: handlers get it as their userdata */
        Tokens *tokens;
        sd_event *event;
} Server;

static int hash_token(void)
{
        char token[HTTP_TOKEN_MAX + 2], hex[65];

        if (!fgets(token, sizeof(token), stdin))
                token[0] = '\0';
        token[strcspn(token, "\n")] = '\0';
        if (strlen(token) < TOKEN_MIN || strlen(token) > HTTP_TOKEN_MAX) {
                fprintf(stderr,
                        "sendense-node-api: a token has %d to %d characters; make one with: "
                        "openssl rand -hex 32\n",
                        TOKEN_MIN, HTTP_TOKEN_MAX);
                return EX_DATAERR;
        }
        token_digest(token, hex);
        explicit_bzero(token, sizeof(token));
        printf("%s\n", hex);
        return EXIT_SUCCESS;
}

/* No file at all means that nobody may ask. */
static int tokens_load(Tokens **ret_tokens)
{
        CLEANUP(secret_free_p) Secret *file = NULL;
        unsigned line = 0;
        int r;

        r = secret_read_credential(TOKENS_CREDENTIAL, TOKENS_FILE_MAX, &file);
        if (r == -ENOENT || r == -ENXIO || r == -ENODATA) {
                log_notice("There is no token in /etc/sendense/node-api.tokens, so every request "
                           "is refused. "
                           "sendense-node-api(8) says how to make one");
                return tokens_parse("", 0, ret_tokens, &line);
        }
        if (r < 0)
                return log_error(r, "Cannot read the tokens: %m");
        r = tokens_parse(secret_data(file), secret_size(file), ret_tokens, &line);
        if (r == -EBADMSG)
                return log_error(r,
                                 "/etc/sendense/node-api.tokens, line %u: must be 'NAME DIGEST', "
                                 "see "
                                 "sendense-node-api --hash-token",
                                 line);
        if (r == -E2BIG)
                return log_error(r, "/etc/sendense/node-api.tokens has more than %d tokens",
                                 TOKENS_MAX);
        if (r < 0)
                return log_error(r, "Cannot read the tokens: %m");
        return 0;
}

static bool is_allowed(const char *token, void *userdata)
{
        const Server *server = userdata;

        return token && strlen(token) >= TOKEN_MIN && tokens_find(server->tokens, token);
}

static void on_idle(void *userdata)
{
        Server *server = userdata;

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

static int serve(Server *server)
{
        HttpServer *http = NULL;
        int r;

        r = sd_listen_fds(true);
        if (r != 1)
                return log_error(
                                r < 0 ? r : -EINVAL,
                                "Expected one socket from systemd; start sendense-node-api.socket");
        r = http_server_new(&(HttpServerSetup){ .event = server->event,
                                                .listen_fd = SD_LISTEN_FDS_START,
                                                .routes = api_routes,
                                                .n_routes = api_n_routes,
                                                .is_allowed = is_allowed,
                                                .on_idle = on_idle,
                                                .idle_usec = IDLE_SEC * UINT64_C(1000000),
                                                .userdata = server },
                            &http);
        if (r < 0)
                return log_error(r, "Cannot serve: %m");
        (void) sd_notify(false, "READY=1");
        r = sd_event_loop(server->event);
        (void) sd_notify(false, "STOPPING=1");
        api_events_forget(&server->api);
        /* Calls of the bus end first: an answer that came now would have no request. */
        server->api.bus = sd_bus_flush_close_unref(server->api.bus);
        http_server_free(http);
        return r;
}

static int run(void)
{
        Server server = {};
        int r;

        r = tokens_load(&server.tokens);
        if (r < 0)
                return EX_CONFIG;
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
        tokens_free(server.tokens);
        return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char *argv[])
{
        const char *config = NULL;
        int r;

        json_wipe_freed();
        core_dump_never(); /* bodies with passwords pass through the HTTP server's memory */
        r = program_parse(&program, argc, argv, &config);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        if (arg_hash_token)
                return hash_token();
        log_open(program.name);
        (void) bus_error_register();
        return run();
}
