/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The method that brings a whole VM back into a vCenter, as a new one or into itself. What is not said is the VM's own: its vCenter, name
 * and folder.
 */
#include "bus/bus-begin.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "job-types.h"
#include "names.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

enum {
        PLACE_MAX_BYTES = 1024,
        VM_NAME_MAX_BYTES = 320, /* 80 characters */
        NAME_MAX_BYTES = 255,
        NETWORKS_MAX = 64,
};

typedef struct VmTarget {
        const char *vcenter, *name, *folder, *pool, *host, *datastore;
        json_t *networks;
        bool power_on, keep_macs, force, in_place, keep_disks;
} VmTarget;

static int check_texts(const json_t *texts, const char *what, sd_bus_error *error)
{
        const char *key, *text;
        json_t *value;

        json_object_foreach ((json_t *) texts, key, value) {
                text = json_string_value(value);
                if (text &&
                    (*key == '\0' || *text == '\0' || !utf8_is_line(key) || !utf8_is_line(text)))
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "The target's %s must be texts without control "
                                              "characters",
                                              what);
        }
        return 0;
}

/* Of a VM that is there nothing is chosen. */
static int check_in_place(const json_t *target, sd_bus_error *error)
{
        static const char *const others[] = {
                "vcenter", "name", "folder", "resource_pool", "host", "datastore", "networks",
        };

        if (!json_is_true(json_object_get(target, "in_place")))
                return json_is_true(json_object_get(target, "keep_disks"))
                                       ? bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                                        "keep_disks is for a restore in_place: any "
                                                        "other touches no disk that is there")
                                       : 0;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (json_object_get(target, others[i]))
                        return bus_error_setf(
                                        error, BUS_ERROR_INVALID_ARGUMENT,
                                        "A restore in_place is into the VM that is there, and "
                                        "goes without %s",
                                        others[i]);
        return json_is_true(json_object_get(target, "keep_macs"))
                               ? bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                                "A restore in_place keeps the MAC addresses "
                                                "anyhow, "
                                                "and goes without keep_macs")
                               : 0;
}

static int check_request(const json_t *request, sd_bus_error *error)
{
        const json_t *target = json_object_get(json_object_get(request, "Work"), "target");
        const char *backup_id = json_string_value(json_object_get(request, "BackupId"));
        int r;

        if (!backup_id_is_valid(backup_id))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument backup_id must be the id of a backup, as "
                                      "sendensectl backup list shows it");
        r = check_texts(target, "names and paths", error);
        if (r >= 0)
                r = check_texts(json_object_get(target, "networks"), "networks", error);
        if (r >= 0 && json_object_get(target, "resource_pool") && json_object_get(target, "host"))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The target has a resource_pool or a host, not both");
        return r < 0 ? r : check_in_place(target, error);
}

/* What the job is asked to do; its vCenter and node are looked up by the store. */
static json_t *make_work(const VmTarget *target, bool verify, bool damaged_ok)
{
        return json_pack("{s:{s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:O*, s:b, s:b, s:b, s:b, "
                         "s:b}, "
                         "s:b, s:b, s:b}",
                         "target", "kind", "vm", "vcenter", target->vcenter, "name", target->name,
                         "folder", target->folder, "resource_pool", target->pool, "host",
                         target->host, "datastore", target->datastore, "networks", target->networks,
                         "power_on", (int) target->power_on, "keep_macs", (int) target->keep_macs,
                         "force", (int) target->force, "in_place", (int) target->in_place,
                         "keep_disks", (int) target->keep_disks, "verify", verify && !damaged_ok,
                         "damaged_ok", (int) damaged_ok, "port", 1);
}

/* Whoever may restore. */
static int act_restore(Manager *manager, sd_bus_message *call, const char *principal,
                       json_t *request, sd_bus_error *error)
{
        int r = check_request(request, error);

        return r < 0 ? r : bus_begin_job(manager, call, principal, request, job_begin_work, error);
}

int method_restore_vm(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *networks = NULL;
        bool verify = true, damaged_ok = false;
        const char *backup_id, *node = NULL, *key = NULL;
        VmTarget target = {};
        const BusOption members[] = {
                { "vcenter", BUS_OPTION_STRING, NAME_MAX_BYTES, &target.vcenter, NULL },
                { "name", BUS_OPTION_STRING, VM_NAME_MAX_BYTES, &target.name, NULL },
                { "folder", BUS_OPTION_STRING, PLACE_MAX_BYTES, &target.folder, NULL },
                { "resource_pool", BUS_OPTION_STRING, PLACE_MAX_BYTES, &target.pool, NULL },
                { "host", BUS_OPTION_STRING, PLACE_MAX_BYTES, &target.host, NULL },
                { "datastore", BUS_OPTION_STRING, NAME_MAX_BYTES, &target.datastore, NULL },
                { "networks", BUS_OPTION_PAIRS, NETWORKS_MAX, &networks, NULL },
                { "power_on", BUS_OPTION_BOOL, 0, &target.power_on, NULL },
                { "keep_macs", BUS_OPTION_BOOL, 0, &target.keep_macs, NULL },
                { "force", BUS_OPTION_BOOL, 0, &target.force, NULL },
                { "in_place", BUS_OPTION_BOOL, 0, &target.in_place, NULL },
                { "keep_disks", BUS_OPTION_BOOL, 0, &target.keep_disks, NULL },
        };
        const BusOption options[] = {
                { "verify", BUS_OPTION_BOOL, 0, &verify, NULL },
                { "damaged_ok", BUS_OPTION_BOOL, 0, &damaged_ok, NULL },
                { "node", BUS_OPTION_STRING, NAME_MAX_BYTES, &node, NULL },
                { "idempotency_key", BUS_OPTION_STRING, BUS_KEY_MAX_BYTES, &key, NULL },
        };
        int r;

        r = sd_bus_message_read(call, "s", &backup_id);
        if (r >= 0)
                r = bus_options_read(call, members, ELEMENTSOF(members), error);
        target.networks = networks;
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        return bus_call_check(userdata, call, ACTION_RESTORE,
                              bus_begin_keyed(json_pack("{s:s, s:s, s:o, s:s*, s:s*}", "Type",
                                                        job_type_to_string(JOB_RESTORE), "BackupId",
                                                        backup_id, "Work",
                                                        make_work(&target, verify, damaged_ok),
                                                        "Vcenter", target.vcenter, "Node", node),
                                              key),
                              act_restore, error);
}
