/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key of an export that is served by TLS: a file beside the unit's task (UNIT_FILE_PSK), which nobody but the hub can read,
 * and which systemd hands to the export, and with those of the job's other exports to its copy, as a credential. That the
 * file is there says that the export has one, also after a restart of the hub.
 */
#pragma once

#include "unit/unit-files.h"

#include <stdbool.h>

/* Makes a new key for an export unit; name is the export's. */
int export_psk_make(const char *unit, const char *name);

/* Whether the unit has one, and where. */
bool export_psk_find(const char *unit, char ret_path[static UNIT_FILE_PATH_SIZE]);

/* Adds that of the export to those of the copy, which begins with none. 0 when the export has none. */
int export_psk_add(const char *copy_unit, const char *export_unit);
