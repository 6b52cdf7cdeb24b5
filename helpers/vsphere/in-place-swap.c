/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb in-place-swap: the disks that an import has made with a VM of their own become those of the VM that is there. They are taken
 * off the new VM, moved beside the old ones, the new VM goes, and then one reconfiguration exchanges them: before it the VM is as it was,
 * after it the VM has the new content, and the old files still lie where they lay. May be asked for again and again; what it does not
 * bring to its end, in-place-end undoes.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "in-place.h"
#include "verbs.h"
#include "vsphere/lease.h"
#include "vsphere/task.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const JsonField fields[] = {
        IN_PLACE_FIELDS,
        IN_PLACE_STAGING_FIELDS,
};

static int check_staged(const InPlace *place, VSphereError *error)
{
        for (size_t i = 0; i < place->swap.n_disks; i++)
                if (!place->swap.disks[i].staged_file)
                        return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                                 "disks: nobody says where the disk %" PRIu32
                                                 " was made",
                                                 place->swap.disks[i].disk_key);
        return 0;
}

/* The VM of the import has nothing but those disks. A second time it has none any more, or is gone. */
static int detach(InPlace *place, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm staging = {};
        _cleanup_free_ char *spec = NULL;
        VSphereRef ref = {};
        int r;

        r = import_find(place->v, json_field_text(place->task->spec, "staging_uuid"),
                        json_field_text(place->task->spec, "staging_moref"), &ref, error);
        if (r < 0)
                return strcmp(error->name, BUS_ERROR_VM_MISSING) == 0 ? 0 : r;
        r = task_wait_for_all(place->v, &ref, error);
        if (r >= 0)
                r = inventory_read(place->v, &ref, &staging, error);
        if (r < 0 || staging.disks.n_disks == 0)
                return r;
        spec = swap_detach_xml(&staging.disks);
        if (!spec)
                return vsphere_error_errno(error, -ENOMEM, "Cannot take disks off");
        fault_point("in-place.detach.before");
        r = task_run(place->v, "ReconfigVM_Task", &ref, spec, NULL, error);
        fault_point("in-place.detach.after");
        return r < 0 ? vsphere_error_prefix(error, error->name,
                                            "the disks cannot be taken off the VM that they were "
                                            "made with")
                     : 0;
}

/* One that is not there has been moved before; if not, vCenter will say so when it is to be attached. */
static int move_all(InPlace *place, VSphereError *error)
{
        int r = 0;

        for (size_t i = 0; i < place->swap.n_disks && r >= 0; i++) {
                fault_point("in-place.move.before");
                r = in_place_move(place, place->swap.disks[i].staged_file,
                                  place->swap.disks[i].new_file, error);
                fault_point("in-place.move.after");
        }
        return r < 0 ? r : 0;
}

static int bring(InPlace *place, VSphereError *error)
{
        int r;

        r = in_place_check_unused(place, error);
        if (r >= 0)
                r = detach(place, error);
        if (r >= 0)
                r = move_all(place, error);
        if (r < 0)
                return r;
        fault_point("in-place.destroy.before");
        r = in_place_undo_staging(place, false, error);
        fault_point("in-place.destroy.after");
        return r < 0 ? r : in_place_exchange(place, true, error);
}

static json_t *show(const InPlace *place, const char *version)
{
        return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:O}", "vm_moref", place->vm.ref.value,
                         "instance_uuid", place->vm.instance_uuid, "path", place->vm.path,
                         "power_state", place->vm.power_state, "change_version", version,
                         "warnings", place->warnings);
}

int verb_in_place_swap(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(in_place_done) InPlace place = {};
        _cleanup_free_ char *version = NULL;
        int r;

        r = in_place_open(&place, task, fields, ELEMENTSOF(fields), true, error);
        if (r >= 0)
                r = check_staged(&place, error);
        if (r >= 0)
                r = in_place_find(&place, error);
        if (r >= 0 && swap_state(&place.swap, &place.vm.disks) != SWAP_NEW)
                r = bring(&place, error);
        if (r >= 0)
                r = in_place_version(&place, &version, error);
        if (r < 0)
                return r;
        *ret_result = show(&place, version);
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}
