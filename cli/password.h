/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A password that an operator gives: typed on a terminal without echo, or from a private file or a descriptor. Never on a command
 * line, which everybody can read.
 */
#pragma once

#include "ctl.h"

#include <systemd/sd-bus.h>

/* As --password-file= or --password-fd= say, else typed after the prompt, and appended to message as sealed memory. One line feed at the end
 * of a file does not count. Complains; CTL_INTERRUPTED after Ctrl-C. */
ExitStatus password_append(sd_bus_message *message, const char *prompt);

/* Whether somebody is there who can be asked. */
bool operator_is_there(void);

/* Asks until it is answered; true for yes. CTL_INTERRUPTED is left to the signal. */
bool operator_agrees(const char *question);
