/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The snapshot of a backup and what is in it (see take.h).
 */
#include "take.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "show.h"
#include "vsphere/snapshot.h"
#include "warnings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* As many tries as asked for with quiescing; then, if that is allowed, one without. */
static int create(VSphere *v, Take *take, VSphereError *error)
{
        bool is_on = strcmp(take->vm.power_state, "poweredOn") == 0;
        bool quiesce = is_on && take->quiesce != QUIESCE_NO;

        for (unsigned i = 1;; i++) {
                int r;

                r = snapshot_create(v, &take->vm.ref, take->name, take->description, quiesce,
                                    &take->snapshot, error);
                if (r >= 0 || !quiesce || !snapshot_is_quiesce_fault(error))
                        return r;
                if (i < take->quiesce_tries) {
                        if (vsphere_wait(v, take->quiesce_wait_msec, error) < 0)
                                return -ECANCELED;
                        continue;
                }
                if (take->quiesce == QUIESCE_REQUIRED)
                        return vsphere_error_prefix(
                                        error, BUS_ERROR_QUIESCE_FAILED,
                                        "the guest of %s could not be quiesced in %u tries, "
                                        "and the job asks for it",
                                        take->vm.path, i);
                warnings_add(take->warnings,
                             "the guest could not be quiesced, so the backup is as after a power "
                             "cut: "
                             "%s",
                             error->text);
                quiesce = false;
        }
}

/* vCenter ignores the wish without a word when the guest has no tools; its tree of snapshots tells. */
static int read_truth(VSphere *v, Take *take, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm now = {};
        const VSphereSnapshot *found;
        bool is_on = strcmp(take->vm.power_state, "poweredOn") == 0;
        int r;

        r = inventory_read(v, &take->vm.ref, &now, error);
        if (r < 0)
                return r;
        found = vm_find_snapshot(&now, take->name);
        if (!found || strcmp(found->ref.value, take->snapshot.value) != 0)
                return vsphere_error_set(error, BUS_ERROR_SNAPSHOT_FAILED,
                                         "the snapshot that vCenter made of %s is not there",
                                         now.path);
        take->is_quiesced = found->is_quiesced;
        if (take->is_quiesced || take->quiesce == QUIESCE_NO || !is_on)
                return 0;
        if (take->quiesce == QUIESCE_REQUIRED)
                return vsphere_error_set(
                                error, BUS_ERROR_QUIESCE_FAILED,
                                "vCenter made the snapshot of %s without quiescing the guest, "
                                "and the job asks for it; are VMware Tools running in it?",
                                now.path);
        if (json_array_size(take->warnings) == 0)
                warnings_add(take->warnings, "the guest was not quiesced, so the backup is as "
                                             "after a power cut; are "
                                             "VMware Tools running in it?");
        return 0;
}

int take_snapshot(VSphere *v, Take *take, VSphereError *error)
{
        int r;

        take->was_asked = true;
        r = create(v, take, error);
        if (r >= 0)
                r = read_truth(v, take, error);
        if (r >= 0 && strcmp(take->vm.power_state, "suspended") == 0)
                warnings_add(take->warnings, "the VM is suspended: what its guest has in memory is "
                                             "not in the backup");
        return r;
}

int take_read_disks(VSphere *v, Take *take, VSphereError *error)
{
        DiskPolicy policy = vm_disk_policy(&take->vm, true); /* the live disks were judged before */
        int r;

        policy.is_snapshot = true;
        r = inventory_snapshot_config(v, &take->snapshot, &take->disks, &take->hardware, error);
        if (r < 0)
                return r;
        disks_judge(&take->disks, &policy);
        for (size_t i = 0; i < take->vm.disks.n_disks; i++) {
                const VSphereDisk *before = &take->vm.disks.disks[i];
                const VSphereDisk *now = disks_find(&take->disks, before->key);

                if (before->verdict == DISK_NO || !take_is_wanted(take, before->key))
                        continue;
                if (!now || now->verdict == DISK_NO)
                        return vsphere_error_set(error, BUS_ERROR_SNAPSHOT_FAILED,
                                                 "disk %" PRIu32 " of %s is not in the snapshot",
                                                 before->key, take->vm.path);
                if (strcasecmp(now->backing_uuid, before->backing_uuid) != 0)
                        return vsphere_error_set(error, BUS_ERROR_SNAPSHOT_FAILED,
                                                 "disk %" PRIu32 " of %s was replaced meanwhile",
                                                 before->key, take->vm.path);
                if (now->has_parent && !take->reads_deltas)
                        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                                 "somebody else made a snapshot of %s meanwhile",
                                                 take->vm.path);
        }
        return 0;
}

static json_t *excluded(uint32_t key, const char *label, const char *reason)
{
        return json_pack("{s:I, s:s, s:s}", "disk_key", (json_int_t) key, "label", label, "reason",
                         reason);
}

/* Every disk of VM and snapshot is in one of the two lists. */
json_t *take_result(const Take *take)
{
        json_t *disks = json_array(), *left_out = json_array();

        for (size_t i = 0; i < take->disks.n_disks; i++) {
                const VSphereDisk *disk = &take->disks.disks[i];

                if (disk->verdict == DISK_NO)
                        (void) json_array_append_new(
                                        left_out, excluded(disk->key, disk->label, disk->reason));
                else if (!take_is_wanted(take, disk->key))
                        (void) json_array_append_new(left_out,
                                                     excluded(disk->key, disk->label,
                                                              "the job does not ask for it"));
                else
                        (void) json_array_append_new(disks, show_disk(disk, take->vm.datacenter));
        }
        for (size_t i = 0; i < take->vm.disks.n_disks; i++) {
                const VSphereDisk *disk = &take->vm.disks.disks[i];

                if (!disks_find(&take->disks, disk->key))
                        (void) json_array_append_new(
                                        left_out,
                                        excluded(disk->key, disk->label,
                                                 disk->reason ? disk->reason
                                                              : "it is not in the snapshot"));
        }
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:I, s:o, s:o, s:O, s:O}",
                         "vm_moref", take->vm.ref.value, "snapshot_moref", take->snapshot.value,
                         "name", take->name, "instance_uuid", take->vm.instance_uuid, "path",
                         take->vm.path, "quiesced", take->is_quiesced, "cbt_enabled",
                         take->vm.cbt_enabled, "datacenter", take->vm.datacenter, "power_state",
                         take->vm.power_state, "removed_leftovers", (json_int_t) take->n_leftovers,
                         "disks", disks, "excluded", left_out, "warnings", take->warnings,
                         "hardware", take->hardware);
}
