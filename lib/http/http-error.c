/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table (see http-error.h).
 */
#include "http/http-error.h"

#include "bus/bus-error.h"
#include "cleanup.h"

#include <string.h>

/* What is not here is a failure of the daemon: 500. */
static const struct {
        const char *name;
        unsigned status;
} statuses[] = {
        { BUS_ERROR_INVALID_ARGUMENT, 400 },
        { BUS_ERROR_UNKNOWN_OPTION, 400 },
        { SD_BUS_ERROR_INVALID_ARGS, 400 },
        { BUS_ERROR_UNAUTHORIZED, 401 },
        { BUS_ERROR_ACCESS_DENIED, 403 },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, 403 },
        { BUS_ERROR_NOT_ALLOWED, 403 },
        { BUS_ERROR_NOT_FOUND, 404 },
        { BUS_ERROR_EXISTS, 409 },
        { BUS_ERROR_VM_BUSY, 409 },
        { BUS_ERROR_LAST_BACKUP, 409 },
        { BUS_ERROR_VM_MISSING, 404 },
        { BUS_ERROR_VM_AMBIGUOUS, 409 },
        { BUS_ERROR_VCENTER_UNREACHABLE, 502 },
        { BUS_ERROR_VCENTER_LOGIN, 502 },
        { BUS_ERROR_VCENTER_SESSION, 502 },
        { BUS_ERROR_CERTIFICATE_CHANGED, 502 },
        { BUS_ERROR_CERTIFICATE_INVALID, 502 },
        { BUS_ERROR_CANCELLED, 409 },
        { BUS_ERROR_KEY_REUSED, 422 },
        { SD_BUS_ERROR_INCONSISTENT_MESSAGE, 502 },
        { BUS_ERROR_BUSY, 503 },
        { BUS_ERROR_NODE_UNREACHABLE, 503 },
        { BUS_ERROR_DATABASE_UNAVAILABLE, 503 },
        { BUS_ERROR_SCHEMA_MISMATCH, 503 },
        { BUS_ERROR_PORTS_EXHAUSTED, 503 },
        { SD_BUS_ERROR_SERVICE_UNKNOWN, 503 },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, 503 },
        { SD_BUS_ERROR_DISCONNECTED, 503 },
        { SD_BUS_ERROR_LIMITS_EXCEEDED, 503 },
        { SD_BUS_ERROR_NO_REPLY, 504 },
        { SD_BUS_ERROR_TIMEOUT, 504 },
        { BUS_ERROR_REPOSITORY_FULL, 507 },
};

unsigned http_error_status(const char *bus_error)
{
        for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
                if (strcmp(statuses[i].name, bus_error) == 0)
                        return statuses[i].status;
        return 500;
}

const char *http_error_name(const char *sender, const char *bus_error)
{
        return sender && strcmp(sender, "org.freedesktop.DBus") == 0 &&
                                               http_error_status(bus_error) == 500
                               ? SD_BUS_ERROR_SERVICE_UNKNOWN
                               : bus_error;
}
