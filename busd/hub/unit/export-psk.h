/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key of an export that is served by TLS: a file beside the unit's task (UNIT_FILE_PSK), which nobody but the hub can read,
 * and which systemd hands to the export, and with those of the job's other exports to a copy on this machine, as a credential. A node gets them in the request that starts
 * its part. That the file is there says that the export has one, also after a restart of the hub.
 */
#pragma once

#include "unit/unit-files.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct Secret Secret;

/* Makes the key for an export unit; name is the export's. Without a master key it is a new one. With one it follows from the name:
 * an export that is made again after a reboot has the key that a node was given before. */
int export_psk_make(const char *unit, const char *name, const Secret *master);

/* Whether the unit has one, and where. */
bool export_psk_find(const char *unit, char ret_path[static UNIT_FILE_PATH_SIZE]);

/* The key alone, as a JSON text for the request to a node. NULL: it cannot be read. */
json_t *export_psk_read(const char *unit);

/* Adds that of the export to those of the copy, which begins with none. 0 when the export has none. */
int export_psk_add(const char *copy_unit, const char *export_unit);
