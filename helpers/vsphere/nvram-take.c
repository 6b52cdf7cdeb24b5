/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The variables of a VM's EFI at a backup (see take.h). A snapshot does not keep them apart: the file beside the VM's disks is read as
 * soon as the snapshot is there, and again, until two readings are the same, because the guest may be changing it. That it cannot be
 * had is a warning and costs no backup.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "nvram-path.h"
#include "nvram.h"
#include "take.h"
#include "vsphere/datastore-file.h"
#include "warnings.h"

#include <errno.h>
#include <string.h>

enum {
        READINGS_MAX = 5,
};

typedef struct Reading {
        void *data;
        size_t size;
} Reading;

static void reading_done(Reading *reading)
{
        free(reading->data);
        *reading = (Reading){};
}

static bool readings_are_equal(const Reading *a, const Reading *b)
{
        return a->data && b->data && a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static int read_whole(VSphere *v, const Take *take, const DatastorePath *path, Reading *ret_reading,
                      VSphereError *error)
{
        CLEANUP(reading_done) Reading last = {};

        for (unsigned i = 0; i < READINGS_MAX; i++) {
                CLEANUP(reading_done) Reading reading = {};
                int r;

                r = datastore_file_get(v, path, take->vm.datacenter, NVRAM_SIZE_MAX, &reading.data,
                                       &reading.size, error);
                if (r < 0)
                        return r;
                if (reading.size == 0 || readings_are_equal(&last, &reading)) {
                        *ret_reading = reading;
                        reading = (Reading){};
                        return 0;
                }
                reading_done(&last);
                last = reading;
                reading = (Reading){};
        }
        return vsphere_error_set(error, BUS_ERROR_SOURCE_FAILED,
                                 "%s is changed all the time, and was another one at each of %i "
                                 "readings",
                                 path->file, READINGS_MAX);
}

/* Of ciphertext, which only the VM itself can read, a backup would have nothing. */
static int check_plain(const Take *take, const Reading *reading, VSphereError *error)
{
        if (reading->size == 0 || (!json_is_true(json_object_get(take->hardware, "encrypted")) &&
                                   nvram_is_plain(reading->data, reading->size)))
                return 0;
        return vsphere_error_set(
                        error, BUS_ERROR_SOURCE_FAILED,
                        "the file is encrypted by vSphere, as that of each VM with a virtual "
                        "TPM, and no other VM could read it");
}

static int pack(const Reading *reading, json_t **ret_nvram, VSphereError *error)
{
        int r = nvram_pack(reading->data, reading->size, ret_nvram);

        if (r == -ENODATA)
                return vsphere_error_set(error, BUS_ERROR_SOURCE_FAILED, "the file is empty");
        if (r == -EFBIG)
                return vsphere_error_set(error, BUS_ERROR_SOURCE_FAILED,
                                         "its %zu bytes cannot be packed into %i KiB",
                                         reading->size, NVRAM_PACKED_MAX / 1024);
        return r < 0 ? vsphere_error_errno(error, r, "Cannot keep the NVRAM of the VM") : 0;
}

/* 1: there is none, and none is missed. */
static int fetch(VSphere *v, const Take *take, json_t **ret_nvram, VSphereError *error)
{
        CLEANUP(nvram_path_done) NvramPath at = {};
        CLEANUP(reading_done) Reading reading = {};
        int r;

        r = nvram_path_find(v, &take->vm.ref, &at, error);
        if (r < 0)
                return r;
        r = read_whole(v, take, &at.path, &reading, error);
        /* A VM that was never switched on has no variables yet. */
        if (r < 0 && strcmp(error->name, BUS_ERROR_NOT_FOUND) == 0 && !at.is_listed &&
            strcmp(take->vm.power_state, "poweredOff") == 0)
                return 1;
        if (r >= 0)
                r = check_plain(take, &reading, error);
        return r < 0 ? r : pack(&reading, ret_nvram, error);
}

int take_nvram(VSphere *v, Take *take, VSphereError *error)
{
        const char *firmware = json_string_value(json_object_get(take->hardware, "firmware"));
        json_t *nvram = NULL;
        int r;

        if (!firmware || strcmp(firmware, "efi") != 0)
                return 0;
        r = fetch(v, take, &nvram, error);
        if (r == 0 && json_object_set_new(take->hardware, "nvram", nvram) < 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot keep the NVRAM of the VM");
        if (r >= 0 || r == -ECANCELED || r == -ENOMEM)
                return r < 0 ? r : 0;
        warnings_add(take->warnings, "the variables of its EFI (NVRAM) are not in the backup: %s",
                     error->text);
        *error = (VSphereError){};
        return 0;
}
