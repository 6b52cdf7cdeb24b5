/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods that change policies (bus-policy.c) and those that show them (bus-policy-show.c) share.
 */
#pragma once

#include <systemd/sd-bus.h>

/* The first argument of all of them. */
int bus_policy_read_name(sd_bus_message *call, const char **ret_name, sd_bus_error *error);
