/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Method calls to PID 1 that survive its absence: while it is off the bus (daemon-reexec) they are held,
 * and what it took along is sent again. A few are under way at a time, the others wait in their order. Also knows who on the bus is PID 1: anybody may send a signal
 * straight to our connection, past all match rules. Called by the rooms of unit/. Must not block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNITS   "/org/freedesktop/systemd1/unit"

enum {
        LINK_TEXT_SIZE = 512,
        LINK_REPLY_SEC = 30, /* polkit and a long daemon-reload included */
        /* Of one call to one PID 1 that says it is not there. One that went is another matter: a package that is
         * set up has it execute itself anew many times in a second, and who calls has a limit of time. */
        LINK_SENT_MAX = 8,
        /* The bus allows a connection 128 calls without an answer, of which the hub's questions to polkit
         * may be 64; the others wait for their turn. */
        LINK_UNDERWAY_MAX = 48,
};

typedef struct SystemdLink SystemdLink;
typedef struct LinkCall LinkCall;

/* PID 1 is on the bus, for the first time or anew. Runs before what was held is sent. */
typedef void (*LinkBack)(void *userdata);

/* 0 with the reply; or a negative errno with one line, and reply NULL. n_sent > 1: PID 1 may have acted on
 * an earlier one. -ENOENT: no such unit; -EEXIST: the unit exists; -EALREADY: subscribed already;
 * -ETIME: no reply in time. */
typedef void (*LinkDone)(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                         void *userdata);

int systemd_link_new(sd_bus *bus, LinkBack back, void *userdata, SystemdLink **ret_link);

/* No call may be open. NULL. */
SystemdLink *systemd_link_free(SystemdLink *link);

sd_bus *systemd_link_bus(const SystemdLink *link);

/* Whether PID 1 sent this signal. */
bool systemd_link_sent(const SystemdLink *link, sd_bus_message *signal);

/* A message to PID 1; the caller appends the arguments. */
int systemd_link_message(const SystemdLink *link, const char *path, const char *interface,
                         const char *member, sd_bus_message **ret_message);

/* Sends it. *call is the caller's handle until done is called, which sets it to NULL first. */
int systemd_link_send(SystemdLink *link, sd_bus_message *message, LinkDone done, void *userdata,
                      LinkCall **call);

/* As systemd_link_send(), and waits as long as PID 1 takes: for a look that changes nothing. A look that was given up and sent again would
 * only stand on the bus twice, which lets nobody have more than so many calls without an answer. */
int systemd_link_ask(SystemdLink *link, sd_bus_message *message, LinkDone done, void *userdata,
                     LinkCall **call);

/* Gives a call up: done is not called, the handle becomes NULL. A NULL handle is none. */
void link_call_drop(LinkCall **call);
