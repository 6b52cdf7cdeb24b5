/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs on the bus: entered by hand here, by discovery later; listed and shown.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-list.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "job/job.h"
#include "job/jobs.h"
#include "manager.h"
#include "names.h"
#include "store/store-vm.h"

#include <errno.h>
#include <string.h>

enum {
        VM_NAME_MAX = 255, /* bytes, as the columns have it */
        VM_PATH_MAX = 1024,
        VM_UUID_MAX = 36,
        CONTROLLER_MAX = 64,
        BACKING_UUID_MAX = 64,
};

/* One a{sv} of the disks. */
static int read_disk(sd_bus_message *m, json_t *disks, sd_bus_error *error)
{
        const char *controller = "", *backing_uuid = NULL;
        uint32_t key = 0, unit_number = 0;
        uint64_t capacity_bytes = 0;
        bool has_key = false, has_unit = false, has_capacity = false;
        const BusOption fields[] = {
                { "Key", BUS_OPTION_UINT32, DISK_KEY_MAX, &key, &has_key },
                { "UnitNumber", BUS_OPTION_UINT32, UINT32_MAX, &unit_number, &has_unit },
                { "Controller", BUS_OPTION_STRING, CONTROLLER_MAX, &controller, NULL },
                { "CapacityBytes", BUS_OPTION_UINT64, INT64_MAX, &capacity_bytes, &has_capacity },
                { "BackingUuid", BUS_OPTION_STRING, BACKING_UUID_MAX, &backing_uuid, NULL },
        };
        json_t *disk;
        int r;

        r = bus_options_read(m, fields, ELEMENTSOF(fields), error);
        if (r < 0)
                return r;
        if (!has_key || key == 0 || !has_unit || !has_capacity || capacity_bytes == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Each disk must have Key (above 0), UnitNumber and "
                                      "CapacityBytes (above 0)");
        if (capacity_bytes % 512 != 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "CapacityBytes of disk %u must be a multiple of 512", key);
        disk = json_pack("{s:I, s:I, s:s, s:I}", "Key", (json_int_t) key, "UnitNumber",
                         (json_int_t) unit_number, "Controller", controller, "CapacityBytes",
                         (json_int_t) capacity_bytes);
        if (disk && backing_uuid && *backing_uuid)
                r = request_add_text(disk, "BackingUuid", backing_uuid);
        return r < 0 || json_array_append_new(disks, disk) < 0 ? -ENOMEM : 0;
}

static int check_keys(const json_t *disks, sd_bus_error *error)
{
        for (size_t i = 0; i < json_array_size(disks); i++)
                for (size_t j = 0; j < i; j++) {
                        json_t *a = json_object_get(json_array_get(disks, i), "Key");

                        if (json_equal(a, json_object_get(json_array_get(disks, j), "Key")))
                                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                                      "Two disks have the key %lld; VMware gives "
                                                      "each its own",
                                                      (long long) json_integer_value(a));
                }
        return 0;
}

static int read_disks(sd_bus_message *m, json_t *disks, sd_bus_error *error)
{
        int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                if (json_array_size(disks) >= JOB_DISKS_MAX)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "A VM must have %d disks at most", JOB_DISKS_MAX);
                r = read_disk(m, disks, error);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : check_keys(disks, error);
}

static int answer_context_id(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return sd_bus_reply_method_return(
                        call, "s", json_string_value(json_object_get(out, "ContextId")) ?: "");
}

static int act_set_vm(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_vm_set, json_incref(request), answer_context_id,
                              error);
}

static int check_text(const char *name, const char *text, size_t max, sd_bus_error *error)
{
        size_t n = strlen(text);

        if (n == 0 || n > max)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument %s must have 1 to %zu bytes", name, max);
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) text[i] < ' ' || text[i] == 127)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Argument %s must not hold control characters", name);
        return 0;
}

int method_set_vm(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *request = NULL, *disks = json_array();
        const char *uuid, *name, *path;
        int r;

        r = sd_bus_message_read(call, "sss", &uuid, &name, &path);
        if (r >= 0)
                r = check_text("instance_uuid", uuid, VM_UUID_MAX, error);
        if (r >= 0)
                r = check_text("name", name, VM_NAME_MAX, error);
        if (r >= 0)
                r = check_text("path", path, VM_PATH_MAX, error);
        if (r >= 0)
                r = read_disks(call, disks, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        request = json_pack("{s:s, s:s, s:s, s:O, s:I}", "InstanceUuid", uuid, "Name", name, "Path",
                            path, "Disks", disks, "NowUSec", (json_int_t) clock_realtime_usec());
        return bus_call_check(userdata, call, ACTION_MANAGE, TAKE(request), act_set_vm, error);
}

static int answer_vms(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return bus_reply_dicts(call, json_object_get(out, "Vms"));
}

static int act_list_vms(Manager *manager, sd_bus_message *call, const char *principal,
                        json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_vm_list, json_incref(request), answer_vms,
                              error);
}

int method_list_vms(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = bus_list_read(call, 0, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, request, act_list_vms, error);
}

static int answer_vm(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return bus_reply_dict(call, out);
}

static int act_get_vm(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_vm_get, json_incref(request), answer_vm, error);
}

int method_get_vm(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *vm;
        int r = sd_bus_message_read(call, "s", &vm);

        if (r >= 0)
                r = check_text("vm", vm, VM_NAME_MAX, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, json_pack("{s:s}", "Vm", vm),
                                      act_get_vm, error);
}
