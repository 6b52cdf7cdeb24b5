/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl vm list|show|set: the VMs that the hub knows, and their disks.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "vm-file.h"

#include <stdint.h>

enum {
        VM_PAGE = 1000, /* the most that the hub gives at once */
};

static const Column disk_columns[] = {
        { "KEY", "Key", cell_number, true },
        { "CONTROLLER", "Controller", cell_text, false },
        { "UNIT", "UnitNumber", cell_number, true },
        { "CAPACITY", "CapacityBytes", cell_bytes, true },
        { "BACKING", "BackingUuid", cell_text, false },
        { "CHANGE ID", "ChangeId", cell_text, false },
};

/* All of them, page by page: each asks for what is older than the last of the page before. */
static ExitStatus ask_all(sd_bus *bus, json_t **ret_list)
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        uint64_t after = 0;
        ExitStatus s;
        size_t n;

        s = hub_ask_on(bus, "ListVms", false, "aa{sv}", &list, "a{sv}", 1, "limit", "u",
                       (uint32_t) VM_PAGE);
        for (n = json_array_size(list); s == CTL_OK && n == VM_PAGE;) {
                CLEANUP(json_decref_p) json_t *page = NULL;
                const json_t *last = json_array_get(list, json_array_size(list) - 1);
                uint64_t id = (uint64_t) number_of(last, "Id");

                if (id == 0 || (after > 0 && id >= after))
                        return complain(CTL_FAILED,
                                        "the hub's list of VMs has no order. Compare: sendensectl "
                                        "version");
                after = id;
                s = hub_ask_on(bus, "ListVms", false, "aa{sv}", &page, "a{sv}", 2, "limit", "u",
                               (uint32_t) VM_PAGE, "after", "t", after);
                n = json_array_size(page);
                if (s == CTL_OK && json_array_extend(list, page) < 0)
                        s = complain(CTL_FAILED, "Out of memory");
        }
        if (s == CTL_OK)
                *ret_list = TAKE(list);
        return s;
}

ExitStatus verb_vm_list(int argc, char *argv[])
{
        static const Column columns[] = {
                { "NAME", "Name", cell_text, false },
                { "VCENTER", "Vcenter", cell_text, false },
                { "CONTEXT", "ContextId", cell_text, false },
                { "DISKS", "Disks", cell_number, true },
                { "LAST BACKUP", "LastBackupUSec", cell_time, false },
                { "INSTANCE", "InstanceUuid", cell_text, false },
                { "PATH", "Path", cell_text, false },
        };
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = ask_all(bus, &list);
        return s == CTL_OK ? show_list(list, columns, ELEMENTSOF(columns),
                                       "The hub knows no VM. Tell it some: sendensectl vm discover "
                                       "VCENTER --enter")
                           : s;
}

ExitStatus verb_vm_show(int argc, char *argv[])
{
        static const Column fields[] = {
                { "Name", "Name", cell_text, false },
                { "Context", "ContextId", cell_text, false },
                { "Instance", "InstanceUuid", cell_text, false },
                { "vCenter", "Vcenter", cell_text, false },
                { "Path", "Path", cell_text, false },
                { "Created", "CreatedUSec", cell_time, false },
                { "Last backup", "LastBackup", cell_text, false },
                { "At", "LastBackupUSec", cell_time, false },
        };
        CLEANUP(json_decref_p) json_t *vm = NULL;
        const json_t *disks;
        ExitStatus s;

        (void) argc;
        s = hub_ask("GetVm", false, "a{sv}", &vm, "sa{sv}", argv[0], 0);
        if (s == CTL_OK)
                s = show_object(vm, fields, ELEMENTSOF(fields));
        if (s != CTL_OK || arg_json)
                return s;
        disks = json_object_get(vm, "Disks");
        if (!json_is_array(disks))
                return CTL_OK;
        (void) putchar('\n');
        return show_list(disks, disk_columns, ELEMENTSOF(disk_columns), "It has no disk.");
}

static int append_disk(sd_bus_message *message, const json_t *disk)
{
        const char *backing = json_string_value(json_object_get(disk, "backing_uuid"));
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(message, "{sv}{sv}{sv}{sv}", "Key", "u",
                                          (uint32_t) number_of(disk, "key"), "UnitNumber", "u",
                                          (uint32_t) number_of(disk, "unit_number"), "Controller",
                                          "s", text_of(disk, "controller"), "CapacityBytes", "t",
                                          (uint64_t) number_of(disk, "capacity_bytes"));
        if (r >= 0 && backing)
                r = sd_bus_message_append(message, "{sv}", "BackingUuid", "s", backing);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_vm(sd_bus_message *message, const json_t *vm)
{
        const json_t *disk;
        size_t i;
        int r;

        r = sd_bus_message_append(message, "sss", text_of(vm, "instance_uuid"), text_of(vm, "name"),
                                  text_of(vm, "path"));
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "a{sv}");
        json_array_foreach (json_object_get(vm, "disks"), i, disk)
                if (r >= 0)
                        r = append_disk(message, disk);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        return r < 0 ? r : sd_bus_message_append(message, "a{sv}", 0);
}

ExitStatus verb_vm_set(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *vm = NULL, *context = NULL;
        ExitStatus s;
        int r;

        (void) argc;
        s = vm_file_read(argv[0], &vm);
        if (s == CTL_OK)
                s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "SetVm", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_vm(message, vm);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "s", &context);
        return s == CTL_OK ? show_act("ContextId", json_incref(context), "%s",
                                      json_string_value(context))
                           : s;
}
