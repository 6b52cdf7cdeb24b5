/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of tasks (see task-unit.h): sendense-vsphere-<job>-{look,check,snapshot}, sendense-copy-<job> and
 * sendense-vsphere-<job>-release; of a restore sendense-vsphere-<job>-{look,import,swap,end}. What they have in common stands in units/sendense-{vsphere,copy}-.service.d.
 */
#include "task-unit.h"

#include "budget.h"

#include "build-config.h"
#include "cleanup.h"
#include "credentials.h"
#include "json-cleanup.h"
#include "node.h"
#include "parse.h"
#include "task-look.h"
#include "task-restore.h"
#include "tls-psk.h"
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

enum {
        UNDO_SEC = 5, /* below TimeoutStopSec= of its unit; the ledger knows what is owed */
};

typedef struct Step {
        const char *name; /* in the unit's name; NULL: of a copy */
        const char *program, *verb, *what;
} Step;

static Step step_of_restore(const Task *task)
{
        switch (restore_step(task)) {
        case RESTORE_LOOK:
                return (Step){ "look", VSPHERE_PROGRAM, "in-place-look", "Restore" };
        case RESTORE_IMPORT:
                return (Step){ "import", VSPHERE_PROGRAM, "import", "Restore" };
        case RESTORE_SWAP:
                return (Step){ "swap", VSPHERE_PROGRAM, "in-place-swap", "Restore" };
        case RESTORE_END:
                break;
        }
        return (Step){ "end", VSPHERE_PROGRAM,
                       restore_is_in_place(task) ? "in-place-end" : "import-end", "Restore" };
}

static Step step_of(const Task *task)
{
        if (task_is_restore(task))
                return step_of_restore(task);
        if (task->state == TASK_ACCEPTED)
                return task_look(task) == TASK_LOOK_ASK
                                       ? (Step){ "look", VSPHERE_PROGRAM, "prepare", "Look" }
                                       : (Step){ "check", COPY_PROGRAM, "check", "Look" };
        if (task->state == TASK_SNAPSHOTTING)
                return (Step){ "snapshot", VSPHERE_PROGRAM, "snapshot", "Snapshot Work" };
        if (task->state == TASK_COPYING)
                return (Step){ NULL, COPY_PROGRAM, "copy", "Copy" };
        return (Step){ "release", VSPHERE_PROGRAM, "release", "Snapshot Work" };
}

static UnitName unit_name(const Task *task)
{
        const Step step = step_of(task);
        UnitName name = {
                .kind = step.name ? UNIT_VSPHERE_SERVICE : UNIT_COPY_SERVICE,
                .job = task->job,
        };

        if (step.name)
                (void) snprintf(name.step, sizeof(name.step), "%s", step.name);
        return name;
}

int task_unit_name(const Task *task, char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = unit_name(task);

        return unit_name_to_string(&name, ret_unit);
}

bool task_unit_needs_keys(const Task *task)
{
        const Step step = step_of(task);

        return json_is_true(json_object_get(task->row, "HasKeys")) &&
               (strcmp(step.program, COPY_PROGRAM) == 0 || strcmp(step.verb, "import") == 0);
}

json_t *task_vcenter(const Task *task)
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
        return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "vcenter",
                         task_vcenter(task), "instance_uuid", task_request(task, "instance_uuid"),
                         "path", task_request(task, "vm_path"), "name",
                         task_text(task, "SnapshotName"), "leftover_prefix", prefix, "description",
                         description, "quiesce", *quiesce ? quiesce : config->snapshot_quiesce,
                         "cbt", config->snapshot_tracking ? "enable" : "as-is", "transport",
                         config->copy_transport, "undo_sec", UNDO_SEC);
}

/* The look has seen the VM, whatever became of the snapshot step: by its moref it is known when its UUID finds it no more. */
static json_t *release_task(const Task *task)
{
        const json_t *moref = json_object_get(json_object_get(task->row, "Snapshot"), "vm_moref");

        if (!moref)
                moref = json_object_get(json_object_get(task->row, "Look"), "moref");
        return json_pack("{s:o, s:s, s:s, s:O*}", "vcenter", task_vcenter(task), "instance_uuid",
                         task_request(task, "instance_uuid"), "name",
                         task_text(task, "SnapshotName"), "vm_moref", moref);
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

static json_t *disk_task(const Task *task, const json_t *disk)
{
        const json_t *targets =
                        json_object_get(json_object_get(task->row, "Request"), "nbd_targets");
        json_int_t key = json_integer_value(json_object_get(disk, "disk_key"));
        CLEANUP(json_decref_p) json_t *entry = NULL;
        char name[24];

        (void) snprintf(name, sizeof(name), "%" JSON_INTEGER_FORMAT, key);
        entry = json_pack("{s:I, s:O, s:O*, s:O, s:{s:s, s:O, s:O*}}", "disk_key", key,
                          "capacity_bytes", json_object_get(disk, "capacity_bytes"), "backing_uuid",
                          json_object_get(disk, "backing_uuid"), "target",
                          json_object_get(targets, name), "source", "kind",
                          task->node->config->copy_transport, "datastore_path",
                          json_object_get(disk, "datastore_path"), "datacenter",
                          json_object_get(disk, "datacenter"));
        if (!entry || add_reading(task, disk, entry) < 0)
                return NULL;
        return TAKE(entry);
}

/* What nbdkit is told beyond the disk; NULL when it is not used. */
static json_t *vddk_settings(const NodeConfig *config)
{
        const struct {
                const char *key, *value;
        } settings[] = {
                { "nbdkit", config->vddk_nbdkit },
                { "plugin", config->vddk_plugin },
                { "libdir", config->vddk_libdir },
                { "config", config->vddk_config },
                { "transports", config->vddk_transports },
                { "compression", config->vddk_compression },
        };
        json_t *object;

        if (strcmp(config->copy_transport, "vddk") != 0)
                return NULL;
        object = json_object();
        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                if (*settings[i].value)
                        (void) json_object_set_new(object, settings[i].key,
                                                   json_string(settings[i].value));
        return object;
}

static json_t *copy_task(const Task *task, char ret_error[static 256])
{
        const NodeConfig *config = task->node->config;
        const json_t *snapshot = json_object_get(task->row, "Snapshot"), *disk;
        CLEANUP(json_decref_p) json_t *disks = json_array();
        char progress[UNIT_FILE_PATH_SIZE];
        size_t i;

        json_array_foreach (json_object_get(snapshot, "disks"), i, disk)
                if (!task_excludes(task, disk) &&
                    json_array_append_new(disks, disk_task(task, disk)) < 0)
                        return NULL;
        if (json_array_size(disks) == 0) {
                (void) snprintf(ret_error, 256, "The snapshot has no disk that could be copied");
                return NULL;
        }
        runtime_path(PROGRESS_SOCKET, progress);
        return json_pack("{s:I, s:I, s:s, s:b, s:I, s:I, s:o, s:{s:O*, s:s, s:O}, s:O, s:o*}",
                         "job", (json_int_t) task->job, "attempt", (json_int_t) task->attempt,
                         "progress", progress, "digests", config->copy_digests, "connections",
                         (json_int_t) budget_job_connections(config), "memory_bytes",
                         (json_int_t) config->copy_memory_bytes, "vcenter", task_vcenter(task),
                         "vm", "moref", json_object_get(snapshot, "vm_moref"), "instance_uuid",
                         task_request(task, "instance_uuid"), "snapshot_moref",
                         json_object_get(snapshot, "snapshot_moref"), "disks", disks, "vddk",
                         vddk_settings(config));
}

json_t *task_unit_task(const Task *task, char ret_error[static 256])
{
        (void) snprintf(ret_error, 256, "Out of memory");
        if (task_is_restore(task))
                return restore_spec(task);
        switch (task->state) {
        case TASK_ACCEPTED:
                return task_look_spec(task);
        case TASK_SNAPSHOTTING:
                return snapshot_task(task);
        case TASK_COPYING:
                return copy_task(task, ret_error);
        case TASK_RELEASING:
                return release_task(task);
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

/* What it asks the node for when it starts. */
static json_t *credentials_of(const Task *task)
{
        CLEANUP(json_decref_p)
        json_t *list = json_pack("[[s,s]]", CREDENTIAL_VCENTER, CREDENTIALS_SOCKET);

        if (task_unit_needs_keys(task) &&
            json_array_append_new(list, json_pack("[s,s]", TLS_PSK_FILE, CREDENTIALS_SOCKET)) < 0)
                return NULL;
        return TAKE(list);
}

static int unit_spec(const Task *task, json_t **ret_spec)
{
        char in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        const UnitName name = unit_name(task);
        const Step step = step_of(task);
        CLEANUP(json_decref_p) json_t *spec = NULL;
        int r;

        unit_file_path(task->unit, UNIT_FILE_IN, in);
        unit_file_path(task->unit, UNIT_FILE_OUT, out);
        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_property_description(spec, "Sendense %s of Job %" PRIu64, step.what,
                                              task->job);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_COPY_SERVICE, task->job, 0);
        if (r >= 0)
                r = unit_property_files(spec, in, out);
        if (r >= 0)
                r = unit_property(spec, "LoadCredential", "a(ss)", credentials_of(task));
        if (r >= 0)
                r = unit_property_command(spec, step.program, step.verb);
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
