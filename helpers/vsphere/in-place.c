/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM whose disks are exchanged (see in-place.h).
 */
#include "in-place.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "vsphere/lease.h"
#include "vsphere/properties.h"
#include "vsphere/task.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void in_place_done(InPlace *place)
{
        (void) vsphere_close(place->v);
        login_spec_done(&place->login);
        vm_done(&place->vm);
        vms_done(&place->all);
        json_decref(place->warnings);
        *place = (InPlace){};
}

int in_place_open(InPlace *place, const Task *task, const JsonField *fields, size_t n_fields,
                  bool is_swap, VSphereError *error)
{
        char why[IMPORT_WHY_SIZE] = "";
        int r;

        place->task = task;
        place->warnings = json_array();
        if (!place->warnings)
                return vsphere_error_errno(error, -ENOMEM, "Cannot restore in place");
        r = spec_check(task->spec, fields, n_fields, error);
        if (r >= 0 && is_swap &&
            swap_read(&place->swap, json_object_get(task->spec, "disks"), why) < 0)
                r = vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why);
        return r < 0 ? r : spec_open(task, &place->login, &place->v, error);
}

static int read_vm(InPlace *place, const VSphereRef *ref, VSphereError *error)
{
        VSphereVm vm = {};
        int r = inventory_read(place->v, ref, &vm, error);

        if (r < 0)
                return r;
        vm_done(&place->vm);
        place->vm = vm;
        return 0;
}

int in_place_find(InPlace *place, VSphereError *error)
{
        VSphereRef ref = {};
        int r;

        r = inventory_find_again(place->v, json_field_text(place->task->spec, "instance_uuid"),
                                 json_field_text(place->task->spec, "vm_moref"), &ref, error);
        if (r > 0)
                r = vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                      "the VM %s has another instance UUID by now; give it the one "
                                      "that it had",
                                      ref.value);
        if (r >= 0)
                r = task_wait_for_all(place->v, &ref, error);
        if (r >= 0)
                r = read_vm(place, &ref, error);
        if (r >= 0)
                r = place_datacenter(place->v, &place->vm.host, &place->datacenter, error);
        return r;
}

static int refuse(const InPlace *place, VSphereError *error, const char *what, const char *remedy)
{
        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE, "%s %s; %s", place->vm.path, what,
                                 remedy);
}

int in_place_check_connected(const InPlace *place, VSphereError *error)
{
        return strcmp(place->vm.connection_state, "connected") == 0
                               ? 0
                               : refuse(place, error, "is not connected at vCenter",
                                        "look at its host");
}

const char *in_place_use(const InPlace *place)
{
        if (strcmp(place->vm.power_state, "suspended") == 0)
                return "it is suspended";
        if (strcmp(place->vm.power_state, "poweredOff") != 0)
                return "it is switched on";
        return place->vm.n_snapshots > 0 ? "it has snapshots" : NULL;
}

int in_place_check_unused(const InPlace *place, VSphereError *error)
{
        const VSphereVm *vm = &place->vm;
        char what[160];
        int r;

        if (vm->is_template)
                return refuse(place, error, "is a template", "make a VM of it first");
        r = in_place_check_connected(place, error);
        if (r < 0)
                return r;
        if (strcmp(vm->power_state, "suspended") == 0)
                return refuse(place, error, "is suspended",
                              "resume it and switch it off, for its memory would not fit other "
                              "disks");
        if (strcmp(vm->power_state, "poweredOff") != 0)
                return refuse(place, error, "is switched on",
                              "switch it off; nothing is restored into a VM that runs");
        if (vm->n_snapshots > 0) {
                (void) snprintf(what, sizeof(what), "has %zu snapshots, '%.60s' among them",
                                vm->n_snapshots, vm->snapshots[0].name);
                return refuse(place, error, what,
                              "remove them, or restore it as a new VM: they are of the disks that "
                              "it has now");
        }
        if (vm->consolidation_needed)
                return refuse(place, error, "needs consolidation of its disks",
                              "let vCenter do that");
        return vm->is_fault_tolerant ? refuse(place, error, "is fault tolerant", "switch that off")
                                     : 0;
}

int in_place_version(const InPlace *place, char **ret_version, VSphereError *error)
{
        static const char *const paths[] = { "config.changeVersion" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        const char *text;
        int r;

        r = properties_of(place->v, &place->vm.ref, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        text = properties_text(found, 0, "config.changeVersion");
        *ret_version = text ? strdup(text) : NULL;
        return text && !*ret_version ? vsphere_error_errno(error, -ENOMEM, "Cannot read a VM") : 0;
}

/* The version first, then the VM that it is of: who changes it in between makes vCenter refuse. */
static int look_again(InPlace *place, char **ret_version, VSphereError *error)
{
        const VSphereRef ref = place->vm.ref;
        int r = in_place_version(place, ret_version, error);

        if (r >= 0)
                r = read_vm(place, &ref, error);
        return r < 0 ? r : in_place_check_unused(place, error);
}

/* Where the answer was lost the VM itself tells what became of it. */
static int is_done(InPlace *place, SwapState wanted, int failed, VSphereError *error)
{
        const VSphereRef ref = place->vm.ref;
        VSphereError why = {};
        int r;

        r = task_wait_for_all(place->v, &ref, &why);
        if (r >= 0)
                r = read_vm(place, &ref, &why);
        if (r >= 0 && swap_state(&place->swap, &place->vm.disks) == wanted)
                return 0;
        if (failed < 0)
                return failed;
        if (r < 0)
                *error = why;
        return r < 0 ? r
                     : vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "vCenter has reconfigured %s, and its disks are not those "
                                         "that were asked for",
                                         place->vm.path);
}

int in_place_exchange(InPlace *place, bool to_new, VSphereError *error)
{
        const SwapState wanted = to_new ? SWAP_NEW : SWAP_OLD, other = to_new ? SWAP_OLD : SWAP_NEW;
        _cleanup_free_ char *version = NULL, *spec = NULL;
        int r;

        r = look_again(place, &version, error);
        if (r < 0)
                return r;
        if (swap_state(&place->swap, &place->vm.disks) != other)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "somebody has changed the disks of %s meanwhile",
                                         place->vm.path);
        spec = swap_xml(&place->swap, &place->vm.disks, to_new, version);
        if (!spec)
                return vsphere_error_errno(error, -ENOMEM, "Cannot exchange disks");
        fault_point("in-place.exchange.before");
        error->fault[0] = '\0';
        r = task_run(place->v, "ReconfigVM_Task", &place->vm.ref, spec, NULL, error);
        fault_point("in-place.exchange.after");
        if (r < 0 && error->fault[0])
                (void) vsphere_error_prefix(error, BUS_ERROR_TARGET_FAILED,
                                            "vCenter does not exchange the disks of %.200s",
                                            place->vm.path);
        return r == -ECANCELED ? r : is_done(place, wanted, r, error);
}

int in_place_undo_staging(InPlace *place, bool may_appear, VSphereError *error)
{
        const json_t *spec = place->task->spec;

        return import_undo(place->v, json_field_text(spec, "staging_uuid"),
                           json_field_text(spec, "staging_moref"), may_appear, error);
}

int in_place_list(InPlace *place, VSphereError *error)
{
        vms_done(&place->all);
        return inventory_list(place->v, &place->all, error);
}

const char *in_place_holder(const InPlace *place, const char *file)
{
        for (size_t i = 0; i < place->all.n_vms; i++)
                if (place->all.vms[i].unusable || swap_has(&place->all.vms[i].disks, file))
                        return place->all.vms[i].path;
        return NULL;
}

/* "" when it is not there. */
static const VSphereRef *manager_of(const InPlace *place, VSphereError *error)
{
        const VSphereRef *manager = vsphere_object(place->v, VSPHERE_VIRTUAL_DISK_MANAGER);

        if (manager->value[0] && place->datacenter.value[0])
                return manager;
        (void) vsphere_error_set(error, BUS_ERROR_FAILED,
                                 "vCenter does not say where the files of disks are managed");
        return NULL;
}

static void put_name(FILE *f, const char *element, const char *text)
{
        (void) fprintf(f, "<%s>", element);
        xml_put(f, text);
        (void) fprintf(f, "</%s>", element);
}

static void put_datacenter(FILE *f, const char *element, const VSphereRef *datacenter)
{
        (void) fprintf(f, "<%s type=\"Datacenter\">", element);
        xml_put(f, datacenter->value);
        (void) fprintf(f, "</%s>", element);
}

/* A file that is not there is what was wanted of a removal, and of a move that was asked for before. */
static int run_on_file(InPlace *place, const char *method, const char *arguments, const char *file,
                       VSphereError *error)
{
        const VSphereRef *manager = manager_of(place, error);
        int r;

        if (!manager)
                return -EIO;
        error->fault[0] = '\0';
        r = task_run(place->v, method, manager, arguments, NULL, error);
        if (r < 0 && vsphere_error_is_fault(error, "FileNotFound"))
                return 1;
        return r < 0 && error->fault[0] ? vsphere_error_prefix(error, BUS_ERROR_TARGET_FAILED,
                                                               "%.300s", file)
                                        : r;
}

int in_place_move(InPlace *place, const char *from, const char *to, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot move a disk");
        put_name(f, "sourceName", from);
        put_datacenter(f, "sourceDatacenter", &place->datacenter);
        put_name(f, "destName", to);
        put_datacenter(f, "destDatacenter", &place->datacenter);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot move a disk");
        return run_on_file(place, "MoveVirtualDisk_Task", arguments, from, error);
}

int in_place_remove(InPlace *place, const char *file, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot remove a disk");
        put_name(f, "name", file);
        put_datacenter(f, "datacenter", &place->datacenter);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot remove a disk");
        return run_on_file(place, "DeleteVirtualDisk_Task", arguments, file, error);
}
