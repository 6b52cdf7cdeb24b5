/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small files of a datastore, whole, over HTTPS and by the cookie of a session: what a VM has beside its disks. Disks have a reader of
 * their own (helpers/backup-client).
 */
#pragma once

#include "datastore-path.h"
#include "vsphere/session.h"

#include <stddef.h>

/* At most max_size bytes, the caller's to free. One login more when the session has died. NotFound; -EFBIG (error is set) for a larger
 * one; Cancelled; SourceFailed. datacenter as in VSphereVm. */
int datastore_file_get(VSphere *v, const DatastorePath *path, const char *datacenter,
                       size_t max_size, void **ret_data, size_t *ret_size, VSphereError *error);

/* Writes it, over one that is there; after an error there may be half of it. Cancelled, TargetFailed. */
int datastore_file_put(VSphere *v, const DatastorePath *path, const char *datacenter,
                       const void *data, size_t size, VSphereError *error);
