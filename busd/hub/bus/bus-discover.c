/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs that a vCenter has, on the bus: shown with a verdict on each disk, and entered as the hub's VMs when that is asked for.
 */
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "bus/bus-vcenter.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "manager.h"
#include "node/vcenter-discover.h"
#include "store/store-call.h"
#include "store/store-vcenter.h"

#include <errno.h>
#include <string.h>

enum {
        VM_MAX = 1024, /* bytes of a path */
        UUID_BYTES = 36,
        CHUNK_VMS = 100, /* in one transaction */
};

typedef struct Discovery {
        BusWait *wait;
        json_t *shown; /* of the bus */
        json_t *rows; /* of the store, those that can be entered */
        size_t next; /* row */
        json_t *contexts; /* {uuid: ContextId} so far */
        json_t *credential_id;
} Discovery;

static Discovery *discovery_free(Discovery *discovery)
{
        json_decref(discovery->shown);
        json_decref(discovery->rows);
        json_decref(discovery->contexts);
        json_decref(discovery->credential_id);
        free(discovery);
        return NULL;
}

static void fail(Discovery *discovery, const char *name, const char *text)
{
        bus_wait_fail(discovery->wait, name, text);
        discovery_free(discovery);
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static bool is_true(const json_t *object, const char *key)
{
        return json_is_true(json_object_get(object, key));
}

/* ── What is shown ── */

static json_t *show_disk(const json_t *disk, const json_t *row)
{
        const char *reason = text_of(disk, "reason");
        json_t *dict = json_deep_copy(row);

        if (!dict || json_object_update_new(dict, json_pack("{s:s, s:s, s:s*}", "Label",
                                                            text_of(disk, "label"), "Verdict",
                                                            text_of(disk, "verdict"), "Reason",
                                                            *reason ? reason : NULL)) < 0) {
                json_decref(dict);
                return NULL;
        }
        return dict;
}

static json_t *show_disks(const json_t *vm, const json_t *row)
{
        const json_t *disks = json_object_get(vm, "disks"), *known = json_object_get(row, "Disks");
        CLEANUP(json_decref_p) json_t *list = json_array();

        /* A row has all disks of its VM, in their order. */
        for (size_t i = 0; i < json_array_size(known); i++)
                if (json_array_append_new(list, show_disk(json_array_get(disks, i),
                                                          json_array_get(known, i))) < 0)
                        return NULL;
        return TAKE(list);
}

static json_t *show_vm(const json_t *vm, const json_t *row, const char *reason)
{
        return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:s*}", "Name",
                         text_of(vm, "name"), "Path", text_of(vm, "path"), "InstanceUuid",
                         text_of(vm, "instance_uuid"), "PowerState", text_of(vm, "power_state"),
                         "Template", is_true(vm, "template"), "TrackingEnabled",
                         is_true(vm, "cbt_enabled"), "TrackingSupported",
                         is_true(vm, "cbt_supported"), "Disks", show_disks(vm, row), "Reason",
                         reason);
}

/* How often each instance UUID is there. */
static json_t *count_uuids(const json_t *vms)
{
        json_t *counts = json_object();
        const json_t *vm;
        size_t i;

        json_array_foreach (vms, i, vm) {
                const char *uuid = text_of(vm, "instance_uuid");
                json_int_t n = json_integer_value(json_object_get(counts, uuid));

                (void) json_object_set_new(counts, uuid, json_integer(n + 1));
        }
        return counts;
}

static int take_vm(Discovery *discovery, const json_t *counts, const json_t *vm)
{
        json_int_t n = json_integer_value(json_object_get(counts, text_of(vm, "instance_uuid")));
        CLEANUP(json_decref_p) json_t *row = NULL;
        const char *reason = NULL;

        row = vcenter_vm_row(vm, &reason);
        if (!row && !reason)
                return -ENOMEM;
        if (row && is_true(vm, "template"))
                reason = "it is a template";
        else if (row && n > 1)
                reason = "another VM has the same instance UUID";
        if (json_array_append_new(discovery->shown, show_vm(vm, row, reason)) < 0)
                return -ENOMEM;
        return reason ? 0 : json_array_append(discovery->rows, row);
}

/* ── The end ── */

static void finish(Discovery *discovery)
{
        json_t *vm;
        size_t i;

        json_array_foreach (discovery->shown, i, vm) {
                json_t *context = json_object_get(discovery->contexts, text_of(vm, "InstanceUuid"));

                if (context && !json_object_get(vm, "Reason"))
                        (void) json_object_set(vm, "ContextId", context);
        }
        bus_vcenter_end(discovery->wait, bus_reply_dicts(discovery->wait->call, discovery->shown));
        discovery_free(discovery);
}

static void store_next(Discovery *discovery);

static void on_stored(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        Discovery *discovery = userdata;

        if (error < 0)
                fail(discovery, name, text);
        else if (json_object_update(discovery->contexts, json_object_get(out, "Contexts")) < 0)
                fail(discovery, BUS_ERROR_FAILED, "Out of memory");
        else
                store_next(discovery);
}

/* The store's JSON is its own: counters are not atomic. */
static void store_next(Discovery *discovery)
{
        CLEANUP(json_decref_p) json_t *chunk = NULL;
        size_t n = json_array_size(discovery->rows);
        int r;

        if (discovery->next >= n) {
                finish(discovery);
                return;
        }
        chunk = json_array();
        for (size_t i = 0; i < CHUNK_VMS && discovery->next < n; i++)
                (void) json_array_append_new(
                                chunk,
                                json_deep_copy(json_array_get(discovery->rows, discovery->next++)));
        r = store_call(discovery->wait->manager->store, store_vcenter_vms,
                       json_pack("{s:b, s:I, s:I, s:O}", "Enter",
                                 is_true(discovery->wait->request, "Enter"), "CredentialId",
                                 json_integer_value(discovery->credential_id), "NowUSec",
                                 (json_int_t) clock_realtime_usec(), "Vms", chunk),
                       on_stored, discovery);
        if (r < 0)
                fail(discovery, BUS_ERROR_DATABASE_UNAVAILABLE,
                     "The database cannot take the VMs now; discover them again");
}

/* ── The answer of the vCenter ── */

static void refuse_ambiguous(Discovery *discovery, const char *wanted, const json_t *vms)
{
        char text[768];
        const json_t *vm;
        size_t i, n;

        n = (size_t) snprintf(text, sizeof(text),
                              "Several VMs are named %.100s; say which by its path:", wanted);
        json_array_foreach (vms, i, vm)
                if (n < sizeof(text))
                        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s %.200s",
                                               i > 0 ? "," : "", text_of(vm, "path"));
        fail(discovery, BUS_ERROR_VM_AMBIGUOUS, text);
}

static void on_found(const VcenterAnswer *answer, void *userdata)
{
        Discovery *discovery = userdata;
        const char *wanted = text_of(discovery->wait->request, "Vm");
        const json_t *vms = json_object_get(answer->body, "vms"), *vm;
        CLEANUP(json_decref_p) json_t *counts = NULL;
        char text[256];
        size_t i;
        int r = 0;

        if (answer->error < 0) {
                fail(discovery, answer->name, answer->text);
                return;
        }
        if (*wanted && json_array_size(vms) == 0) {
                (void) snprintf(text, sizeof(text), "The vCenter has no VM '%.100s'", wanted);
                fail(discovery, BUS_ERROR_VM_MISSING, text);
                return;
        }
        if (*wanted && json_array_size(vms) > 1) {
                refuse_ambiguous(discovery, wanted, vms);
                return;
        }
        counts = count_uuids(vms);
        json_array_foreach (vms, i, vm)
                if (r >= 0)
                        r = take_vm(discovery, counts, vm);
        if (r < 0 || !counts)
                fail(discovery, BUS_ERROR_FAILED, "The answer of the vCenter cannot be kept");
        else
                store_next(discovery);
}

static bool is_uuid(const char *text)
{
        return strlen(text) == UUID_BYTES && strspn(text, "0123456789abcdefABCDEF-") == UUID_BYTES;
}

static void on_row(int error, const json_t *out, const char *name, const char *text, void *userdata)
{
        CLEANUP(json_decref_p) json_t *more = json_object();
        BusWait *wait = userdata;
        Discovery *discovery;
        const char *vm = text_of(wait->request, "Vm");

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        discovery = malloc(sizeof(*discovery));
        if (!discovery) {
                bus_wait_fail(wait, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        *discovery = (Discovery){
                .wait = wait,
                .shown = json_array(),
                .rows = json_array(),
                .contexts = json_object(),
                .credential_id = json_incref(json_object_get(out, "Id")),
        };
        if (*vm)
                (void) json_object_set_new(more,
                                           is_uuid(vm)       ? "instance_uuid"
                                           : strchr(vm, '/') ? "path"
                                                             : "name",
                                           json_string(vm));
        if (bus_vcenter_ask(wait, out, "discover", more, on_found, discovery) < 0)
                discovery_free(discovery);
}

static int act_discover(Manager *manager, sd_bus_message *call, const char *principal,
                        json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_vcenter_begin(manager, call, request, store_vcenter_get, on_row, error);
}

int method_discover_vms(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *vcenter, *vm = NULL;
        bool enter = false, has_enter = false;
        const BusOption options[] = {
                { "vm", BUS_OPTION_STRING, VM_MAX, &vm, NULL },
                { "enter", BUS_OPTION_BOOL, 0, &enter, &has_enter },
        };
        int r = bus_vcenter_read(call, &vcenter, error);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0 && vm && !*vm)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option vm must be a VM's name, path or instance UUID");
        if (r < 0)
                return r;
        /* Who names one wants to back it up. */
        if (!has_enter)
                enter = vm != NULL;
        return bus_call_check(
                        userdata, call, enter ? ACTION_MANAGE : ACTION_BACKUP,
                        json_pack("{s:s, s:s*, s:b}", "Vcenter", vcenter, "Vm", vm, "Enter", enter),
                        act_discover, error);
}
