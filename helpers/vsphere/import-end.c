/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb import-end: what becomes of the VM of an import, which is known by the instance UUID that was chosen for it. Kept, it may be
 * switched on; else it goes. Both may be asked again and again. A VM that is not switched off is somebody's, and never removed.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "log.h"
#include "nvram-restore.h"
#include "spec.h"
#include "text.h"
#include "verbs.h"
#include "vsphere/inventory.h"
#include "vsphere/lease.h"
#include "vsphere/task.h"

#include <errno.h>
#include <string.h>

static const JsonField fields[] = {
        { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
        { .key = "instance_uuid", .kind = JSON_FIELD_TEXT, .min = 36, .max = 36 },
        { .key = "vm_moref",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = VSPHERE_MOREF_SIZE - 1 },
        { .key = "keep", .kind = JSON_FIELD_BOOL },
        { .key = "power_on", .kind = JSON_FIELD_BOOL, .optional = true },
};

static bool is_in(const VSphereVm *vm, const char *power_state)
{
        return strcmp(vm->power_state ?: "", power_state) == 0;
}

static int keep(VSphere *v, const json_t *spec, const VSphereRef *ref, const VSphereVm *vm,
                json_t **ret_result, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm now = {};
        _cleanup_free_ char *line = NULL;
        VSphereError why = {};
        int r;

        /* The VM is there and whole: that it cannot be switched on is a warning. */
        if (json_field_bool(spec, "power_on") && !is_in(vm, "poweredOn") &&
            task_run(v, "PowerOnVM_Task", ref, NULL, NULL, &why) < 0)
                line = text_format("the VM could not be switched on: %s", why.text);
        r = inventory_read(v, ref, &now, error);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:s, s:s, s:o}", "power_state", now.power_state ?: "", "path",
                                now.path ?: "", "warnings",
                                line ? json_pack("[s]", line) : json_array());
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}

/* What is no file of the VM would stay in its folder. */
static void clear_folder(VSphere *v, const VSphereRef *vm)
{
        VSphereError why = {};
        int r = nvram_restore_undo(v, vm, &why);

        if (r < 0)
                (void) log_warning(r, "Cannot look for an unfinished NVRAM, ignoring: %s",
                                   why.text);
}

static int end(VSphere *v, const json_t *spec, json_t **ret_result, VSphereError *error)
{
        const char *uuid = json_field_text(spec, "instance_uuid"),
                   *moref = json_field_text(spec, "vm_moref");
        CLEANUP(vm_done) VSphereVm vm = {};
        VSphereRef ref = {};
        int r;

        r = import_find(v, uuid, moref, &ref, error);
        if (r >= 0)
                r = inventory_read(v, &ref, &vm, error);
        if (r < 0 && strcmp(error->name, BUS_ERROR_VM_MISSING) != 0)
                return r;
        if (r >= 0 && json_field_bool(spec, "keep"))
                return keep(v, spec, &ref, &vm, ret_result, error);
        if (r >= 0 && !is_in(&vm, "poweredOff"))
                return vsphere_error_set(error, BUS_ERROR_VM_LEFT,
                                         "the VM '%s' of a restore that was given up was switched "
                                         "on, so it stays; remove it, or forgive the obligation",
                                         vm.name ?: "");
        if (!json_field_bool(spec, "keep")) {
                if (r >= 0)
                        clear_folder(v, &ref);
                r = import_undo(v, uuid, r < 0 ? moref : ref.value, r < 0, error);
                if (r < 0)
                        return r;
        }
        *ret_result = json_pack("{s:b}", "vm_missing", 1);
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}

int verb_import_end(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        int r;

        r = spec_check(task->spec, fields, ELEMENTSOF(fields), error);
        if (r >= 0)
                r = spec_open(task, &login, &v, error);
        return r < 0 ? r : end(v, task->spec, ret_result, error);
}
