/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NVRAM put back (see nvram-restore.h). A PUT that breaks off leaves half a file, and a VM takes whatever it finds: so it goes to a name that
 * no VM looks for, and is moved when it is whole.
 */
#include "nvram-restore.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "nvram-path.h"
#include "text.h"
#include "vsphere/datastore-file.h"
#include "vsphere/inventory.h"
#include "vsphere/place.h"
#include "vsphere/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PARTIAL_NAME "sendense.nvram.partial"

enum {
        REMOVE_SEC = 60,
};

/* Of one VM. */
typedef struct Target {
        VSphere *v;
        VSphereRef datacenter;
        char *datacenter_path;
        NvramPath at;
        DatastorePath partial; /* in the folder of that VM */
} Target;

static void target_done(Target *target)
{
        free(target->datacenter_path);
        nvram_path_done(&target->at);
        datastore_path_done(&target->partial);
}

static int no_memory(VSphereError *error)
{
        return vsphere_error_errno(error, -ENOMEM, "Cannot put the NVRAM of a VM back");
}

static int target_find(Target *target, const VSphereRef *vm, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm now = {};
        int r;

        r = inventory_read(target->v, vm, &now, error);
        if (r >= 0)
                r = place_datacenter(target->v, vm, &target->datacenter, error);
        if (r >= 0)
                r = nvram_path_find(target->v, vm, &target->at, error);
        if (r < 0)
                return r;
        target->datacenter_path = TAKE(now.datacenter);
        r = datastore_path_beside(&target->at.path, PARTIAL_NAME, &target->partial);
        if (r == -ENOMEM)
                return no_memory(error);
        return r < 0 ? vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "the folder of the VM has too long a name")
                     : 0;
}

static int compare(const Target *target, const DatastorePath *path, const void *data, size_t size,
                   VSphereError *error)
{
        _cleanup_free_ void *back = NULL;
        size_t back_size = 0;
        int r;

        r = datastore_file_get(target->v, path, target->datacenter_path, size, &back, &back_size,
                               error);
        if (r < 0 && r != -EFBIG)
                return r;
        if (r == -EFBIG || back_size != size || memcmp(back, data, size) != 0)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "what vCenter gives back is not what it was given");
        return 0;
}

static void put_file(FILE *f, const char *name, const DatastorePath *path,
                     const char *datacenter_name, const VSphereRef *datacenter)
{
        (void) fprintf(f, "<%s>[", name);
        xml_put(f, path->datastore);
        (void) fputs("] ", f);
        xml_put(f, path->file);
        (void) fprintf(f, "</%s><%s type=\"Datacenter\">", name, datacenter_name);
        xml_put(f, datacenter->value);
        (void) fprintf(f, "</%s>", datacenter_name);
}

static int run_on_files(const Target *target, const char *method, const char *arguments,
                        VSphereError *error)
{
        const VSphereRef *manager = vsphere_object(target->v, VSPHERE_FILE_MANAGER);

        if (!manager->value[0])
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "vCenter has nobody who moves files of a datastore");
        error->fault[0] = '\0';
        return task_run(target->v, method, manager, arguments, NULL, error);
}

static int move(const Target *target, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return no_memory(error);
        put_file(f, "sourceName", &target->partial, "sourceDatacenter", &target->datacenter);
        put_file(f, "destinationName", &target->at.path, "destinationDatacenter",
                 &target->datacenter);
        (void) fputs("<force>true</force>", f);
        if (fclose(f) != 0)
                return no_memory(error);
        return run_on_files(target, "MoveDatastoreFile_Task", arguments, error);
}

static int remove_partial(const Target *target, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return no_memory(error);
        put_file(f, "name", &target->partial, "datacenter", &target->datacenter);
        if (fclose(f) != 0)
                return no_memory(error);
        r = run_on_files(target, "DeleteDatastoreFile_Task", arguments, error);
        return r < 0 && vsphere_error_is_fault(error, "FileNotFound") ? 0 : r;
}

/* Also of one who is cancelled, but not for ever. */
static int clean_up(const Target *target, VSphereError *error)
{
        const struct itimerspec after = { .it_value.tv_sec = REMOVE_SEC };
        _cleanup_close_ int clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        int cancel_fd = vsphere_login(target->v)->cancel_fd, r;

        if (clock_fd >= 0)
                (void) timerfd_settime(clock_fd, 0, &after, NULL);
        vsphere_set_cancel(target->v, clock_fd);
        r = remove_partial(target, error);
        vsphere_set_cancel(target->v, cancel_fd);
        return r;
}

/* The error stays what it was, unless the file does stay. */
static int give_up(const Target *target, int failed, VSphereError *error)
{
        VSphereError why = {};

        if (clean_up(target, &why) >= 0)
                return failed;
        return vsphere_error_prefix(error, BUS_ERROR_TARGET_FAILED,
                                    "[%.40s] %.120s is left, because it cannot be removed (%.100s)",
                                    target->partial.datastore, target->partial.file, why.text);
}

int nvram_restore(VSphere *v, const VSphereRef *vm, const void *data, size_t size,
                  VSphereError *error)
{
        CLEANUP(target_done) Target target = { .v = v };
        VSphereError look = {};
        int r;

        r = target_find(&target, vm, error);
        if (r < 0)
                return r;
        r = datastore_file_put(v, &target.partial, target.datacenter_path, data, size, error);
        if (r >= 0)
                r = compare(&target, &target.partial, data, size, error);
        if (r >= 0) {
                r = move(&target, error);
                /* An answer that is lost says nothing of the move. */
                if (r < 0 && compare(&target, &target.at.path, data, size, &look) >= 0)
                        return 0;
        }
        return r < 0 ? give_up(&target, r, error) : 0;
}

int nvram_restore_undo(VSphere *v, const VSphereRef *vm, VSphereError *error)
{
        CLEANUP(target_done) Target target = { .v = v };
        int r;

        r = target_find(&target, vm, error);
        return r < 0 ? r : remove_partial(&target, error);
}
