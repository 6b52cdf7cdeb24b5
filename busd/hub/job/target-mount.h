/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which mount the target of a restore lies, by the kernel's table of mounts alone: nothing of it is touched, so that the hub's
 * loop may ask whatever the file system does. An unfinished restore must not go on, or be undone, in the folder below a mount
 * that is not there. Links in a path are not followed.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* By a table like /proc/self/mountinfo: {point, type, source}; source is left out where it is the name of a device, which may be
 * another one after a reboot. NULL: not known, as where the automounter decides. The caller's reference. */
json_t *target_mount_find(FILE *table, const char *path);

/* The same by the table of this moment. */
json_t *target_mount_look(const char *path);

/* Whether a path that lay on the mount `was` lies elsewhere now; text says so. false where one of both is not known. */
bool target_mount_is_away(const json_t *was, const char *path, char *text, size_t size);
