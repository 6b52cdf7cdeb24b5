/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of tasks (see task-unit.h): sendense-vsphere-<job>-snapshot, sendense-copy-<job> and
 * sendense-vsphere-<job>-release. What they have in common stands in units/sendense-{vsphere,copy}-.service.d.
 */
#include "task-unit.h"

#include "build-config.h"
#include "cleanup.h"
#include "credentials.h"
#include "json-cleanup.h"
#include "node.h"
#include "parse.h"
#include "unit/unit-files.h"
#include "unit/unit-job.h"
#include "unit/unit-property.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COPY_PROGRAM    SENDENSE_LIBEXEC_DIR "/sendense-backup-client"
#define VSPHERE_PROGRAM SENDENSE_LIBEXEC_DIR "/sendense-vsphere"

static const char *task_verb(const Task *task)
{
        return task->state == TASK_SNAPSHOTTING ? "snapshot"
               : task->state == TASK_COPYING    ? "copy"
                                                : "release";
}

static UnitName unit_name(const Task *task)
{
        UnitName name = {
                .kind = task->state == TASK_COPYING ? UNIT_COPY_SERVICE : UNIT_VSPHERE_SERVICE,
                .job = task->job,
        };

        if (name.kind == UNIT_VSPHERE_SERVICE)
                (void) snprintf(name.step, sizeof(name.step), "%s", task_verb(task));
        return name;
}

int task_unit_name(const Task *task, char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = unit_name(task);

        return unit_name_to_string(&name, ret_unit);
}

static json_t *vcenter_of(const Task *task)
{
        const json_t *request = json_object_get(task->row, "Request");

        return json_pack("{s:O, s:O*, s:O, s:s, s:O*, s:O*}", "host",
                         json_object_get(request, "vcenter_host"), "port",
                         json_object_get(request, "vcenter_port"), "user",
                         json_object_get(request, "vcenter_user"), "password_credential",
                         CREDENTIAL_VCENTER, "ca_file", json_object_get(request, "ca_file"),
                         "pin_sha256", json_object_get(request, "pin_sha256"));
}

static json_t *snapshot_task(const Task *task)
{
        const NodeConfig *config = task->node->config;
        const char *quiesce = task_request(task, "quiesce");
        char prefix[64], description[160];

        (void) snprintf(prefix, sizeof(prefix), "sendense-%s-", task->node->installation);
        (void) snprintf(description, sizeof(description),
                        "Sendense backup job %" PRIu64 ", attempt %" PRIu64 "; removed at its end",
                        task->job, task->attempt);
        return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "vcenter",
                         vcenter_of(task), "instance_uuid", task_request(task, "instance_uuid"),
                         "path", task_request(task, "vm_path"), "name",
                         task_text(task, "SnapshotName"), "leftover_prefix", prefix, "description",
                         description, "quiesce", *quiesce ? quiesce : config->snapshot_quiesce,
                         "cbt", config->snapshot_tracking ? "enable" : "as-is", "transport",
                         config->copy_transport);
}

static json_t *release_task(const Task *task)
{
        const json_t *moref =
                        json_object_get(json_object_get(task->row, "Snapshot"), "snapshot_moref");

        return json_pack("{s:o, s:s, s:s, s:O*}", "vcenter", vcenter_of(task), "instance_uuid",
                         task_request(task, "instance_uuid"), "name",
                         task_text(task, "SnapshotName"), "snapshot_moref", moref);
}

/* What the hub knows of a disk from before; NULL when it is new. */
static const json_t *find_known(const Task *task, json_int_t key)
{
        const json_t *disks = json_object_get(json_object_get(task->row, "Request"), "disks");
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk)
                if (json_integer_value(json_object_get(disk, "key")) == key)
                        return disk;
        return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

bool task_disk_is_incremental(const Task *task, const json_t *disk, const char **ret_reason)
{
        const json_t *known =
                        find_known(task, json_integer_value(json_object_get(disk, "disk_key")));

        if (strcmp(task_request(task, "backup_type"), "incremental") != 0)
                *ret_reason = NULL;
        else if (!known || !*text_of(known, "change_id"))
                *ret_reason = "no change id is known of this disk";
        else if (strcmp(text_of(known, "backing_uuid"), text_of(disk, "backing_uuid")) != 0)
                *ret_reason = "another disk is under this key";
        else if (json_integer_value(json_object_get(known, "capacity_bytes")) !=
                 json_integer_value(json_object_get(disk, "capacity_bytes")))
                *ret_reason = "its capacity has changed";
        else if (!*text_of(disk, "change_id"))
                *ret_reason = "changed block tracking is off";
        else
                return true;
        return false;
}

/* Adds what is to be read of the disk: when in doubt all of it. */
static int add_reading(const Task *task, const json_t *disk, json_t *entry)
{
        const json_t *known =
                        find_known(task, json_integer_value(json_object_get(disk, "disk_key")));
        const char *reason, *now = text_of(disk, "change_id");
        bool has_parent = strcmp(task_request(task, "backup_type"), "incremental") == 0;

        if (task_disk_is_incremental(task, disk, &reason))
                return json_object_update_new(
                                entry, json_pack("{s:s, s:s, s:s, s:b}", "read", "changed",
                                                 "change_id", text_of(known, "change_id"),
                                                 "change_id_now", now, "parent", has_parent));
        return json_object_update_new(entry, json_pack("{s:s, s:s*, s:b}", "read",
                                                       *now ? "allocated" : "all", "change_id_now",
                                                       *now ? now : NULL, "parent", has_parent));
}

static json_t *disk_task(const Task *task, const json_t *disk, char ret_error[static 256])
{
        const json_t *targets =
                        json_object_get(json_object_get(task->row, "Request"), "nbd_targets");
        json_int_t key = json_integer_value(json_object_get(disk, "disk_key"));
        CLEANUP(json_decref_p) json_t *entry = NULL;
        char name[24];
        const char *target;

        (void) snprintf(name, sizeof(name), "%" JSON_INTEGER_FORMAT, key);
        target = json_string_value(json_object_get(targets, name));
        if (!target) {
                (void) snprintf(ret_error, 256,
                                "Disk %s (%.80s) of the snapshot has no target in nbd_targets; it "
                                "would be lost "
                                "silently",
                                name, text_of(disk, "datastore_path"));
                return NULL;
        }
        entry = json_pack("{s:I, s:O, s:O*, s:s, s:{s:s, s:O, s:O*}}", "disk_key", key,
                          "capacity_bytes", json_object_get(disk, "capacity_bytes"), "backing_uuid",
                          json_object_get(disk, "backing_uuid"), "target", target, "source", "kind",
                          task->node->config->copy_transport, "datastore_path",
                          json_object_get(disk, "datastore_path"), "datacenter",
                          json_object_get(disk, "datacenter"));
        if (!entry || add_reading(task, disk, entry) < 0)
                return NULL;
        return TAKE(entry);
}

static bool is_in(const json_t *list, uint64_t key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (list, i, disk)
                if (json_integer_value(json_object_get(disk, "disk_key")) == (json_int_t) key)
                        return true;
        return false;
}

/* A disk that the hub waits for is copied, or left out with a reason. */
static int check_targets(const Task *task, char ret_error[static 256])
{
        const json_t *snapshot = json_object_get(task->row, "Snapshot");
        json_t *targets = json_object_get(json_object_get(task->row, "Request"), "nbd_targets");
        const char *name;
        json_t *target;

        json_object_foreach (targets, name, target) {
                uint64_t key;

                if (parse_uint64(name, 1, DISK_KEY_MAX, &key) >= 0 &&
                    (is_in(json_object_get(snapshot, "disks"), key) ||
                     is_in(json_object_get(snapshot, "excluded"), key)))
                        continue;
                (void) snprintf(ret_error, 256,
                                "Disk %.20s has a target, and the VM has no such disk any more; "
                                "discover it again",
                                name);
                return -ENOENT;
        }
        return 0;
}

static json_t *copy_task(const Task *task, char ret_error[static 256])
{
        const NodeConfig *config = task->node->config;
        const json_t *snapshot = json_object_get(task->row, "Snapshot"), *disk;
        CLEANUP(json_decref_p) json_t *disks = json_array();
        char progress[UNIT_FILE_PATH_SIZE];
        size_t i;

        json_array_foreach (json_object_get(snapshot, "disks"), i, disk)
                if (json_array_append_new(disks, disk_task(task, disk, ret_error)) < 0)
                        return NULL;
        if (check_targets(task, ret_error) < 0)
                return NULL;
        if (json_array_size(disks) == 0) {
                (void) snprintf(ret_error, 256, "The snapshot has no disk that could be copied");
                return NULL;
        }
        runtime_path(PROGRESS_SOCKET, progress);
        return json_pack("{s:I, s:I, s:s, s:b, s:I, s:I, s:o, s:{s:O*, s:s, s:O}, s:O}", "job",
                         (json_int_t) task->job, "attempt", (json_int_t) task->attempt, "progress",
                         progress, "digests", config->copy_digests, "connections",
                         (json_int_t) config->copy_connections, "memory_bytes",
                         (json_int_t) config->copy_memory_bytes, "vcenter", vcenter_of(task), "vm",
                         "moref", json_object_get(snapshot, "vm_moref"), "instance_uuid",
                         task_request(task, "instance_uuid"), "snapshot_moref",
                         json_object_get(snapshot, "snapshot_moref"), "disks", disks);
}

json_t *task_unit_task(const Task *task, char ret_error[static 256])
{
        (void) snprintf(ret_error, 256, "Out of memory");
        switch (task->state) {
        case TASK_SNAPSHOTTING:
                return snapshot_task(task);
        case TASK_COPYING:
                return copy_task(task, ret_error);
        case TASK_RELEASING:
                return release_task(task);
        case TASK_ACCEPTED:
        case TASK_COPIED:
        case TASK_RELEASED:
        case TASK_FAILED:
        case TASK_CANCELLED:
        case TASK_STATE_MAX:
        case TASK_STATE_INVALID:
                break;
        }
        return NULL;
}

/* All addresses of a family: [family, address, prefix length]. */
static json_t *all_of(int family, size_t size)
{
        json_t *address = json_array();

        for (size_t i = 0; i < size; i++)
                (void) json_array_append_new(address, json_integer(0));
        return json_pack("[i,o,i]", family, address, 0);
}

/* It speaks to vCenter wherever that is; the packaged sandbox of copies knows loopback alone. */
static int add_network(json_t *spec)
{
        int r;

        r = unit_property(spec, "IPAddressAllow", "a(iayu)",
                          json_pack("[o,o]", all_of(AF_INET, 4), all_of(AF_INET6, 16)));
        return r < 0 ? r
                     : unit_property(spec, "RestrictAddressFamilies", "(bas)",
                                     json_pack("[b,[s]]", 1, "AF_INET6"));
}

static int unit_spec(const Task *task, json_t **ret_spec)
{
        char in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        const UnitName name = unit_name(task);
        CLEANUP(json_decref_p) json_t *spec = NULL;
        int r;

        unit_file_path(task->unit, UNIT_FILE_IN, in);
        unit_file_path(task->unit, UNIT_FILE_OUT, out);
        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_property_description(
                                spec, "Sendense %s of Job %" PRIu64,
                                task->state == TASK_COPYING ? "Copy" : "Snapshot Work", task->job);
        if (r >= 0)
                r = unit_property_job(spec, task->job, 0, true);
        if (r >= 0)
                r = unit_property_files(spec, in, out);
        if (r >= 0)
                r = unit_property(spec, "LoadCredential", "a(ss)",
                                  json_pack("[[s,s]]", CREDENTIAL_VCENTER, CREDENTIALS_SOCKET));
        if (r >= 0 && task->state == TASK_COPYING)
                r = add_network(spec);
        if (r >= 0)
                r = unit_property_command(
                                spec, task->state == TASK_COPYING ? COPY_PROGRAM : VSPHERE_PROGRAM,
                                task_verb(task));
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

int task_unit_start(Task *task, const json_t *spec, UnitDone done)
{
        CLEANUP(json_decref_p) json_t *unit = NULL;
        int r;

        r = unit_files_make(task->unit, spec);
        if (r >= 0)
                r = unit_spec(task, &unit);
        return r < 0 ? r
                     : unit_job_create(task->node->units, unit, UNIT_START_SEC * USEC_PER_SEC, done,
                                       task);
}
