/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls GetStatus of the hub with a file descriptor, which busctl cannot, and prints the error's name. It is of a memory file, so that
 * "memfd:bus-descriptor" is found among the descriptors of whoever has kept it.
 * tests/bus/bounds.sh runs it.
 *
 *     bus-descriptor
 */
#include "cleanup.h"
#include "names.h"

#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-bus.h>

int main(void)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(sd_bus_unrefp) sd_bus *bus = NULL;
        int r, fd = memfd_create("bus-descriptor", MFD_CLOEXEC);

        if (fd < 0)
                return EXIT_FAILURE;
        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, HUB_BUS_NAME, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                                       "GetStatus", &error, NULL, "h", fd);
        printf("%s\n", error.name ?: strerror(-r));
        return EXIT_SUCCESS;
}
