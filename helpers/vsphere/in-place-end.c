/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb in-place-end: what becomes of a VM whose disks were exchanged, or were to be. Kept, the files that it had before go, unless
 * they are wanted, and it may be switched on. Given up, it gets them back, and what was made for it goes, in whatever step that was left.
 * Both may be asked again and again. A VM that somebody uses meanwhile is not touched.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "in-place.h"
#include "text.h"
#include "utf8.h"
#include "verbs.h"
#include "vsphere/task.h"
#include "warnings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        VERSION_MAX = 255,
};

static const JsonField fields[] = {
        IN_PLACE_FIELDS,
        IN_PLACE_STAGING_FIELDS,
        { .key = "keep", .kind = JSON_FIELD_BOOL },
        { .key = "keep_disks", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "power_on", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "change_version",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = VERSION_MAX },
};

/* ── Kept ── */

/* What hangs at a VM is its user's, whichever VM that is. */
static bool must_stay(InPlace *place, const char *file)
{
        const char *holder = in_place_holder(place, file);

        if (holder)
                warnings_add(place->warnings, "%s hangs at %s, or may, so it stays", file, holder);
        return holder;
}

/* A file that is there and cannot be removed is told, and somebody asks again. */
static int remove_old(InPlace *place, json_t *left, VSphereError *error)
{
        int r = in_place_list(place, error);

        if (r < 0)
                return r;
        for (size_t i = 0; i < place->swap.n_disks; i++) {
                const char *file = place->swap.disks[i].old_file;

                if (!file || must_stay(place, file))
                        continue;
                fault_point("in-place.old.before");
                r = in_place_remove(place, file, error);
                fault_point("in-place.old.after");
                if (r == -ECANCELED)
                        return r;
                if (r < 0 && json_array_append_new(left, json_pack("{s:s, s:s}", "file", file,
                                                                   "why", error->text)) < 0)
                        return vsphere_error_errno(error, -ENOMEM, "Cannot remove disks");
        }
        return 0;
}

/* The VM is there and whole: that it cannot be switched on is a warning. */
static void power_on(InPlace *place)
{
        VSphereError why = {};

        if (strcmp(place->vm.power_state, "poweredOn") != 0 &&
            task_run(place->v, "PowerOnVM_Task", &place->vm.ref, NULL, NULL, &why) < 0)
                warnings_add(place->warnings, "the VM could not be switched on: %s", why.text);
}

static json_t *names_of_old(const InPlace *place)
{
        json_t *list = json_array();

        for (size_t i = 0; i < place->swap.n_disks; i++)
                if (place->swap.disks[i].old_file)
                        (void) json_array_append_new(list,
                                                     json_string(place->swap.disks[i].old_file));
        return list;
}

static int keep(InPlace *place, json_t **ret_result, VSphereError *error)
{
        const json_t *spec = place->task->spec;
        const VSphereRef ref = place->vm.ref;
        json_t *left = json_array();
        int r = 0;

        if (!json_field_bool(spec, "keep_disks"))
                r = remove_old(place, left, error);
        if (r >= 0 && json_field_bool(spec, "power_on"))
                power_on(place);
        if (r >= 0) {
                vm_done(&place->vm);
                r = inventory_read(place->v, &ref, &place->vm, error);
        }
        if (r < 0) {
                json_decref(left);
                return r;
        }
        *ret_result = json_pack("{s:s, s:s, s:o, s:o, s:O}", "power_state", place->vm.power_state,
                                "path", place->vm.path, "left", left, "kept_files",
                                json_field_bool(spec, "keep_disks") ? names_of_old(place)
                                                                    : json_array(),
                                "warnings", place->warnings);
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}

/* ── Given up ── */

/* What he works with is his: it is never taken away from him, and nobody asks again. */
static int tell_used(const InPlace *place, const char *why, json_t **ret_result,
                     VSphereError *error)
{
        _cleanup_free_ char *text = NULL;
        const char *old = NULL;

        for (size_t i = 0; i < place->swap.n_disks && !old; i++)
                old = place->swap.disks[i].old_file;
        text = text_format("%.160s keeps the disks of a restore that was given up, because %.160s. "
                           "Those of before lie where they lay, %.160s for one; exchange them by "
                           "hand, or remove them",
                           place->vm.path, why, old ? old : "none");
        if (text) {
                utf8_make_line(text);
                *ret_result = json_pack("{s:s, s:o, s:s, s:s, s:O}", "used", text, "old_files",
                                        names_of_old(place), "power_state", place->vm.power_state,
                                        "path", place->vm.path, "warnings", place->warnings);
        }
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}

/* 1: somebody uses it, and ret_why says how. Whatever else is in the way is an error, and may pass. */
static int check_untouched(InPlace *place, const char **ret_why, VSphereError *error)
{
        const char *was = json_field_text(place->task->spec, "change_version");
        _cleanup_free_ char *is = NULL;
        int r;

        *ret_why = in_place_use(place);
        if (*ret_why)
                return 1;
        r = in_place_version(place, &is, error);
        if (r < 0)
                return r;
        /* Without an answer from the exchange there is nothing to compare it with. */
        if (!was)
                *ret_why = "nobody knows whether somebody has used it since they were exchanged";
        else if (strcmp(was, is ? is : "") != 0)
                *ret_why = "its configuration has changed since";
        return *ret_why ? 1 : in_place_check_unused(place, error);
}

static int give_back(InPlace *place, const char **ret_why, VSphereError *error)
{
        int r;

        if (swap_state(&place->swap, &place->vm.disks) == SWAP_NEW) {
                r = check_untouched(place, ret_why, error);
                return r != 0 ? r : in_place_exchange(place, false, error);
        }
        /* Whatever else it has now is nothing that was brought from here. */
        if (!swap_is_any_new(&place->swap, &place->vm.disks))
                return 0;
        *ret_why = "somebody has changed them since";
        return 1;
}

static int remove_new(InPlace *place, const char *file, VSphereError *error)
{
        int r;

        if (!file || must_stay(place, file))
                return 0;
        fault_point("in-place.new.before");
        r = in_place_remove(place, file, error);
        fault_point("in-place.new.after");
        return r < 0 && r != -ECANCELED
                               ? vsphere_error_prefix(error, BUS_ERROR_VM_LEFT,
                                                      "a disk of a restore that was given up "
                                                      "cannot be removed")
                               : r;
}

/* Whether the VM of the import is there after all is only known when nobody knows of its end: it may appear yet. */
static int give_up(InPlace *place, json_t **ret_result, VSphereError *error)
{
        bool may_appear = true;
        const char *why = NULL;
        int r;

        r = give_back(place, &why, error);
        if (r > 0)
                return tell_used(place, why, ret_result, error);
        for (size_t i = 0; i < place->swap.n_disks; i++)
                may_appear = may_appear && !place->swap.disks[i].staged_file;
        if (r >= 0)
                r = in_place_undo_staging(place, may_appear, error);
        if (r >= 0)
                r = in_place_list(place, error);
        for (size_t i = 0; i < place->swap.n_disks && r >= 0; i++) {
                r = remove_new(place, place->swap.disks[i].new_file, error);
                if (r >= 0)
                        r = remove_new(place, place->swap.disks[i].staged_file, error);
        }
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:s, s:s, s:O}", "power_state", place->vm.power_state, "path",
                                place->vm.path, "warnings", place->warnings);
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}

/* With the VM went what hung at it. What did not stays: nobody knows what somebody meant by removing it. */
static int end_missing(InPlace *place, json_t **ret_result, VSphereError *error)
{
        int r = 0;

        if (!json_field_bool(place->task->spec, "keep"))
                r = in_place_undo_staging(place, true, error);
        if (r < 0)
                return r;
        warnings_add(place->warnings,
                     "the VM was removed meanwhile: files of its disks from before the "
                     "restore, or "
                     "of those that were brought, may lie on its datastores");
        *ret_result = json_pack("{s:b, s:O}", "vm_missing", 1, "warnings", place->warnings);
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot tell of the VM");
}

int verb_in_place_end(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(in_place_done) InPlace place = {};
        int r;

        r = in_place_open(&place, task, fields, ELEMENTSOF(fields), true, error);
        if (r < 0)
                return r;
        r = in_place_find(&place, error);
        if (r < 0 && strcmp(error->name, BUS_ERROR_VM_MISSING) == 0)
                return end_missing(&place, ret_result, error);
        if (r >= 0)
                r = in_place_check_connected(&place, error); /* or what it has may not be shown */
        if (r < 0)
                return r;
        return json_field_bool(task->spec, "keep") ? keep(&place, ret_result, error)
                                                   : give_up(&place, ret_result, error);
}
