/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The number of a system user of ours. Asked while a call is decided about.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As /etc/passwd has it now: a system user stands in the file itself, and looking there waits for no network. */
bool system_user_find(const char *name, uint32_t *ret_uid);
