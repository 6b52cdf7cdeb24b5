/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl task list|show|cancel|release: what the node of this machine does for its hub. A task has the number of
 * the hub's job.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "job-words.h"
#include "json-cleanup.h"
#include "node-client.h"

#include <inttypes.h>
#include <string.h>

static char *cell_owes(const json_t *task, const char *key)
{
        return strdup(json_is_true(json_object_get(task, key)) ? "owed" : "-");
}

static const Column task_columns[] = {
        { "JOB", "Id", cell_number, true },
        { "VM", "Vm", cell_text, false },
        { "STATE", "State", cell_text, false },
        { "DONE", "BytesDone", cell_bytes, true },
        { "OF", "BytesTotal", cell_bytes, true },
        { "SNAPSHOT", "OwesSnapshot", cell_owes, false },
        { "CREATED", "CreatedUSec", cell_time, false },
        { "ERROR", "Error", cell_text, false },
};

static const Column task_fields[] = {
        { "Job", "Id", cell_number, false },
        { "Attempt", "Attempt", cell_number, false },
        { "VM", "Vm", cell_text, false },
        { "State", "State", cell_text, false },
        { "Waits for", "Waiting", cell_text, false },
        { "Unit", "Unit", cell_text, false },
        { "Process", "ProcessId", cell_number, false },
        { "Done", "BytesDone", cell_bytes, false },
        { "Of", "BytesTotal", cell_bytes, false },
        { "Snapshot", "SnapshotName", cell_text, false },
        { "Removal", "OwesSnapshot", cell_owes, false },
        { "Outcome", "Outcome", cell_text, false },
        { "Ends as", "Ending", cell_text, false },
        { "Created", "CreatedUSec", cell_time, false },
        { "Error", "Error", cell_text, false },
        { "Its name", "ErrorName", cell_text, false },
};

static const Column disk_columns[] = {
        { "DISK", "Key", cell_number, true },
        { "READ AS", "BackupType", cell_text, false },
        { "CAPACITY", "CapacityBytes", cell_bytes, true },
        { "DONE", "BytesDone", cell_bytes, true },
        { "REASON", "Reason", cell_text, false },
};

ExitStatus verb_task_list(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = node_ask("ListTasks", "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, task_columns, ELEMENTSOF(task_columns),
                                       "The node has no task.")
                           : s;
}

ExitStatus verb_task_show(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *task = NULL;
        const json_t *disks;
        uint64_t id;
        ExitStatus s;

        (void) argc;
        s = job_id_parse(argv[0], &id);
        if (s == CTL_OK)
                s = node_ask("GetTask", "a{sv}", &task, "ta{sv}", id, 0);
        if (s == CTL_OK)
                s = show_object(task, task_fields, ELEMENTSOF(task_fields));
        disks = json_object_get(task, "Disks");
        if (s != CTL_OK || arg_json || json_array_size(disks) == 0)
                return s;
        (void) putchar('\n');
        return show_list(disks, disk_columns, ELEMENTSOF(disk_columns), "");
}

ExitStatus verb_task_cancel(int argc, char *argv[])
{
        uint64_t id;
        ExitStatus s;

        (void) argc;
        s = job_id_parse(argv[0], &id);
        if (s == CTL_OK)
                s = node_ask("Cancel", "", NULL, "ta{sv}", id, 0);
        return s == CTL_OK ? show_act("Id", json_integer((json_int_t) id),
                                      "task %" PRIu64 " is being cancelled. Look at it: "
                                      "sendensectl task show %" PRIu64,
                                      id, id)
                           : s;
}

ExitStatus verb_task_release(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *state = NULL;
        uint64_t id;
        ExitStatus s;

        (void) argc;
        s = job_id_parse(argv[0], &id);
        if (s == CTL_OK && strcmp(argv[1], "committed") != 0 && strcmp(argv[1], "abandoned") != 0)
                s = complain(CTL_USAGE, "'%s' must be committed or abandoned", argv[1]);
        if (s == CTL_OK)
                s = node_ask("Release", "s", &state, "tsa{sv}", id, argv[1], 0);
        return s == CTL_OK ? show_act("State", json_incref(state), "%s", json_string_value(state))
                           : s;
}
