/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls a method of the hub with a password, for tests: busctl cannot pass a descriptor. `password-call METHOD TEXT... [+KEY=VALUE...]`
 * sends the texts, standard input as sealed memory (with --open as it is), and the options. Prints the first value of the answer,
 * or "NAME: TEXT" of the error.
 */
#include "cleanup.h"
#include "names.h"
#include "secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

enum {
        PASSWORD_MAX = 4096,
};

static int make_memory(int *ret_fd)
{
        char text[PASSWORD_MAX];
        size_t n = fread(text, 1, sizeof(text), stdin);

        return secret_make_memfd(text, n, ret_fd);
}

static int append_option(sd_bus_message *call, char *option)
{
        char *value = strchr(option, '=');

        if (!value)
                return -EINVAL;
        *value++ = '\0';
        if (strcmp(option, "port") == 0)
                return sd_bus_message_append(call, "{sv}", option, "q",
                                             (int) strtol(value, NULL, 10));
        if (strcmp(option, "untested") == 0)
                return sd_bus_message_append(call, "{sv}", option, "b", strcmp(value, "yes") == 0);
        return sd_bus_message_append(call, "{sv}", option, "s", value);
}

static int fill(sd_bus_message *call, int fd, int argc, char *argv[])
{
        int i = 0, r = 0;

        for (; r >= 0 && i < argc && *argv[i] != '+'; i++)
                r = sd_bus_message_append(call, "s", argv[i]);
        if (r >= 0)
                r = sd_bus_message_append(call, "h", fd);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        for (; r >= 0 && i < argc; i++)
                r = append_option(call, argv[i] + 1);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

int main(int argc, char *argv[])
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool is_open = argc > 1 && strcmp(argv[1], "--open") == 0;
        int first = is_open ? 2 : 1, fd = STDIN_FILENO, r;
        uint64_t id = 0;

        if (argc <= first)
                return EXIT_FAILURE;
        r = is_open ? 0 : make_memory(&fd);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_message_new_method_call(bus, &call, HUB_BUS_NAME, HUB_BUS_PATH,
                                                   HUB_MANAGER_INTERFACE, argv[first]);
        if (r >= 0)
                r = fill(call, fd, argc - first - 1, argv + first + 1);
        if (r >= 0)
                r = sd_bus_call(bus, call, 0, &error, &reply);
        if (r < 0) {
                (void) printf("%s: %s\n", error.name ?: "?", error.message ?: strerror(-r));
                return EXIT_FAILURE;
        }
        if (sd_bus_message_has_signature(reply, "t") && sd_bus_message_read(reply, "t", &id) > 0)
                (void) printf("%" PRIu64 "\n", id);
        return EXIT_SUCCESS;
}
