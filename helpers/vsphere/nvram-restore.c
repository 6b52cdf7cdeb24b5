/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NVRAM put back (see nvram-restore.h).
 */
#include "nvram-restore.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "nvram-path.h"
#include "vsphere/datastore-file.h"
#include "vsphere/inventory.h"

#include <errno.h>
#include <string.h>

static int compare(VSphere *v, const DatastorePath *path, const char *datacenter, const void *data,
                   size_t size, VSphereError *error)
{
        _cleanup_free_ void *back = NULL;
        size_t back_size = 0;
        int r;

        r = datastore_file_get(v, path, datacenter, size, &back, &back_size, error);
        if (r < 0 && r != -EFBIG)
                return r;
        if (r == -EFBIG || back_size != size || memcmp(back, data, size) != 0)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "what vCenter gives back is not what it was given");
        return 0;
}

int nvram_restore(VSphere *v, const VSphereRef *vm, const void *data, size_t size,
                  VSphereError *error)
{
        CLEANUP(nvram_path_done) NvramPath at = {};
        CLEANUP(vm_done) VSphereVm now = {};
        int r;

        r = inventory_read(v, vm, &now, error);
        if (r >= 0)
                r = nvram_path_find(v, vm, &at, error);
        if (r >= 0)
                r = datastore_file_put(v, &at.path, now.datacenter, data, size, error);
        return r < 0 ? r : compare(v, &at.path, now.datacenter, data, size, error);
}
