/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a restore of a whole VM needs from the database when it is asked for (see store-job.h): its vCenter, its node, and names that
 * were not given. What is known to be damaged is refused.
 */
#include "store/store-job.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"
#include "store/store-vcenter.h"
#include "store/store-verify.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int refuse_damaged(MYSQL *database, StoreRequest *request, const json_t *backup)
{
        CLEANUP(json_decrefp) json_t *health = json_object();
        int r;

        if (json_is_true(json_object_get(json_object_get(request->in, "Work"), "damaged_ok")))
                return 0;
        r = health ? backup_add_damage(database, object_number(backup, "Id"), health) : -ENOMEM;
        if (r < 0 || !json_is_true(json_object_get(health, "Damaged")))
                return r;
        return store_refuse(
                        request, -EBADMSG, BUS_ERROR_BACKUP_DAMAGED, "'%.100s' is damaged: %.300s",
                        object_text(request->in, "BackupId"),
                        json_string_value(json_array_get(json_object_get(health, "Problems"), 0))
                                        ?: "a layer below it");
}

/* The one that was named, or else the VM's own. */
static int find_vcenter(MYSQL *database, StoreRequest *request, const json_t *vm,
                        json_t **ret_vcenter)
{
        if (object_text(request->in, "Vcenter"))
                return vcenter_find(database, request, ret_vcenter);
        if (object_number(vm, "CredentialId") == 0)
                return store_refuse(request, -EPERM, BUS_ERROR_NOT_ALLOWED,
                                    "%.100s belongs to no vCenter that this hub knows; name one "
                                    "(sendensectl vcenter list shows those there are)",
                                    object_text(vm, "Name"));
        return statement_row(database,
                             "SELECT id AS Id, node_id AS NodeId FROM vmware_credentials"
                             " WHERE id = ?",
                             SQL_VALUES(SQL_NUMBER(object_number(vm, "CredentialId"))),
                             ret_vcenter);
}

static int set_default(json_t *target, const char *key, const char *text, size_t size)
{
        if (json_object_get(target, key) || size == 0)
                return 0;
        return json_object_set_new(target, key, json_stringn(text, size)) < 0 ? -ENOMEM : 0;
}

/* The VM that is there is at its own vCenter, and nowhere else. */
static int refuse_homeless(StoreRequest *request, const json_t *vm)
{
        if (object_number(vm, "CredentialId") > 0)
                return 0;
        return store_refuse(request, -EPERM, BUS_ERROR_NOT_ALLOWED,
                            "%.100s belongs to no vCenter that this hub knows, so that there is "
                            "nothing to restore it into; restore it as a new VM",
                            object_text(vm, "Name"));
}

/* The VM's own name, and at its own vCenter its own folder; of the VM that is there nothing is chosen. */
static int set_names(json_t *target, const json_t *vm, bool is_own)
{
        const char *path = object_text(vm, "Path") ?: "", *slash = strrchr(path, '/');
        const char *name = object_text(vm, "Name") ?: "";
        int r = set_default(target, "name", name, strlen(name));

        if (r >= 0 && is_own && slash && !json_is_true(json_object_get(target, "in_place")))
                r = set_default(target, "folder", path, (size_t) (slash - path));
        return r;
}

int job_prepare_restore_vm(MYSQL *database, StoreRequest *request, const json_t *backup,
                           uint64_t *ret_node)
{
        json_t *target = json_object_get(json_object_get(request->in, "Work"), "target");
        CLEANUP(json_decrefp) json_t *vm = NULL, *vcenter = NULL;
        uint64_t id, wanted;
        bool is_own;
        int r;

        r = refuse_damaged(database, request, backup);
        if (r >= 0)
                r = statement_row(database,
                                  "SELECT vm_name AS Name, vm_path AS Path, node_id AS NodeId,"
                                  " credential_id AS CredentialId FROM vm_replication_contexts"
                                  " WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(backup, "Vm"))), &vm);
        if (r >= 0 && json_is_true(json_object_get(target, "in_place")))
                r = refuse_homeless(request, vm);
        if (r >= 0)
                r = find_vcenter(database, request, vm, &vcenter);
        if (r < 0)
                return r;
        id = object_number(vcenter, "Id");
        is_own = id == object_number(vm, "CredentialId");
        wanted = is_own ? object_number(vm, "NodeId") : 0;
        if (wanted == 0)
                wanted = object_number(vcenter, "NodeId");
        r = set_names(target, vm, is_own);
        if (r >= 0 && json_object_set_new(target, "vcenter_id", json_integer((json_int_t) id)) < 0)
                r = -ENOMEM;
        return r < 0 ? r : job_choose_reachable(database, request, wanted, ret_node);
}
