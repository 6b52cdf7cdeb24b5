/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has a hub find many calls at once: stops it, sends GetStatus CALLS times on each of CONNECTIONS
 * connections, waits until the bus has taken them all, lets the hub go on and counts the answers.
 * tests/bus runs it. Prints "answered N busy N other N". With UIDs the connections are of these users,
 * by turns.
 *
 *     bus-flood PID CONNECTIONS CALLS [UID...]
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

enum {
        CONNECTIONS_MAX = 128,
        USERS_MAX = 16,
        CALLS_MAX = 100, /* a bus lets a connection wait for 128 answers */
};

static uint64_t n_answered, n_busy, n_other;
static uid_t users[USERS_MAX];
static size_t n_users;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        (void) userdata, (void) ret_error;
        if (!sd_bus_message_is_method_error(m, NULL))
                n_answered++;
        else if (sd_bus_message_is_method_error(m, BUS_ERROR_BUSY))
                n_busy++;
        else
                n_other++;
        return 0;
}

/* Sends the calls, and comes back when the bus has passed them on: it answers in order. */
static int send_calls(sd_bus *bus, uint64_t n_calls)
{
        int r = 0;

        for (uint64_t i = 0; r >= 0 && i < n_calls; i++)
                r = sd_bus_call_method_async(bus, NULL, HUB_BUS_NAME, HUB_BUS_PATH,
                                             HUB_MANAGER_INTERFACE, "GetStatus", on_answer, NULL,
                                             "a{sv}", 0);
        if (r < 0)
                return r;
        return sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", "GetId", NULL, NULL, "");
}

static int collect(sd_bus *bus, uint64_t n_total)
{
        int r = 0;

        while (r >= 0 && n_answered + n_busy + n_other < n_total) {
                r = sd_bus_process(bus, NULL);
                if (r != 0)
                        continue;
                r = sd_bus_wait(bus, 60 * USEC_PER_SEC);
                if (r == 0)
                        return -ETIMEDOUT;
        }
        return r;
}

/* A connection is its user's for good: the bus looks at who connects. */
static int open_as_user(uint64_t i, sd_bus **ret_bus)
{
        int r;

        if (n_users > 0 && seteuid(users[i % n_users]) < 0)
                return -errno;
        r = sd_bus_open_system(ret_bus);
        if (seteuid(getuid()) < 0 && r >= 0)
                r = -errno;
        return r;
}

static int flood(pid_t pid, uint64_t n_connections, uint64_t n_calls)
{
        sd_bus *buses[CONNECTIONS_MAX] = {};
        int r = 0;

        for (uint64_t i = 0; r >= 0 && i < n_connections; i++)
                r = open_as_user(i, buses + i);
        if (r >= 0 && kill(pid, SIGSTOP) < 0)
                r = -errno;
        for (uint64_t i = 0; r >= 0 && i < n_connections; i++)
                r = send_calls(buses[i], n_calls);
        if (kill(pid, SIGCONT) < 0 && r >= 0)
                r = -errno;
        for (uint64_t i = 0; r >= 0 && i < n_connections; i++)
                r = collect(buses[i], (i + 1) * n_calls);

        for (uint64_t i = 0; i < n_connections; i++)
                sd_bus_close_unref(buses[i]);
        return r;
}

static bool read_users(char *uids[])
{
        uint64_t uid;

        for (; *uids; uids++) {
                if (parse_uint64(*uids, 1, INT32_MAX, &uid) < 0)
                        return false;
                users[n_users++] = (uid_t) uid;
        }
        return true;
}

int main(int argc, char *argv[])
{
        uint64_t pid, n_connections, n_calls;
        int r;

        if (argc < 4 || argc > 4 + USERS_MAX || parse_uint64(argv[1], 2, INT32_MAX, &pid) < 0 ||
            parse_uint64(argv[2], 1, CONNECTIONS_MAX, &n_connections) < 0 ||
            parse_uint64(argv[3], 1, CALLS_MAX, &n_calls) < 0 || !read_users(argv + 4)) {
                fprintf(stderr, "Usage: bus-flood PID CONNECTIONS CALLS [UID...]\n");
                return EXIT_FAILURE;
        }
        r = flood((pid_t) pid, n_connections, n_calls);
        if (r < 0) {
                fprintf(stderr, "bus-flood: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        printf("answered %" PRIu64 " busy %" PRIu64 " other %" PRIu64 "\n", n_answered, n_busy,
               n_other);
        return EXIT_SUCCESS;
}
