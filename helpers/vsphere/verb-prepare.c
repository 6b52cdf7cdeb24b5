/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb prepare: what the verb snapshot begins with, and no snapshot. What an earlier job has left is removed, and the
 * VM and each of its disks are judged, so that somebody can look at the disks closer before one is made.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "find.h"
#include "show.h"
#include "spec.h"
#include "take.h"
#include "verbs.h"
#include "vsphere/snapshot.h"

#include <errno.h>

static const JsonField fields[] = {
        { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
        FIND_FIELDS(true),
        { .key = "name",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 76,
          .is_valid = snapshot_name_is_ours,
          .must = "must be sendense- and letters, digits, '.', '_' or '-'" },
        { .key = "leftover_prefix",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 80,
          .is_valid = snapshot_name_is_ours,
          .must = "must be sendense- and letters, digits, '.', '_' or '-'" },
};

int verb_prepare(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        CLEANUP(take_done) Take take = {};
        VSphereRef vm = {};
        int r;

        r = spec_check(task->spec, fields, ELEMENTSOF(fields), error);
        if (r >= 0)
                r = spec_open(task, &login, &v, error);
        if (r >= 0)
                r = find_vm(v, task->spec, &vm, error);
        if (r < 0)
                return r;
        take = (Take){
                .name = json_field_text(task->spec, "name"),
                .leftover_prefix = json_field_text(task->spec, "leftover_prefix"),
                .quiesce = QUIESCE_NO,
                .reads_deltas = find_reads_deltas(task->spec),
                .warnings = json_array(),
        };
        r = take_prepare(v, &vm, &take, error);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:[o], s:I, s:O}", "vms", show_vm(&take.vm), "removed_leftovers",
                                (json_int_t) take.n_leftovers, "warnings", take.warnings);
        return *ret_result ? 0 : -ENOMEM;
}
