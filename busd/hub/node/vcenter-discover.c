/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs of a vCenter as rows (see vcenter-discover.h).
 */
#include "node/vcenter-discover.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "job/job.h"
#include "json-cleanup.h"
#include "names.h"
#include "node/nodes.h"
#include "node/vcenter-ask.h"
#include "store/store-call.h"
#include "store/store-vcenter.h"
#include "store/store-vm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
        NAME_BYTES_MAX = 255, /* as the columns have it */
        PATH_BYTES_MAX = 1024,
        HOST_BYTES_MAX = 80,
        CONTROLLER_BYTES_MAX = 64,
        BACKING_BYTES_MAX = 64,
        UUID_BYTES = 36,
        SECTOR_BYTES = 512,
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

static bool is_text(const char *text, size_t min, size_t max)
{
        size_t n = strlen(text);

        return n >= min && n <= max;
}

static bool is_uuid(const char *text)
{
        for (size_t i = 0; i < UUID_BYTES; i++)
                if (i == 8 || i == 13 || i == 18 || i == 23
                                    ? text[i] != '-'
                                    : !text[i] || !strchr("0123456789abcdef", text[i]))
                        return false;
        return text[UUID_BYTES] == '\0';
}

/* ── Rows ── */

static json_t *disk_row(const json_t *disk)
{
        json_int_t key = number_of(disk, "disk_key"), bytes = number_of(disk, "capacity_bytes");
        json_int_t unit = number_of(disk, "unit_number");
        const char *backing = text_of(disk, "backing_uuid");

        if (key < 1 || key > DISK_KEY_MAX || bytes < 1 || bytes % SECTOR_BYTES != 0 || unit < 0 ||
            unit > UINT32_MAX || !is_text(text_of(disk, "controller"), 0, CONTROLLER_BYTES_MAX) ||
            !is_text(backing, 0, BACKING_BYTES_MAX))
                return NULL;
        return json_pack("{s:I, s:I, s:s, s:I, s:s*}", "Key", key, "UnitNumber", unit, "Controller",
                         text_of(disk, "controller"), "CapacityBytes", bytes, "BackingUuid",
                         *backing ? backing : NULL);
}

static bool has_key(const json_t *rows, const json_t *row)
{
        const json_t *other;
        size_t i;

        json_array_foreach (rows, i, other)
                if (json_equal(json_object_get(other, "Key"), json_object_get(row, "Key")))
                        return true;
        return false;
}

static json_t *disk_rows(const json_t *disks)
{
        CLEANUP(json_decref_p) json_t *rows = json_array();
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk) {
                json_t *row = disk_row(disk);

                if (!row || has_key(rows, row)) {
                        json_decref(row);
                        return NULL;
                }
                if (json_array_append_new(rows, row) < 0)
                        return NULL;
        }
        return TAKE(rows);
}

json_t *vcenter_vm_row(const json_t *vm, const char **ret_reason)
{
        const json_t *disks = json_object_get(vm, "disks");
        const char *uuid = text_of(vm, "instance_uuid"), *host = text_of(vm, "host");
        json_t *rows;

        *ret_reason = NULL;
        if (!is_uuid(uuid))
                *ret_reason = "it has no instance UUID";
        else if (!is_text(text_of(vm, "name"), 1, NAME_BYTES_MAX) ||
                 !is_text(text_of(vm, "path"), 1, PATH_BYTES_MAX))
                *ret_reason = "its name or its path is too long";
        else if (*text_of(vm, "unusable"))
                *ret_reason = text_of(vm, "unusable");
        else if (!json_is_array(disks) || json_array_size(disks) > JOB_DISKS_MAX)
                *ret_reason = "it has too many disks";
        if (*ret_reason)
                return NULL;
        rows = disk_rows(disks);
        if (!rows) {
                *ret_reason = "a disk of it is not what a disk can be";
                return NULL;
        }
        return json_pack("{s:s, s:s, s:s, s:s*, s:o}", "InstanceUuid", uuid, "Name",
                         text_of(vm, "name"), "Path", text_of(vm, "path"), "Host",
                         is_text(host, 1, HOST_BYTES_MAX) ? host : NULL, "Disks", rows);
}

json_t *vcenter_vm_unusable(const json_t *vm)
{
        CLEANUP(json_decref_p) json_t *list = json_array();
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(vm, "disks"), i, disk) {
                const char *reason = text_of(disk, "reason");

                /* Above a snapshot it is as good as any other: one of ours is removed before the next is
                 * taken, and for one of the user's the job fails and says so. */
                if (strcmp(text_of(disk, "verdict"), "no") != 0 ||
                    json_is_true(json_object_get(disk, "has_parent")))
                        continue;
                if (json_array_append_new(list, json_pack("{s:I, s:s}", "Key",
                                                          number_of(disk, "disk_key"), "Reason",
                                                          *reason ? reason
                                                                  : "vCenter cannot give it")) < 0)
                        return NULL;
        }
        return TAKE(list);
}

/* ── One that is known ── */

typedef struct Refresh {
        Store *store;
        const Nodes *nodes;
        uint64_t node;
        json_t *vm; /* {InstanceUuid, Name, CredentialId} */
        json_t *unusable;
        VcenterRefreshed done;
        void *userdata;
} Refresh;

static Refresh *refresh_free(Refresh *refresh)
{
        json_decref(refresh->vm);
        json_decref(refresh->unusable);
        free(refresh);
        return NULL;
}

static void finish(Refresh *refresh, int error, const char *name, const char *text)
{
        refresh->done(error, name, text, error < 0 ? NULL : refresh->unusable, refresh->userdata);
        refresh_free(refresh);
}

static void on_stored(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        (void) out;
        finish(userdata, error, name, text);
}

static void store_vm(Refresh *refresh, json_t *row)
{
        int r;

        if (json_object_set(row, "CredentialId", json_object_get(refresh->vm, "CredentialId")) <
                            0 ||
            json_object_set_new(row, "NowUSec", json_integer((json_int_t) clock_realtime_usec())) <
                            0) {
                json_decref(row);
                finish(refresh, -ENOMEM, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        r = store_call(refresh->store, store_vm_set, row, on_stored, refresh);
        if (r < 0)
                finish(refresh, r, BUS_ERROR_DATABASE_UNAVAILABLE,
                       "The database cannot take what vCenter says of the VM now");
}

static void on_found(const VcenterAnswer *answer, void *userdata)
{
        Refresh *refresh = userdata;
        const json_t *vm = json_array_get(json_object_get(answer->body, "vms"), 0);
        const char *reason = NULL;
        char text[160];
        json_t *row;

        if (answer->error < 0) {
                finish(refresh, answer->error, answer->name, answer->text);
                return;
        }
        row = vcenter_vm_row(vm, &reason);
        refresh->unusable = row ? vcenter_vm_unusable(vm) : NULL;
        if (row && refresh->unusable &&
            json_equal(json_object_get(row, "InstanceUuid"),
                       json_object_get(refresh->vm, "InstanceUuid"))) {
                store_vm(refresh, row);
                return;
        }
        json_decref(row);
        (void) snprintf(text, sizeof(text), "%.80s cannot be backed up: %s",
                        text_of(refresh->vm, "Name"),
                        reason ?: "what its vCenter answers is about another VM");
        finish(refresh, -ENOTSUP, BUS_ERROR_VM_NOT_USABLE, text);
}

static void on_login(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        Refresh *refresh = userdata;
        const json_t *uuid = json_object_get(out, "InstanceUuid");
        json_t *body = NULL;
        char why[256];

        if (error >= 0) {
                error = vcenter_ask_body(nodes_key(refresh->nodes), json_object_get(out, "Vcenter"),
                                         &body, &name, why);
                text = why;
        }
        if (error < 0) {
                finish(refresh, error, name, text);
                return;
        }
        refresh->vm = json_pack("{s:O, s:O, s:O}", "InstanceUuid", uuid, "Name",
                                json_object_get(out, "Name"), "CredentialId",
                                json_object_get(json_object_get(out, "Vcenter"), "Id"));
        if (!refresh->vm || json_object_set(body, "instance_uuid", (json_t *) uuid) < 0) {
                json_decref(body);
                finish(refresh, -ENOMEM, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        vcenter_ask(nodes_links(refresh->nodes),
                    refresh->node > 0 ? refresh->node : (uint64_t) number_of(out, "NodeId"),
                    "discover", body, on_found, refresh);
}

int vcenter_refresh_vm(Store *store, const Nodes *nodes, const char *vm, uint64_t node,
                       VcenterRefreshed done, void *userdata)
{
        Refresh *refresh = malloc(sizeof(*refresh));
        int r;

        if (!refresh)
                return -ENOMEM;
        *refresh = (Refresh){
                .store = store,
                .nodes = nodes,
                .node = node,
                .done = done,
                .userdata = userdata,
        };
        r = store_call(store, store_vcenter_of_vm, json_pack("{s:s}", "Vm", vm), on_login, refresh);
        if (r < 0)
                refresh_free(refresh);
        return r;
}
