/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A node for the tests of sendense-node-api: it answers whatever the test wants to see handled, also what a healthy
 * node never says. Say(word) of com.sendense.Test: the task changes to that state, and a signal tells so. Three words
 * are none: "gone" (the task is not known), "nonsense" (an answer of another type), "hold" (no answer, until the
 * next word; then an error, which comes behind the signal). Prints "ready" and lives until SIGTERM.
 */
#include "bus/bus-error.h"
#include "cleanup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define NODE_PATH "/com/sendense/Node1"
#define TASK_PATH NODE_PATH "/task/7"

static char word[32] = "copying";
static sd_bus_message *held;

static int answer(sd_bus_message *call, bool is_list)
{
        if (strcmp(word, "hold") == 0) {
                sd_bus_message_unref(held);
                held = sd_bus_message_ref(call);
                return 1;
        }
        if (strcmp(word, "gone") == 0)
                return sd_bus_reply_method_errorf(call, BUS_ERROR_NOT_FOUND, "No such task.");
        if (strcmp(word, "nonsense") == 0)
                return sd_bus_reply_method_return(call, "t", UINT64_MAX);
        return is_list ? sd_bus_reply_method_return(call, "aa{sv}", 1, 1, "State", "s", word)
                       : sd_bus_reply_method_return(call, "a{sv}", 1, "State", "s", word);
}

static int say(sd_bus_message *call)
{
        sd_bus *bus = sd_bus_message_get_bus(call);
        const char *next;
        int r;

        r = sd_bus_message_read(call, "s", &next);
        if (r < 0)
                return r;
        (void) snprintf(word, sizeof(word), "%s", next);
        r = sd_bus_emit_signal(bus, TASK_PATH, "org.freedesktop.DBus.Properties",
                               "PropertiesChanged", "sa{sv}as", "com.sendense.Node1.Task", 1,
                               "State", "s", word, 0);
        if (r >= 0 && held)
                r = sd_bus_reply_method_errorf(held, BUS_ERROR_BUSY, "Not now.");
        held = sd_bus_message_unref(held);
        return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

/* Without a table, with which sd-bus would compare the answers. */
static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        (void) userdata, (void) error;
        if (sd_bus_message_is_method_call(call, "com.sendense.Test", "Say"))
                return say(call);
        if (sd_bus_message_is_method_call(call, NULL, "GetTask"))
                return answer(call, false);
        return sd_bus_message_is_method_call(call, NULL, "ListTasks") ? answer(call, true) : 0;
}

int main(void)
{
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_add_object(bus, NULL, NODE_PATH, on_call, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, "com.sendense.Node1", 0);
        if (r >= 0) {
                (void) puts("ready");
                (void) fflush(stdout);
        }
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        (void) fprintf(stderr, "node-peer: %s\n", strerror(-r));
        return EXIT_FAILURE;
}
