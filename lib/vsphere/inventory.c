/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs and what is to be known of them (see inventory.h).
 */
#include "vsphere/inventory.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "parse.h"
#include "utf8.h"
#include "vsphere/hardware.h"
#include "vsphere/path.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

static const char *const vm_paths[] = {
        "name",
        "parent",
        "parentVApp",
        "config.instanceUuid",
        "config.uuid",
        "config.template",
        "config.version",
        "config.firmware",
        "config.changeTrackingEnabled",
        "config.hardware.device",
        "capability.changeTrackingSupported",
        "runtime.powerState",
        "runtime.connectionState",
        "runtime.consolidationNeeded",
        "runtime.faultToleranceState",
        "runtime.host",
        "snapshot",
};

void vm_done(VSphereVm *vm)
{
        char *texts[] = { vm->name,      vm->path,        vm->datacenter,       vm->instance_uuid,
                          vm->bios_uuid, vm->power_state, vm->connection_state, vm->firmware,
                          vm->version,   vm->unusable };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                free(texts[i]);
        for (size_t i = 0; i < vm->n_snapshots; i++)
                free(vm->snapshots[i].name);
        free(vm->snapshots);
        disks_done(&vm->disks);
        *vm = (VSphereVm){};
}

void vms_done(VSphereVms *vms)
{
        for (size_t i = 0; i < vms->n_vms; i++)
                vm_done(&vms->vms[i]);
        free(vms->vms);
        *vms = (VSphereVms){};
}

const VSphereSnapshot *vm_find_snapshot(const VSphereVm *vm, const char *name)
{
        for (size_t i = 0; i < vm->n_snapshots; i++)
                if (strcmp(vm->snapshots[i].name, name) == 0)
                        return &vm->snapshots[i];
        return NULL;
}

/* Virtual hardware before version 7 knows no changed blocks. */
static bool is_new_enough(const char *version)
{
        uint64_t number;

        return strncmp(version, "vmx-", 4) == 0 &&
               parse_uint64(version[4] == '0' ? version + 5 : version + 4, 7, 1000, &number) >= 0;
}

DiskPolicy vm_disk_policy(const VSphereVm *vm, bool reads_deltas)
{
        return (DiskPolicy){
                .is_template = vm->is_template,
                .is_fault_tolerant = vm->is_fault_tolerant,
                .is_bound = vm->has_host_device && strcmp(vm->power_state, "poweredOn") == 0,
                .cbt_enabled = vm->cbt_enabled,
                .cbt_possible = vm->cbt_supported && is_new_enough(vm->version) &&
                                vm->n_snapshots == 0,
                .reads_deltas = reads_deltas,
        };
}

static int put_text(FILE *f, const char *element, const char *text)
{
        (void) fprintf(f, "<%s>", element);
        xml_put(f, text);
        return fprintf(f, "</%s>", element);
}

static int search(VSphere *v, const char *method, const char *element, const char *text,
                  const char *more, XmlDocument **ret_document, const XmlNode **ret_answer,
                  VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot search for a VM");
        (void) put_text(f, element, text);
        (void) fputs(more, f);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot search for a VM");
        return vsphere_call(v,
                            &(VSphereCall){ .method = method,
                                            .self = vsphere_object(v, VSPHERE_SEARCH_INDEX),
                                            .arguments = arguments },
                            ret_document, ret_answer, error);
}

int inventory_find_uuid(VSphere *v, const char *instance_uuid, VSphereRef *ret_vm,
                        VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer = NULL, *found;
        int r;

        r = search(v, "FindAllByUuid", "uuid", instance_uuid,
                   "<vmSearch>true</vmSearch><instanceUuid>true</instanceUuid>", &document, &answer,
                   error);
        if (r < 0)
                return r;
        found = xml_child(answer, "returnval");
        if (xml_next(found, "returnval"))
                return vsphere_error_set(
                                error, BUS_ERROR_VM_AMBIGUOUS,
                                "vCenter knows several VMs with the instance UUID %s; give "
                                "all but one a new one",
                                instance_uuid);
        if (!found || soap_reference(found, ret_vm) < 0 ||
            strcmp(ret_vm->type, "VirtualMachine") != 0)
                return vsphere_error_set(error, BUS_ERROR_VM_MISSING,
                                         "vCenter %s knows no VM with the instance UUID %s, or the "
                                         "user may not see it",
                                         vsphere_about(v)->name, instance_uuid);
        return 0;
}

static int find_moref(VSphere *v, const char *instance_uuid, const char *moref, VSphereRef *ret_vm,
                      VSphereError *error)
{
        static const char *const paths[] = { "name", "config.instanceUuid",
                                             "runtime.connectionState" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        VSphereRef ref = { .type = "VirtualMachine" };
        const char *uuid, *state;
        int r;

        if ((size_t) snprintf(ref.value, sizeof(ref.value), "%s", moref) >= sizeof(ref.value))
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "no VM has a name of that length at vCenter");
        r = properties_of(v, &ref, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return vsphere_error_is_fault(error, "ManagedObjectNotFound")
                                       ? vsphere_error_prefix(error, BUS_ERROR_VM_MISSING,
                                                              "the VM is gone")
                                       : r;
        uuid = properties_text(found, 0, "config.instanceUuid");
        state = properties_text(found, 0, "runtime.connectionState") ?: "";
        if (!uuid || strcmp(state, "connected") != 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "the VM '%.80s' (%s) is there and %.40s at vCenter, which "
                                         "finds it by no UUID meanwhile; look at its host and its "
                                         "datastores",
                                         properties_text(found, 0, "name") ?: "", moref,
                                         *state ? state : "in no known state");
        *ret_vm = ref;
        return strcasecmp(uuid, instance_uuid) == 0 ? 0 : 1;
}

int inventory_find_again(VSphere *v, const char *instance_uuid, const char *moref,
                         VSphereRef *ret_vm, VSphereError *error)
{
        int r = inventory_find_uuid(v, instance_uuid, ret_vm, error);

        if (r >= 0 || !moref || *moref == '\0' || strcmp(error->name, BUS_ERROR_VM_MISSING) != 0)
                return r;
        return find_moref(v, instance_uuid, moref, ret_vm, error);
}

/* The path with each % that is no escape of VMware's made one, or NULL when out of memory. */
static char *escape_percent(const char *path)
{
        size_t size = 3 * strlen(path) + 1, at = 0;
        char *text = malloc(size);

        if (!text)
                return NULL;
        text[0] = '\0';
        for (; *path; path++)
                if (*path == '%' && strncasecmp(path + 1, "2f", 2) != 0 &&
                    strncasecmp(path + 1, "5c", 2) != 0 && strncmp(path + 1, "25", 2) != 0)
                        at = xml_append(text, size, at, "%25");
                else
                        at = xml_append(text, size, at, (const char[]){ *path, '\0' });
        return text;
}

static int find_path(VSphere *v, const char *path, VSphereRef *ret_ref, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer = NULL;
        int r;

        r = search(v, "FindByInventoryPath", "inventoryPath", path, "", &document, &answer, error);
        if (r < 0)
                return r;
        return soap_reference(xml_child(answer, "returnval"), ret_ref) < 0 ? 1 : 0;
}

int inventory_find_object(VSphere *v, const char *path, VSphereRef *ret_ref, VSphereError *error)
{
        _cleanup_free_ char *escaped = escape_percent(path);
        int r;

        if (!escaped)
                return vsphere_error_errno(error, -ENOMEM, "Cannot search for an object");
        r = find_path(v, path, ret_ref, error);
        if (r > 0 && strcmp(escaped, path) != 0)
                r = find_path(v, escaped, ret_ref, error);
        return r;
}

int inventory_find_path(VSphere *v, const char *path, VSphereRef *ret_vm, VSphereError *error)
{
        VSphereRef ref = {};
        int r;

        r = inventory_find_object(v, path, &ref, error);
        if (r < 0)
                return r;
        if (r > 0)
                return vsphere_error_set(
                                error, BUS_ERROR_VM_MISSING,
                                "vCenter knows no VM at '%s'; a path is DATACENTER/vm/FOLDER/NAME, "
                                "with %%2f for a slash in a name",
                                path);
        if (strcmp(ref.type, "VirtualMachine") != 0)
                return vsphere_error_set(error, BUS_ERROR_VM_MISSING, "'%s' is no VM but a %s",
                                         path, ref.type);
        *ret_vm = ref;
        return 0;
}

/* As deep as the XML at most. */
static int add_snapshots(const XmlNode *tree, VSphereVm *vm)
{
        const char *name = xml_text_at(tree, "name");
        VSphereSnapshot snapshot = { .is_quiesced = xml_is_true_at(tree, "quiesced") }, *larger;
        int r = 0;

        if (vm->n_snapshots >= SNAPSHOTS_MAX)
                return -E2BIG;
        if (soap_reference(xml_child(tree, "snapshot"), &snapshot.ref) < 0)
                return -EBADMSG;
        larger = reallocarray(vm->snapshots, vm->n_snapshots + 1, sizeof(VSphereSnapshot));
        if (!larger)
                return -ENOMEM;
        vm->snapshots = larger;
        snapshot.name = strndup(name ? name : "", 1024);
        if (!snapshot.name)
                return -ENOMEM;
        vm->snapshots[vm->n_snapshots++] = snapshot;
        for (const XmlNode *child = xml_child(tree, "childSnapshotList"); child && r >= 0;
             child = xml_next(child, "childSnapshotList"))
                r = add_snapshots(child, vm);
        return r;
}

static int read_text(const Properties *found, size_t i, const char *path, char **ret_text)
{
        const char *text = properties_text(found, i, path);
        char *copy = strndup(text ? text : "", 1024);

        if (!copy)
                return -ENOMEM;
        utf8_make_line(copy);
        *ret_text = copy;
        return 0;
}

static int read_texts(const Properties *found, size_t i, VSphereVm *vm)
{
        const struct {
                const char *path;
                char **to;
        } texts[] = {
                { "name", &vm->name },
                { "config.instanceUuid", &vm->instance_uuid },
                { "config.uuid", &vm->bios_uuid },
                { "config.version", &vm->version },
                { "config.firmware", &vm->firmware },
                { "runtime.powerState", &vm->power_state },
                { "runtime.connectionState", &vm->connection_state },
        };
        int r = 0;

        for (size_t k = 0; k < ELEMENTSOF(texts) && r >= 0; k++)
                r = read_text(found, i, texts[k].path, texts[k].to);
        return r;
}

static bool is_fault_tolerant(const char *state)
{
        return state && *state && strcmp(state, "notConfigured") != 0;
}

/* What only this VM has, and what may be odd in it. */
static int read_parts(const Properties *found, size_t i, VSphereVm *vm, VSphereError *error)
{
        const XmlNode *tree = properties_value(found, i, "snapshot"),
                      *device = properties_value(found, i, "config.hardware.device");
        int r = 0;

        for (const XmlNode *root = xml_child(tree, "rootSnapshotList"); root && r >= 0;
             root = xml_next(root, "rootSnapshotList"))
                r = add_snapshots(root, vm);
        if (r == -E2BIG)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter shows more than %u snapshots",
                                         (unsigned) SNAPSHOTS_MAX);
        if (r == -EBADMSG)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter shows a snapshot without a reference");
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot read a VM's snapshots");
        vm->hides_snapshots = properties_is_missing(found, i, "snapshot");
        vm->hides_devices = !device;
        vm->has_host_device = devices_are_of_host(device);
        return disks_read(device, &vm->disks, error);
}

static int read_vm(VSphere *v, const Properties *found, size_t i, Paths *paths, VSphereVm *vm,
                   VSphereError *error)
{
        VSphereRef parent = {};
        int r;

        vm->ref = *properties_ref(found, i);
        r = read_texts(found, i, vm);
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot read a VM");
        vm->is_template = properties_is_true(found, i, "config.template");
        vm->cbt_enabled = properties_is_true(found, i, "config.changeTrackingEnabled");
        vm->cbt_supported = properties_is_true(found, i, "capability.changeTrackingSupported");
        vm->consolidation_needed = properties_is_true(found, i, "runtime.consolidationNeeded");
        vm->is_fault_tolerant =
                        is_fault_tolerant(properties_text(found, i, "runtime.faultToleranceState"));
        (void) properties_reference(found, i, "runtime.host", &vm->host);
        if (!properties_reference(found, i, "parent", &parent))
                (void) properties_reference(found, i, "parentVApp", &parent);
        return paths_of(paths, v, &parent, vm->name, &vm->path, &vm->datacenter, error);
}

/* Instead of snapshots and disks: the reason why they cannot be told. */
static int leave_out(VSphereVm *vm, VSphereError *error)
{
        for (size_t i = 0; i < vm->n_snapshots; i++)
                free(vm->snapshots[i].name);
        vm->n_snapshots = 0;
        disks_done(&vm->disks);
        vm->unusable = strdup(error->text);
        if (!vm->unusable)
                return vsphere_error_errno(error, -ENOMEM, "Cannot list the VMs");
        *error = (VSphereError){};
        return 0;
}

int inventory_read(VSphere *v, const VSphereRef *ref, VSphereVm *ret_vm, VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *found = NULL;
        CLEANUP(paths_done) Paths paths = {};
        CLEANUP(vm_done) VSphereVm vm = {};
        size_t at = 0;
        int r;

        r = properties_and_parents(v, ref, vm_paths, ELEMENTSOF(vm_paths), &found, &at, error);
        if (r < 0 && vsphere_error_is_fault(error, "ManagedObjectNotFound"))
                return vsphere_error_prefix(error, BUS_ERROR_VM_MISSING, "the VM is gone");
        if (r >= 0)
                r = paths_take(&paths, found, error);
        if (r >= 0)
                r = read_vm(v, found, at, &paths, &vm, error);
        if (r < 0)
                return r;
        r = read_parts(found, at, &vm, error);
        if (r < 0)
                return vsphere_error_prefix(error, error->name, "the VM %s", vm.path);
        *ret_vm = vm;
        vm = (VSphereVm){};
        return 0;
}

typedef struct Listing {
        VSphere *v;
        VSphereVms vms;
        Paths paths;
} Listing;

static void begin_listing(void *userdata)
{
        Listing *listing = userdata;

        vms_done(&listing->vms);
        paths_done(&listing->paths);
}

static int list_vm(Listing *listing, const Properties *page, size_t i, VSphereError *error)
{
        CLEANUP(vm_done) VSphereVm vm = {};
        int r;

        r = read_vm(listing->v, page, i, &listing->paths, &vm, error);
        if (r < 0)
                return r;
        r = read_parts(page, i, &vm, error);
        if (r >= 0 && vm.hides_devices)
                r = vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                      "vCenter does not tell what it is made of; it is %.40s there",
                                      *vm.connection_state ? vm.connection_state
                                                           : "in no known state");
        if (r < 0 && strcmp(error->name, BUS_ERROR_VM_NOT_USABLE) == 0)
                r = leave_out(&vm, error);
        if (r < 0)
                return r;
        listing->vms.vms[listing->vms.n_vms++] = vm;
        vm = (VSphereVm){};
        return 0;
}

static int take_page(void *userdata, const Properties *page, VSphereError *error)
{
        Listing *listing = userdata;
        VSphereVm *larger;
        int r = 0;

        larger = reallocarray(listing->vms.vms, listing->vms.n_vms + properties_count(page) + 1,
                              sizeof(VSphereVm));
        if (!larger)
                return vsphere_error_errno(error, -ENOMEM, "Cannot list the VMs");
        listing->vms.vms = larger;
        for (size_t i = 0; i < properties_count(page) && r >= 0; i++)
                r = list_vm(listing, page, i, error);
        return r;
}

int inventory_list(VSphere *v, VSphereVms *ret_vms, VSphereError *error)
{
        Listing listing = { .v = v };
        const PropertiesWalk walk = {
                .root = vsphere_object(v, VSPHERE_ROOT_FOLDER),
                .type = "VirtualMachine",
                .paths = vm_paths,
                .n_paths = ELEMENTSOF(vm_paths),
                .on_begin = begin_listing,
                .on_page = take_page,
                .userdata = &listing,
        };
        int r;

        r = properties_walk(v, &walk, error);
        paths_done(&listing.paths);
        if (r < 0) {
                vms_done(&listing.vms);
                return r;
        }
        *ret_vms = listing.vms;
        return 0;
}

int inventory_snapshot_config(VSphere *v, const VSphereRef *snapshot, VSphereDisks *ret_disks,
                              json_t **ret_hardware, VSphereError *error)
{
        static const char *const paths[] = { "config.hardware",    "config.version",
                                             "config.guestId",     "config.firmware",
                                             "config.bootOptions", "config.keyId" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        HardwareConfig config;
        json_t *hardware;
        int r;

        r = properties_of(v, snapshot, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        config = (HardwareConfig){
                .version = properties_text(found, 0, "config.version"),
                .guest_id = properties_text(found, 0, "config.guestId"),
                .firmware = properties_text(found, 0, "config.firmware"),
                .boot_options = properties_value(found, 0, "config.bootOptions"),
                .hardware = properties_value(found, 0, "config.hardware"),
                .key_id = properties_value(found, 0, "config.keyId"),
        };
        hardware = hardware_show(&config);
        if (!hardware)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read the hardware of the VM");
        r = disks_read(config.hardware, ret_disks, error);
        if (r < 0)
                json_decref(hardware);
        else
                *ret_hardware = hardware;
        return r;
}
