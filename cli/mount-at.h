/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks of a mount as files of a folder: nbdfuse for each, in a unit of its own that systemd ends with the mount, however that ends.
 * Takes root, because a unit of the system's is asked for.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>

/* Before anything is mounted: complains when it cannot be. *ret_folder is its real path, the caller's. */
ExitStatus mount_at_check(const char *folder, char **ret_folder);

/* mount: as ListMounts has it. Complains; then none of the files is there. */
ExitStatus mount_at(const json_t *mount, const char *folder);

/* FOLDER/KEY.raw; NULL: no memory. */
char *mount_at_path(const char *folder, const json_t *disk);
