/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From values on the bus to JSON. Names and numbers stay as they are; a dictionary with text for keys
 * becomes an object, every other array and structure an array, a variant what is in it.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

/* What comes next in message. 0, or -EOPNOTSUPP: a type, or a depth, that no answer of ours has;
 * -ERANGE: a number that JSON cannot hold; -ENOMEM and what sd-bus says. */
int bus_value_read(sd_bus_message *message, json_t **ret_value);
