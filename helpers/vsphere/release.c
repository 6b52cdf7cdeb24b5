/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb release: the snapshot of a backup goes. It may be asked again and again: what is gone is a success.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "find.h"
#include "spec.h"
#include "verbs.h"
#include "vsphere/snapshot.h"

#include <errno.h>
#include <string.h>

static const JsonField fields[] = {
        { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
        FIND_FIELDS(true),
        { .key = "name",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 80,
          .is_valid = snapshot_name_is_ours,
          .must = "must be sendense- and letters, digits, '.', '_' or '-'" },
        { .key = "vm_moref",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = VSPHERE_MOREF_SIZE - 1 },
};

/* A VM that is gone has taken its snapshots with it. One that has another instance UUID by now may be the one that it was: then it has
 * the snapshot, whose name is ours alone. Without it, it is another one that a vCenter set up anew has under that moref. */
static int release(VSphere *v, const json_t *spec, json_t **ret_result, VSphereError *error)
{
        const SnapshotChoice choice = { .name = json_field_text(spec, "name") };
        bool still_needed = false, is_other;
        VSphereRef vm = {};
        unsigned n = 0;
        int r;

        r = find_vm(v, spec, &vm, error);
        if (r < 0 && strcmp(error->name, BUS_ERROR_VM_MISSING) == 0) {
                *ret_result = json_pack("{s:i, s:b, s:b}", "removed", 0, "consolidation_needed", 0,
                                        "vm_missing", 1);
                return 0;
        }
        is_other = r > 0;
        if (r >= 0)
                r = snapshot_remove_all(v, &vm, &choice, &n, error);
        if (r >= 0 && (!is_other || n > 0))
                r = snapshot_consolidate(v, &vm, choice.name, &still_needed, error);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:I, s:b, s:b}", "removed", (json_int_t) n,
                                "consolidation_needed", still_needed, "vm_missing",
                                is_other && n == 0);
        return 0;
}

int verb_release(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        int r;

        r = spec_check(task->spec, fields, ELEMENTSOF(fields), error);
        if (r >= 0)
                r = spec_open(task, &login, &v, error);
        return r < 0 ? r : release(v, task->spec, ret_result, error);
}
