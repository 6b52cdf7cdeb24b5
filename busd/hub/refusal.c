/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last words of a hub that does not start (see refusal.h). There is no loop yet, so it may wait.
 */
#include "refusal.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "names.h"
#include "parse.h"

#include <systemd/sd-bus.h>

/* The bus's own name for this; clients know it from programs that the bus itself could not start. */
#define ERROR_CONFIG_INVALID "org.freedesktop.DBus.Error.Spawn.ConfigInvalid"

/* Each call after our end starts the next hub, and any user may call: so one that has met a caller stays for
 * a while. */
#define STAY_USEC    (2 * USEC_PER_SEC)
#define TIMEOUT_USEC (5 * USEC_PER_SEC)

typedef struct Refusal {
        const char *text;
        unsigned n_refused;
} Refusal;

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Refusal *refusal = userdata;
        int r;

        (void) error;
        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 0;
        refusal->n_refused++;
        r = sd_bus_reply_method_errorf(m, ERROR_CONFIG_INVALID, "%s", refusal->text);
        return r < 0 ? r : 1;
}

static int answer_until(sd_bus *bus, uint64_t end_usec)
{
        for (;;) {
                int r = sd_bus_process(bus, NULL);
                uint64_t now = clock_monotonic_usec();

                if (r > 0)
                        continue;
                if (r == 0 && now >= end_usec)
                        return 0;
                if (r == 0)
                        r = sd_bus_wait(bus, end_usec - now);
                if (r < 0)
                        return r;
        }
}

/* What the bus had for us before this has come when it answers. */
static int catch_up(sd_bus *bus)
{
        int r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetId", NULL, NULL, "");

        return r < 0 ? r : answer_until(bus, 0);
}

static int tell(sd_bus *bus, Refusal *refusal)
{
        int r;

        r = sd_bus_set_method_call_timeout(bus, TIMEOUT_USEC);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, refusal);
        if (r >= 0)
                r = sd_bus_request_name(bus, HUB_BUS_NAME, 0);
        if (r >= 0)
                r = catch_up(bus);
        if (r >= 0 && refusal->n_refused > 0)
                r = answer_until(bus, clock_monotonic_usec() + STAY_USEC);
        if (r >= 0)
                r = sd_bus_release_name(bus, HUB_BUS_NAME);
        if (r >= 0)
                r = catch_up(bus);
        return r;
}

void refusal_tell(const char *text)
{
        Refusal refusal = { .text = text };
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system_with_description(&bus, "refusal");
        if (r >= 0)
                r = tell(bus, &refusal);
        if (r < 0)
                (void) log_full(LOG_DEBUG, r, NULL, MESSAGE_NONE,
                                "Cannot tell callers that the hub does not start: %m, ignoring");
        sd_bus_flush_close_unref(bus);
}
