/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Speaks for others at the hub as its HTTP API does, all on one connection to the bus: reads commands from standard input and prints
 * one line for each. tests/bus/sessions.sh runs it.
 *
 *     token TEXT              Authenticate with a token: the session, or the error's name
 *     peer PATH               the same for whoever connects to a socket made there; prints "listening" first
 *     connected PATH          the same for a socket that was connected to the one there
 *     file PATH               the same with a file that is neither
 *     call METHOD SESSION     METHOD with the option session, "-" for none: "ok", or the error's name and text
 *     start VM SESSION        StartBackup
 *     cancel JOB SESSION      CancelJob
 *     level SESSION           SetLogLevel info
 *     unchecked SESSION       EnrolNode, for which there is no right
 */
#include "cleanup.h"
#include "names.h"
#include "parse.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

static void authenticate(sd_bus *bus, int fd)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *session = NULL;
        int r;

        r = sd_bus_call_method(bus, HUB_BUS_NAME, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                               "Authenticate", &error, &reply, "ha{sv}", fd, 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &session);
        if (r < 0)
                printf("%s %s\n", error.name ?: strerror(-r), error.message ?: "");
        else
                printf("%s\n", session);
}

static void token(sd_bus *bus, const char *text)
{
        _cleanup_close_ int fd = -1;

        if (secret_make_memfd(text, strlen(text), &fd) >= 0)
                authenticate(bus, fd);
}

static void peer(sd_bus *bus, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        static int accepted = -1; /* until the next */

        if (accepted >= 0)
                close(accepted);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (bind(listening, (struct sockaddr *) &address, sizeof(address)) < 0 ||
            chmod(path, 0777) < 0 || listen(listening, 1) < 0)
                abort();
        printf("listening\n");
        accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        authenticate(bus, accepted);
}

/* A socket that we connected ourselves: at its other end is whoever listens. */
static void connected(sd_bus *bus, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                abort();
        authenticate(bus, fd);
}

static void file(sd_bus *bus, const char *path)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        authenticate(bus, fd);
}

/* Sends call, behind whose arguments the option comes. */
static void finish(sd_bus *bus, sd_bus_message *call, const char *session)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *owned = call, *reply = NULL;
        int r;

        if (strcmp(session, "-") != 0)
                r = sd_bus_message_append(owned, "a{sv}", 1, "session", "s", session);
        else
                r = sd_bus_message_append(owned, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, owned, 0, &error, &reply);
        if (r < 0)
                printf("%s %s\n", error.name ?: strerror(-r), error.message ?: "");
        else
                printf("ok\n");
}

static sd_bus_message *manager(sd_bus *bus, const char *method)
{
        sd_bus_message *call;

        if (sd_bus_message_new_method_call(bus, &call, HUB_BUS_NAME, HUB_BUS_PATH,
                                           HUB_MANAGER_INTERFACE, method) < 0)
                abort();
        return call;
}

static void obey(sd_bus *bus, const char *verb, const char *a, const char *b)
{
        sd_bus_message *call;
        uint64_t number;

        if (strcmp(verb, "token") == 0)
                token(bus, a);
        else if (strcmp(verb, "peer") == 0)
                peer(bus, a);
        else if (strcmp(verb, "connected") == 0)
                connected(bus, a);
        else if (strcmp(verb, "file") == 0)
                file(bus, a);
        else if (strcmp(verb, "call") == 0)
                finish(bus, manager(bus, a), b);
        else if (strcmp(verb, "level") == 0) {
                call = manager(bus, "SetLogLevel");
                (void) sd_bus_message_append(call, "s", "info");
                finish(bus, call, a);
        } else if (strcmp(verb, "unchecked") == 0) {
                call = manager(bus, "EnrolNode");
                (void) sd_bus_message_append(call, "ss", "", "");
                finish(bus, call, a);
        } else if (strcmp(verb, "start") == 0) {
                call = manager(bus, "StartBackup");
                (void) sd_bus_message_append(call, "s", a);
                finish(bus, call, b);
        } else if (strcmp(verb, "cancel") == 0) {
                call = manager(bus, "CancelJob");
                if (parse_uint64(a, 0, UINT64_MAX, &number) < 0)
                        abort();
                (void) sd_bus_message_append(call, "t", number);
                finish(bus, call, b);
        } else
                printf("unknown command\n");
}

int main(void)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        char line[1024];

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (sd_bus_open_system(&bus) < 0)
                return EXIT_FAILURE;
        while (fgets(line, sizeof(line), stdin)) {
                char *rest = NULL;
                const char *verb = strtok_r(line, " \n", &rest);
                const char *a = strtok_r(NULL, " \n", &rest) ?: "";
                const char *b = strtok_r(NULL, " \n", &rest) ?: "";

                if (verb)
                        obey(bus, verb, a, b);
        }
        return EXIT_SUCCESS;
}
