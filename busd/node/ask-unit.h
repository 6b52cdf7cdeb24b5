/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unit of a question about a vCenter: its name, and how it is started. Pure. What all have in common stands in
 * units/sendense-vsphere-.service.d.
 */
#pragma once

#include "ask-request.h"
#include "names.h"

#include <stdbool.h>

/* sendense-vsphere-<slot>-ask.service; slots count from 1. */
int ask_unit_name(uint64_t slot, char ret_unit[static UNIT_NAME_SIZE]);

/* What systemd is asked for (see unit-property.h). */
int ask_unit_spec(const char *unit, AskKind kind, bool has_password, json_t **ret_spec);
