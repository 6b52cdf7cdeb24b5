/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look (see task-look.h). Its results are the members Look (the VM as it was found) and Checked of the row.
 */
#include "task-look.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "node.h"
#include "parse.h"
#include "task-unit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static json_int_t key_of(const json_t *disk)
{
        return json_integer_value(json_object_get(disk, "disk_key"));
}

TaskLook task_look(const Task *task)
{
        if (json_is_true(json_object_get(task->row, "Checked")))
                return TASK_LOOK_DONE;
        return json_object_get(task->row, "Look") ? TASK_LOOK_CHECK : TASK_LOOK_ASK;
}

/* What a crash of ours has left is removed now: until then the disks are deltas, and a look at them would refuse what can be
 * read afterwards. */
static json_t *ask_spec(const Task *task)
{
        char prefix[64];

        (void) snprintf(prefix, sizeof(prefix), "sendense-%s-", task->node->installation);
        return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s}", "vcenter", task_vcenter(task),
                         "instance_uuid", task_request(task, "instance_uuid"), "path",
                         task_request(task, "vm_path"), "transport",
                         task->node->config->copy_transport, "name",
                         task_text(task, "SnapshotName"), "leftover_prefix", prefix);
}

const char *task_excludes(const Task *task, const json_t *disk)
{
        const json_t *excluded = json_object_get(json_object_get(task->row, "Request"), "excluded");
        char key[24];

        (void) snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(disk, "disk_key")));
        return json_string_value(json_object_get(excluded, key));
}

static const char *target_of(const Task *task, json_int_t key)
{
        const json_t *targets =
                        json_object_get(json_object_get(task->row, "Request"), "nbd_targets");
        char name[24];

        (void) snprintf(name, sizeof(name), "%" JSON_INTEGER_FORMAT, key);
        return json_string_value(json_object_get(targets, name));
}

static json_t *check_spec(const Task *task)
{
        bool is_https = strcmp(task->node->config->copy_transport, "https") == 0;
        json_t *disks = json_array();
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(json_object_get(task->row, "Look"), "disks"), i, disk)
                if (!task_excludes(task, disk))
                        (void) json_array_append_new(
                                        disks,
                                        json_pack("{s:I, s:O, s:O, s:O, s:O, s:s*}", "disk_key",
                                                  key_of(disk), "capacity_bytes",
                                                  json_object_get(disk, "capacity_bytes"),
                                                  "verdict", json_object_get(disk, "verdict"),
                                                  "datastore_path",
                                                  json_object_get(disk, "datastore_path"),
                                                  "datacenter", json_object_get(disk, "datacenter"),
                                                  "target", target_of(task, key_of(disk))));
        return json_pack("{s:o, s:o, s:b}", "vcenter", task_vcenter(task), "disks", disks,
                         "targets_only", !is_https);
}

json_t *task_look_spec(const Task *task)
{
        return task_look(task) == TASK_LOOK_ASK ? ask_spec(task) : check_spec(task);
}

static bool is_in(const json_t *list, uint64_t key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (list, i, disk)
                if (key_of(disk) == (json_int_t) key)
                        return true;
        return false;
}

int task_check_targets(const Task *task, const json_t *disks, const json_t *excluded,
                       char ret_error[static 256])
{
        json_t *targets = json_object_get(json_object_get(task->row, "Request"), "nbd_targets");
        const json_t *disk;
        const char *name;
        json_t *target;
        size_t i;

        json_array_foreach (disks, i, disk) {
                if (strcmp(text_of(disk, "verdict"), "no") == 0 || task_excludes(task, disk) ||
                    target_of(task, key_of(disk)))
                        continue;
                (void) snprintf(ret_error, 256,
                                "Disk %" JSON_INTEGER_FORMAT
                                " (%.80s) has no target in nbd_targets; it would be lost silently",
                                key_of(disk), text_of(disk, "datastore_path"));
                return -ESTALE;
        }
        json_object_foreach (targets, name, target) {
                uint64_t key;

                if (parse_uint64(name, 1, DISK_KEY_MAX, &key) >= 0 &&
                    (is_in(disks, key) || is_in(excluded, key)))
                        continue;
                (void) snprintf(ret_error, 256,
                                "Disk %.20s has a target, and the VM has no such disk; discover it "
                                "again",
                                name);
                return -ESTALE;
        }
        return 0;
}

int task_look_take(Task *task, const json_t *result, char ret_error[static 256])
{
        json_t *vm;

        if (task_look(task) == TASK_LOOK_CHECK) {
                task_set(task, "Checked", json_true());
                return 0;
        }
        vm = json_array_get(json_object_get(result, "vms"), 0);
        if (!vm) {
                (void) snprintf(ret_error, 256, "vCenter shows no such VM");
                return -ESTALE;
        }
        task_set(task, "Look", json_incref(vm));
        if (json_array_size(json_object_get(result, "warnings")) > 0)
                task_set(task, "Warnings", json_deep_copy(json_object_get(result, "warnings")));
        return task_check_targets(task, json_object_get(vm, "disks"), NULL, ret_error);
}
