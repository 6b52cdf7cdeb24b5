/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and removing snapshots (see snapshot.h).
 */
#include "vsphere/snapshot.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "text.h"
#include "vsphere/properties.h"
#include "vsphere/task.h"

#include <errno.h>
#include <string.h>

enum {
        NAME_MAX_LENGTH = 80, /* VMware's own limit of a snapshot's name */
        REMOVE_TRIES_MAX = 3,
        REMOVE_WAIT_MSEC = 1000,
};

bool snapshot_name_is_ours(const char *name)
{
        size_t length = strspn(name,
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        return strncmp(name, SNAPSHOT_PREFIX, strlen(SNAPSHOT_PREFIX)) == 0 &&
               length > strlen(SNAPSHOT_PREFIX) && length <= NAME_MAX_LENGTH &&
               name[length] == '\0';
}

bool snapshot_is_chosen(const SnapshotChoice *choice, const char *name)
{
        size_t length = choice->name ? strlen(choice->name) : 0;

        if (choice->name && strncmp(name, choice->name, length) == 0 &&
            (name[length] == '\0' || strcmp(name + length, ".cbt") == 0))
                return true;
        return choice->prefix && strncmp(name, choice->prefix, strlen(choice->prefix)) == 0;
}

bool snapshot_is_quiesce_fault(const VSphereError *error)
{
        return strstr(error->fault, "Quiesce") != NULL;
}

int snapshot_create(VSphere *v, const VSphereRef *vm, const char *name, const char *description,
                    bool quiesce, VSphereRef *ret_snapshot, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        VSphereRef snapshot = {};
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot make a snapshot");
        (void) fputs("<name>", f);
        xml_put(f, name);
        (void) fputs("</name><description>", f);
        xml_put(f, description);
        (void) fprintf(f, "</description><memory>false</memory><quiesce>%s</quiesce>",
                       quiesce ? "true" : "false");
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot make a snapshot");
        r = task_run(v, "CreateSnapshot_Task", vm, arguments, &snapshot, error);
        if (r < 0)
                return strcmp(error->name, BUS_ERROR_FAILED) == 0
                                       ? vsphere_error_prefix(error, BUS_ERROR_SNAPSHOT_FAILED,
                                                              "the snapshot")
                                       : r;
        if (snapshot.value[0] == '\0')
                return vsphere_error_set(
                                error, BUS_ERROR_SNAPSHOT_FAILED,
                                "vCenter says that it made a snapshot and does not say which");
        *ret_snapshot = snapshot;
        return 0;
}

static int remove_one(VSphere *v, const VSphereRef *snapshot, VSphereError *error)
{
        int r;

        r = task_run(v, "RemoveSnapshot_Task", snapshot,
                     "<removeChildren>false</removeChildren><consolidate>true</consolidate>", NULL,
                     error);
        return r < 0 && vsphere_error_is_fault(error, "ManagedObjectNotFound") ? 0 : r;
}

/* That none is shown is only believed of a VM that vCenter sees, and to one who may see its snapshots. */
static int check_seen(const VSphereVm *vm, VSphereError *error)
{
        if (strcmp(vm->connection_state, "connected") != 0)
                return vsphere_error_set(error, BUS_ERROR_SNAPSHOT_LEFT,
                                         "%s is %.40s at vCenter, so nobody can see whether it has "
                                         "a snapshot; look at its host and its datastores",
                                         vm->path,
                                         *vm->connection_state ? vm->connection_state
                                                               : "in no known state");
        return vm->hides_snapshots ? vsphere_error_set(error, BUS_ERROR_SNAPSHOT_LEFT,
                                                       "vCenter does not tell this user of the "
                                                       "snapshots of %s; look at his role",
                                                       vm->path)
                                   : 0;
}

/* Removes all that are chosen and there now. *ret_count: how many it found. A failure does not keep it from the
 * others. */
static int remove_found(VSphere *v, const VSphereRef *vm, const SnapshotChoice *choice,
                        unsigned *ret_count, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm found = {};
        int r, failed = 0;

        *ret_count = 0;
        r = task_wait_for_snapshots(v, vm, error);
        if (r >= 0 || vsphere_error_is_fault(error, "ManagedObjectNotFound"))
                r = inventory_read(v, vm, &found, error); /* which knows what it is that is gone */
        if (r < 0)
                return r;
        for (size_t i = found.n_snapshots; i > 0; i--) {
                if (!snapshot_is_chosen(choice, found.snapshots[i - 1].name))
                        continue;
                (*ret_count)++;
                r = remove_one(v, &found.snapshots[i - 1].ref, error);
                if (r == -ECANCELED)
                        return r;
                if (r < 0)
                        failed = vsphere_error_prefix(error, BUS_ERROR_SNAPSHOT_LEFT,
                                                      "the snapshot %s of %s stays for now",
                                                      found.snapshots[i - 1].name, found.path);
        }
        return *ret_count > 0 ? failed : check_seen(&found, error);
}

/* The VM itself: a folder above it, or a task, may be gone by the same fault. */
static bool is_gone(const VSphereError *error)
{
        return strcmp(error->name, BUS_ERROR_VM_MISSING) == 0;
}

int snapshot_remove_all(VSphere *v, const VSphereRef *vm, const SnapshotChoice *choice,
                        unsigned *ret_count, VSphereError *error)
{
        unsigned n_first = 0, n_now = 0;
        int r;

        for (unsigned i = 0;; i++) {
                r = remove_found(v, vm, choice, &n_now, error);
                if (r < 0 && is_gone(error))
                        r = 0; /* with its snapshots */
                else if (r == -ECANCELED ||
                         (r < 0 && strcmp(error->name, BUS_ERROR_SNAPSHOT_LEFT) != 0))
                        return r;
                if (i == 0)
                        n_first = n_now;
                if (r >= 0 && n_now == 0)
                        break; /* seen with our own eyes, and not by the word of a task */
                if (i == REMOVE_TRIES_MAX)
                        return r < 0 ? r
                                     : vsphere_error_set(error, BUS_ERROR_SNAPSHOT_LEFT,
                                                         "vCenter says that it removed a snapshot, "
                                                         "and still shows it");
                /* What was removed is looked for at once; what is shown then, again after a while. */
                if ((r < 0 || i > 0) && vsphere_wait(v, REMOVE_WAIT_MSEC, error) < 0)
                        return -ECANCELED;
        }
        *ret_count = n_first;
        return 0;
}

static int read_consolidation(VSphere *v, const VSphereRef *vm, bool *ret_needed,
                              VSphereError *error)
{
        static const char *const paths[] = { "runtime.consolidationNeeded" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        int r;

        r = properties_of(v, vm, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0 && vsphere_error_is_fault(error, "ManagedObjectNotFound"))
                return vsphere_error_prefix(error, BUS_ERROR_VM_MISSING, "the VM is gone");
        if (r < 0)
                return r;
        *ret_needed = properties_is_true(found, 0, "runtime.consolidationNeeded");
        return 0;
}

/* vCenter's own way. A fault of it is no failure here: what counts is what the VM needs afterwards. *ret_locked: somebody has a
 * file of it open. */
static int consolidate(VSphere *v, const VSphereRef *vm, bool *ret_still_needed, bool *ret_locked,
                       VSphereError *error)
{
        int r;

        *ret_locked = false;
        r = read_consolidation(v, vm, ret_still_needed, error);
        if (r < 0 || !*ret_still_needed)
                return r;
        r = task_run(v, "ConsolidateVMDisks_Task", vm, NULL, NULL, error);
        if (r < 0 && error->fault[0] == '\0')
                return r;
        *ret_locked = r < 0 && vsphere_error_is_fault(error, "FileLocked");
        return read_consolidation(v, vm, ret_still_needed, error);
}

/* The removal of a snapshot merges what an earlier one has left. Not beside somebody's snapshots: each delta below
 * theirs is theirs. One that cannot be made changes nothing, and one that cannot be removed is an error. */
static int merge_by_snapshot(VSphere *v, const VSphereRef *vm, const char *name,
                             VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm found = {};
        VSphereRef snapshot;
        unsigned n = 0;
        int r;

        r = inventory_read(v, vm, &found, error);
        if (r < 0 || found.n_snapshots > 0)
                return r;
        r = snapshot_create(v, vm, name, "merges what an earlier snapshot has left", false,
                            &snapshot, error);
        if (r == -ECANCELED)
                return r;
        return snapshot_remove_all(v, vm, &(SnapshotChoice){ .name = name }, &n, error);
}

int snapshot_consolidate(VSphere *v, const VSphereRef *vm, const char *name, bool *ret_still_needed,
                         VSphereError *error)
{
        bool needed = false, locked = false;
        int r;

        r = consolidate(v, vm, &needed, &locked, error);
        /* Of a file that is locked nothing can be merged: there would only be one delta more. */
        if (r >= 0 && needed && !locked && name) {
                r = merge_by_snapshot(v, vm, name, error);
                if (r >= 0)
                        r = consolidate(v, vm, &needed, &locked, error);
        }
        if (r < 0 && is_gone(error)) {
                needed = false;
                r = 0;
        }
        if (r >= 0)
                *ret_still_needed = needed;
        return r;
}

int snapshot_enable_cbt(VSphere *v, const VSphereRef *vm, const char *name, VSphereError *error)
{
        _cleanup_free_ char *step = text_format("%s.cbt", name);
        VSphereRef snapshot;
        unsigned n = 0;
        int r;

        if (!step)
                return vsphere_error_errno(error, -ENOMEM, "Cannot switch change tracking on");
        r = task_run(v, "ReconfigVM_Task", vm,
                     "<spec><changeTrackingEnabled>true</changeTrackingEnabled></spec>", NULL,
                     error);
        if (r >= 0)
                r = snapshot_create(v, vm, step, "makes change tracking begin", false, &snapshot,
                                    error);
        if (r < 0)
                return r;
        return snapshot_remove_all(v, vm, &(SnapshotChoice){ .name = step }, &n, error);
}
