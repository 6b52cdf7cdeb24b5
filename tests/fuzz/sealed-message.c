/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages without a bus (see sealed-message.h). sd-bus wants a started connection to make a message,
 * so one end of a socket pair is given to it; the other end is closed by then.
 */
#include "sealed-message.h"

#include "cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

int sealed_message_begin(sd_bus **ret_bus, sd_bus_message **ret_message)
{
        CLEANUP(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int other = -1;
        int pair[2], r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        other = pair[1];
        r = sd_bus_set_fd(bus, pair[0], pair[0]); /* takes it */
        if (r < 0) {
                (void) close(pair[0]);
                return r;
        }
        r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_message_new_method_call(bus, ret_message, "com.sendense.Hub1",
                                                   "/com/sendense/Hub1",
                                                   "com.sendense.Hub1.Manager", "GetStatus");
        if (r >= 0)
                *ret_bus = TAKE(bus);
        return r;
}

int sealed_message_end(sd_bus_message *message)
{
        int r;

        r = sd_bus_message_seal(message, 1, 0);
        return r < 0 ? r : sd_bus_message_rewind(message, true);
}
