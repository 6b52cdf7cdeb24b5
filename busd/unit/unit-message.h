/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts values on the bus: JSON beside a D-Bus signature, and the arguments of StartTransientUnit that a
 * specification of unit-spec.h stands for. Called by unit-job. Pure but for the message it fills.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

/* One value: s, o, g from text; y, i, u, x, t from integers (t: -1 is infinity); h from the
 * number of a descriptor, which is duplicated; b; arrays and structs from
 * arrays; ay from text too, without its NUL. -EINVAL: value and signature do not fit. */
int unit_message_append(sd_bus_message *m, const char *signature, const json_t *value);

/* "ssa(sv)a(sa(sv))": the unit, "fail", its properties and the units that come with it. */
int unit_message_append_spec(sd_bus_message *m, const json_t *spec);
