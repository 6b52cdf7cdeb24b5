/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls one method of the hub again and again over one connection, and prints how long it took: what
 * bench/catalog measures with, because a new busctl for each call would be most of the time.
 */
#include "cleanup.h"
#include "clock.h"
#include "names.h"
#include "parse.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

enum {
        CALLS_MAX = 100000,
};

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static int append_arguments(sd_bus_message *m, const char *method, uint32_t limit, uint64_t after)
{
        if (strcmp(method, "GetManagedObjects") == 0)
                return 0;
        if (after > 0)
                return sd_bus_message_append(m, "a{sv}", 2, "limit", "u", limit, "after", "t",
                                             after);
        return sd_bus_message_append(m, "a{sv}", 1, "limit", "u", limit);
}

static int call(sd_bus *bus, const char *method, uint32_t limit, uint64_t after, uint64_t *ret_usec)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool is_objects = strcmp(method, "GetManagedObjects") == 0;
        uint64_t before;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, HUB_BUS_NAME, HUB_BUS_PATH,
                                           is_objects ? "org.freedesktop.DBus.ObjectManager"
                                                      : HUB_MANAGER_INTERFACE,
                                           method);
        if (r >= 0)
                r = append_arguments(m, method, limit, after);
        if (r < 0)
                return r;
        before = clock_monotonic_usec();
        r = sd_bus_call(bus, m, 0, &error, &reply);
        *ret_usec = clock_monotonic_usec() - before;
        if (r < 0)
                (void) fprintf(stderr, "bus-timer: %s\n", error.message);
        return r;
}

/* bus-timer METHOD CALLS LIMIT AFTER: prints "p50 p99 max" in microseconds. after moves on by 37 with each
 * call, so that no two ask for the same page. */
int main(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ uint64_t *usec = NULL;
        uint64_t n, limit, after;

        if (argc != 5 || parse_uint64(argv[2], 1, CALLS_MAX, &n) < 0 ||
            parse_uint64(argv[3], 1, 1000, &limit) < 0 ||
            parse_uint64(argv[4], 0, INT64_MAX, &after) < 0) {
                (void) fprintf(stderr, "Usage: bus-timer METHOD CALLS LIMIT AFTER\n");
                return 64;
        }
        usec = calloc(n, sizeof(uint64_t));
        if (!usec || sd_bus_open_system(&bus) < 0)
                return EXIT_FAILURE;
        for (uint64_t i = 0; i < n; i++)
                if (call(bus, argv[1], (uint32_t) limit, after > 37 * i ? after - 37 * i : after,
                         usec + i) < 0)
                        return EXIT_FAILURE;
        qsort(usec, n, sizeof(uint64_t), compare);
        (void) printf("%lu %lu %lu\n", (unsigned long) usec[n / 2],
                      (unsigned long) usec[n * 99 / 100], (unsigned long) usec[n - 1]);
        return EXIT_SUCCESS;
}
