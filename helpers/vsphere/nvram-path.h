/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a VM has the variables of its EFI: a file beside its disks. Backup and restore ask for it.
 */
#pragma once

#include "datastore-path.h"
#include "vsphere/session.h"

#include <stdbool.h>

/* is_listed: vCenter knows the file. Else it is the place where the VM will look for it, and nothing may be there. */
typedef struct NvramPath {
        DatastorePath path;
        bool is_listed;
} NvramPath;

void nvram_path_done(NvramPath *path);

/* NotFound when the VM is gone; SourceFailed for a place that cannot be. */
int nvram_path_find(VSphere *v, const VSphereRef *vm, NvramPath *ret_path, VSphereError *error);
