/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock of logind (see inhibitor.h).
 */
#include "inhibitor.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct Inhibitor {
        sd_bus *bus;
        sd_bus_slot *call;
        int fd;
        bool is_wanted, is_told;
};

int inhibitor_new(sd_bus *bus, Inhibitor **ret_inhibitor)
{
        Inhibitor *inhibitor = malloc(sizeof(*inhibitor));

        if (!inhibitor)
                return -ENOMEM;
        *inhibitor = (Inhibitor){ .bus = bus, .fd = -1 };
        *ret_inhibitor = inhibitor;
        return 0;
}

static void let_go(Inhibitor *inhibitor)
{
        if (inhibitor->fd >= 0)
                close(inhibitor->fd);
        inhibitor->fd = -1;
}

Inhibitor *inhibitor_free(Inhibitor *inhibitor)
{
        if (!inhibitor)
                return NULL;
        sd_bus_slot_unref(inhibitor->call);
        let_go(inhibitor);
        free(inhibitor);
        return NULL;
}

static int on_lock(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        Inhibitor *inhibitor = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int fd;

        (void) ret_error;
        inhibitor->call = sd_bus_slot_unref(inhibitor->call);
        if (error || sd_bus_message_read(reply, "h", &fd) < 0) {
                /* Said once: a machine without logind has none for the next snapshot either. */
                if (!inhibitor->is_told)
                        log_notice("logind gives no lock, so a shutdown will not wait for an open "
                                   "snapshot: %s",
                                   error ? error->message ?: error->name : "no descriptor");
                inhibitor->is_told = true;
                return 0;
        }
        let_go(inhibitor);
        if (inhibitor->is_wanted)
                inhibitor->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

void inhibitor_set(Inhibitor *inhibitor, bool is_wanted)
{
        int r;

        inhibitor->is_wanted = is_wanted;
        if (!is_wanted) {
                let_go(inhibitor);
                return;
        }
        if (inhibitor->fd >= 0 || inhibitor->call)
                return;
        /* Not sleep as well: systemd 252 refuses both in one lock to a user that may have each. */
        r = sd_bus_call_method_async(inhibitor->bus, &inhibitor->call, "org.freedesktop.login1",
                                     "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                     "Inhibit", on_lock, inhibitor, "ssss", "shutdown",
                                     "Sendense Node", "A snapshot of a virtual machine is open",
                                     "delay");
        if (r < 0)
                (void) log_warning(r, "Cannot ask logind for a lock, going on without: %m");
}
