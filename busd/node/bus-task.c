/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Task objects (see bus-node.h): they show what the runner has, and change nothing.
 */
#include "bus-node.h"

#include "bus/bus-json.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "log.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define TASK_PREFIX NODE_BUS_PATH "/task"

enum {
        PROGRESS_PERIOD_USEC = 500 * 1000,
};

static void task_path(const Task *task, char ret_path[static TASK_OBJECT_PATH_SIZE])
{
        (void) snprintf(ret_path, TASK_OBJECT_PATH_SIZE, TASK_PREFIX "/%" PRIu64, task->job);
}

static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *error)
{
        const char *number = path + strlen(TASK_PREFIX) + 1;
        const Node *node = userdata;
        uint64_t job;

        (void) bus, (void) interface, (void) error;
        if (strncmp(path, TASK_PREFIX "/", strlen(TASK_PREFIX) + 1) != 0 ||
            parse_uint64(number, 1, JOB_NUMBER_MAX, &job) < 0)
                return 0;
        *ret_found = node_find(node, job);
        return *ret_found != NULL;
}

static void free_texts(char **texts)
{
        for (size_t i = 0; texts[i]; i++)
                free(texts[i]);
        free(texts);
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *error)
{
        const Node *node = userdata;
        char **nodes = calloc(node->n_tasks + 1, sizeof(char *));

        (void) bus, (void) prefix, (void) error;
        if (!nodes)
                return -ENOMEM;
        for (size_t i = 0; i < node->n_tasks; i++) {
                nodes[i] = text_format(TASK_PREFIX "/%" PRIu64, node->tasks[i]->job);
                if (!nodes[i]) {
                        free_texts(nodes);
                        return -ENOMEM;
                }
        }
        *ret_nodes = nodes;
        return 0;
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        char waits_for[TASK_WAITING_SIZE];
        const Task *task = userdata;
        const char *text;

        (void) bus, (void) path, (void) interface, (void) error;
        task_waits_for(task, waits_for);
        if (strcmp(property, "State") == 0)
                text = task_state_to_string(task->state);
        else if (strcmp(property, "Vm") == 0)
                text = task_request(task, "vm_name");
        else if (strcmp(property, "Waiting") == 0)
                text = waits_for;
        else
                text = task_text(task, strcmp(property, "Error") == 0 ? "ErrorText" : property);
        return sd_bus_message_append(reply, "s", text);
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Task *task = userdata;
        uint64_t number;

        (void) bus, (void) path, (void) interface, (void) error;
        number = strcmp(property, "Id") == 0          ? task->job
                 : strcmp(property, "Attempt") == 0   ? task->attempt
                 : strcmp(property, "BytesDone") == 0 ? task_bytes_done(task)
                                                      : task_bytes_total(task);
        return sd_bus_message_append(reply, "t", number);
}

static int get_owes(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "b", (int) task_owes(userdata));
}

static int get_disks(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *show = task_show(userdata);
        const json_t *disks = json_object_get(show, "Disks");

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return disks ? bus_json_append_dicts(reply, disks) : -ENOMEM;
}

static const sd_bus_vtable task_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Id", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Attempt", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Vm", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Waiting", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Ending", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Outcome", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OwesSnapshot", "b", get_owes, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("SnapshotName", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BytesDone", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BytesTotal", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Error", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Disks", "aa{sv}", get_disks, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

        SD_BUS_VTABLE_END,
};

int bus_task_register(Node *node)
{
        int r;

        r = sd_bus_add_fallback_vtable(node->bus, NULL, TASK_PREFIX, NODE_TASK_INTERFACE,
                                       task_vtable, find_object, node);
        return r < 0 ? r
                     : sd_bus_add_node_enumerator(node->bus, NULL, TASK_PREFIX, enumerate, node);
}

static void complain(int r, const Task *task)
{
        if (r < 0)
                (void) log_warning(r, "Cannot announce the change of job %" PRIu64 ": %m",
                                   task->job);
}

void bus_task_added(const Task *task)
{
        sd_bus *bus = task->node->bus;
        char path[TASK_OBJECT_PATH_SIZE];
        int r;

        if (!task->node->has_name)
                return;
        task_path(task, path);
        r = sd_bus_emit_object_added(bus, path);
        if (r >= 0)
                r = sd_bus_emit_signal(bus, NODE_BUS_PATH, NODE_MANAGER_INTERFACE, "TaskNew", "to",
                                       task->job, path);
        complain(r, task);
        bus_node_changed(task->node, "Tasks");
}

void bus_task_changed(const Task *task)
{
        char path[TASK_OBJECT_PATH_SIZE];

        if (!task->node->has_name)
                return;
        task_path(task, path);
        complain(sd_bus_emit_properties_changed(task->node->bus, path, NODE_TASK_INTERFACE, "State",
                                                "Waiting", "Ending", "Outcome", "OwesSnapshot",
                                                "Error", "Disks", NULL),
                 task);
        bus_node_changed(task->node, "Obligations");
}

void bus_task_moved(Task *task)
{
        uint64_t now = clock_monotonic_usec();
        char path[TASK_OBJECT_PATH_SIZE];

        if (!task->node->has_name || now - task->told_usec < PROGRESS_PERIOD_USEC)
                return;
        task->told_usec = now;
        task_path(task, path);
        complain(sd_bus_emit_properties_changed(task->node->bus, path, NODE_TASK_INTERFACE,
                                                "BytesDone", "BytesTotal", "Disks", NULL),
                 task);
}

void bus_task_removed(const Task *task)
{
        char path[TASK_OBJECT_PATH_SIZE];

        if (!task->node->has_name)
                return;
        task_path(task, path);
        complain(sd_bus_emit_signal(task->node->bus, NODE_BUS_PATH, NODE_MANAGER_INTERFACE,
                                    "TaskRemoved", "tos", task->job, path,
                                    task_state_to_string(task->state)),
                 task);
        bus_node_changed(task->node, "Tasks");
}

void bus_task_dropped(const Task *task)
{
        char path[TASK_OBJECT_PATH_SIZE];

        if (!task->node->has_name)
                return;
        task_path(task, path);
        complain(sd_bus_emit_object_removed(task->node->bus, path), task);
}
