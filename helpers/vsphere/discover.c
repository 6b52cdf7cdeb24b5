/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb discover: VMs, their disks, and a verdict on each disk before anything is made.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "find.h"
#include "show.h"
#include "spec.h"
#include "verbs.h"

#include <string.h>

static json_t *judged(VSphereVm *vm, bool reads_deltas)
{
        const DiskPolicy policy = vm_disk_policy(vm, reads_deltas);

        disks_judge(&vm->disks, &policy);
        return show_vm(vm);
}

static int discover_one(VSphere *v, const json_t *spec, json_t *vms, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm vm = {};
        VSphereRef ref = {};
        int r;

        r = find_vm(v, spec, &ref, error);
        if (r >= 0)
                r = inventory_read(v, &ref, &vm, error);
        if (r < 0)
                return r;
        (void) json_array_append_new(vms, judged(&vm, find_reads_deltas(spec)));
        return 0;
}

/* Of a name there may be none, or several in different folders. */
static int discover_all(VSphere *v, const json_t *spec, json_t *vms, VSphereError *error)
{
        const char *name = json_field_text(spec, "name");
        CLEANUP(vms_done) VSphereVms all = {};
        int r;

        r = inventory_list(v, &all, error);
        for (size_t i = 0; r >= 0 && i < all.n_vms; i++)
                if (!name || strcmp(all.vms[i].name, name) == 0)
                        (void) json_array_append_new(vms,
                                                     judged(&all.vms[i], find_reads_deltas(spec)));
        return r;
}

int verb_discover(const Task *task, json_t **ret_result, VSphereError *error)
{
        static const JsonField fields[] = {
                { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
                FIND_FIELDS(true),
                { .key = "name",
                  .kind = JSON_FIELD_TEXT,
                  .optional = true,
                  .min = 1,
                  .max = VM_PATH_MAX },
        };
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        json_t *vms;
        int r;

        r = spec_check(task->spec, fields, ELEMENTSOF(fields), error);
        if (r >= 0)
                r = spec_open(task, &login, &v, error);
        if (r < 0)
                return r;
        vms = json_array();
        if (find_is_asked(task->spec))
                r = discover_one(v, task->spec, vms, error);
        else
                r = discover_all(v, task->spec, vms, error);
        if (r < 0) {
                json_decref(vms);
                return r;
        }
        *ret_result = json_pack("{s:o}", "vms", vms);
        return 0;
}
