/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Before the snapshot (see take.h): a verdict on the VM and each disk is given while nothing is made yet.
 */
#include "bus/bus-error.h"
#include "json-fields.h"
#include "take.h"
#include "vsphere/snapshot.h"
#include "vsphere/task.h"
#include "warnings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void take_done(Take *take)
{
        vm_done(&take->vm);
        disks_done(&take->disks);
        json_decref(take->warnings);
        json_decref(take->hardware);
        *take = (Take){};
}

bool take_is_wanted(const Take *take, uint32_t disk_key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (take->wanted, i, disk)
                if (json_field_number(disk, "disk_key") == disk_key)
                        return true;
        return !take->wanted;
}

static int read_again(VSphere *v, const VSphereRef *ref, Take *take, VSphereError *error)
{
        DiskPolicy policy;
        VSphereVm vm = {};
        int r;

        r = inventory_read(v, ref, &vm, error);
        if (r < 0)
                return r;
        vm_done(&take->vm);
        take->vm = vm;
        policy = vm_disk_policy(&take->vm, take->reads_deltas);
        disks_judge(&take->vm.disks, &policy);
        return 0;
}

/* What an earlier job left goes first: each of its deltas makes this backup slower, and CBT impossible. */
static int clear(VSphere *v, const VSphereRef *ref, Take *take, VSphereError *error)
{
        const SnapshotChoice choice = { .name = take->name, .prefix = take->leftover_prefix };
        bool still_needed = false;
        int r;

        r = snapshot_remove_all(v, ref, &choice, &take->n_leftovers, error);
        if (r < 0)
                return r;
        if (take->n_leftovers > 0)
                warnings_add(take->warnings, "%u snapshot(s) of an earlier job removed",
                             take->n_leftovers);
        r = snapshot_consolidate(v, ref, NULL, &still_needed, error);
        if (r >= 0 && still_needed)
                warnings_add(take->warnings,
                             "the VM needs consolidation, and vCenter could not do it");
        return r;
}

static int check_vm(const Take *take, VSphereError *error)
{
        const VSphereVm *vm = &take->vm;

        if (vm->is_template)
                return vsphere_error_set(
                                error, BUS_ERROR_VM_NOT_USABLE,
                                "%s is a template, and no template has snapshots; make a VM "
                                "of it, or leave it out",
                                vm->path);
        if (strcmp(vm->connection_state, "connected") != 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "%s is %s at vCenter; look at its host", vm->path,
                                         *vm->connection_state ? vm->connection_state
                                                               : "not known");
        if (vm->hides_snapshots)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter does not tell this user of the snapshots of %s; "
                                         "look at his role",
                                         vm->path);
        if (vm->disks.n_disks == 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE, "%s has no disk",
                                         vm->path);
        if (take->quiesce == QUIESCE_REQUIRED && strcmp(vm->power_state, "suspended") == 0)
                return vsphere_error_set(
                                error, BUS_ERROR_QUIESCE_FAILED,
                                "%s is suspended, so nobody in it can quiesce; resume it, or "
                                "allow a backup without",
                                vm->path);
        return 0;
}

static int check_wanted(const Take *take, VSphereError *error)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (take->wanted, i, disk) {
                const json_int_t key = (json_int_t) json_field_number(disk, "disk_key");
                const VSphereDisk *found = disks_find(&take->vm.disks, (uint32_t) key);

                if (!found)
                        return vsphere_error_set(
                                        error, BUS_ERROR_VM_NOT_USABLE,
                                        "%s has no disk with the key %" JSON_INTEGER_FORMAT,
                                        take->vm.path, key);
                if (found->verdict == DISK_NO)
                        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                                 "disk %" JSON_INTEGER_FORMAT " of %s: %s", key,
                                                 take->vm.path, found->reason);
        }
        return 0;
}

/* Independent and raw disks are left out and told; a disk that only VDDK could read is no reason to leave
 * it out silently. */
static int check_disks(const Take *take, VSphereError *error)
{
        const VSphereDisks *disks = &take->vm.disks;
        const char *reason = "none is wanted";
        size_t n_usable = 0;

        for (size_t i = 0; i < disks->n_disks; i++) {
                const VSphereDisk *disk = &disks->disks[i];

                if (!take_is_wanted(take, disk->key))
                        continue;
                if (disk->verdict != DISK_NO)
                        n_usable++;
                else if (disk->has_parent)
                        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                                 "disk %" PRIu32 " of %s: %s", disk->key,
                                                 take->vm.path, disk->reason);
                else
                        reason = disk->reason;
        }
        if (n_usable == 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "no disk of %s can be backed up: %s", take->vm.path,
                                         reason);
        if (n_usable > DISKS_USABLE_MAX)
                return vsphere_error_set(
                                error, BUS_ERROR_VM_NOT_USABLE,
                                "%s has %zu disks, and a backup has at most %u; name the ones "
                                "that are wanted",
                                take->vm.path, n_usable, (unsigned) DISKS_USABLE_MAX);
        return 0;
}

/* A failure costs an incremental backup and no more; what it may have left is looked for by the caller. */
static int enable_cbt(VSphere *v, const VSphereRef *ref, Take *take, VSphereError *error)
{
        int r;

        if (take->vm.cbt_enabled || !take->enable_cbt)
                return 0;
        if (!vm_disk_policy(&take->vm, false).cbt_possible) {
                warnings_add(take->warnings, "change tracking cannot be switched on: %s",
                             take->vm.n_snapshots > 0 ? "the VM has snapshots; remove them"
                                                      : "host or virtual hardware do not know it");
                return 0;
        }
        take->was_asked = true;
        r = snapshot_enable_cbt(v, ref, take->name, error);
        if (r < 0 && error->fault[0] == '\0')
                return r;
        if (r < 0) {
                unsigned n;

                warnings_add(take->warnings, "change tracking could not be switched on: %s",
                             error->text);
                r = snapshot_remove_all(v, ref, &(SnapshotChoice){ .name = take->name }, &n, error);
                if (r < 0)
                        return r;
        }
        return read_again(v, ref, take, error);
}

static bool must_be_cleared(const Take *take)
{
        const SnapshotChoice choice = { .name = take->name, .prefix = take->leftover_prefix };

        for (size_t i = 0; i < take->vm.n_snapshots; i++)
                if (snapshot_is_chosen(&choice, take->vm.snapshots[i].name))
                        return true;
        return take->vm.consolidation_needed;
}

/* What the VM is when nobody is at work on its snapshots. */
static int look(VSphere *v, const VSphereRef *vm, Take *take, VSphereError *error)
{
        int r;

        r = task_wait_for_snapshots(v, vm, error);
        if (r >= 0 || vsphere_error_is_fault(error, "ManagedObjectNotFound"))
                r = read_again(v, vm, take, error);
        return r < 0 ? r : check_vm(take, error);
}

int take_prepare(VSphere *v, const VSphereRef *vm, Take *take, VSphereError *error)
{
        int r;

        r = look(v, vm, take, error);
        if (r >= 0 && must_be_cleared(take)) {
                r = clear(v, vm, take, error);
                if (r >= 0)
                        r = look(v, vm, take, error);
        }
        if (r >= 0)
                r = check_wanted(take, error);
        if (r >= 0)
                r = check_disks(take, error);
        return r < 0 ? r : enable_cbt(v, vm, take, error);
}
