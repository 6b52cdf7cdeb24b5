/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Polkit's errors and silences, told apart (see polkit-outcome.h). Called by authorise.c. Whatever
 * is not clearly a person's or a caller's doing counts as a lost polkit. Must not talk to the bus.
 */
#include "bus/polkit-outcome.h"

#include "parse.h"

#include <string.h>

#define POLKIT_ERROR_FAILED "org.freedesktop.PolicyKit1.Error.Failed"

uint64_t polkit_timeout_usec(bool interactive)
{
        return (interactive ? 120 : 10) * USEC_PER_SEC;
}

/* The bus daemon says NoReply too, but early, when polkit goes away under a question. */
static bool timed_out(const sd_bus_error *error, bool interactive, uint64_t waited_usec)
{
        return (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
                sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT)) &&
               waited_usec >= polkit_timeout_usec(interactive);
}

/* Whole names only: ":1.5" is not in ":1.50". */
static bool names_sender(const char *text, const char *sender)
{
        size_t length = strlen(sender);

        for (const char *p = text; p && (p = strstr(p, sender)); p += length)
                if (p[length] < '0' || p[length] > '9')
                        return true;
        return false;
}

PolkitOutcome polkit_outcome(const sd_bus_error *error, const char *sender, bool interactive,
                             uint64_t waited_usec)
{
        if (interactive && timed_out(error, interactive, waited_usec))
                return POLKIT_UNANSWERED;
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return POLKIT_CALLER_VANISHED;
        if (sd_bus_error_has_name(error, POLKIT_ERROR_FAILED) &&
            names_sender(error->message, sender))
                return POLKIT_CALLER_VANISHED;
        return POLKIT_UNAVAILABLE;
}
