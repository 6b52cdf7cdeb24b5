/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl job list|show|watch|cancel. The watching itself is in job-watch.c.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "job-result.h"
#include "job-types.h"
#include "job-watch.h"
#include "job-words.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>

static const Column job_columns[] = {
        { "ID", "Id", cell_number, true },          { "TYPE", "Type", cell_text, false },
        { "VM", "Vm", cell_text, false },           { "STATE", NULL, cell_job_state, false },
        { "DONE", NULL, cell_job_progress, true },  { "CREATED", "CreatedUSec", cell_time, false },
        { "TOOK", NULL, cell_job_span, true },      { "BACKUP", "BackupId", cell_text, false },
        { "ERROR", "ErrorText", cell_text, false },
};

static const Column job_fields[] = {
        { "Job", "Id", cell_number, false },
        { "Type", "Type", cell_text, false },
        { "State", NULL, cell_job_state, false },
        { "Done", NULL, cell_job_progress, false },
        { "VM", "Vm", cell_text, false },
        { "Context", "ContextId", cell_text, false },
        { "Backup", "BackupId", cell_text, false },
        { "Read as", "BackupType", cell_text, false },
        { "Repository", "Repository", cell_text, false },
        { "Node", "Node", cell_text, false },
        { "Asked by", "Principal", cell_text, false },
        { "Created", "CreatedUSec", cell_time, false },
        { "Started", "StartedUSec", cell_time, false },
        { "Finished", "FinishedUSec", cell_time, false },
        { "Took", NULL, cell_job_span, false },
        { "Attempt", "Attempt", cell_number, false },
        { "Error", "ErrorText", cell_text, false },
        { "Its name", "ErrorName", cell_text, false },
};

static const Column disk_columns[] = {
        { "DISK", "Key", cell_number, true },
        { "STATE", "State", cell_text, false },
        { "READ AS", "BackupType", cell_text, false },
        { "CAPACITY", "CapacityBytes", cell_bytes, true },
        { "DONE", "BytesDone", cell_bytes, true },
        { "SIZE", "SizeBytes", cell_bytes, true },
        { "VERIFIED", "VerifiedUSec", cell_time, false },
        { "PORT", "Port", cell_number, true },
        { "PROCESS", "ProcessId", cell_number, true },
        { "REASON", "Reason", cell_text, false },
        { "ERROR", "Error", cell_text, false },
        { "FILE", "File", cell_text, false },
};

static const Column event_columns[] = {
        { "AT", "AtUSec", cell_time, false },     { "FROM", "From", cell_text, false },
        { "TO", "To", cell_text, false },         { "BY", "Principal", cell_text, false },
        { "REASON", "Reason", cell_text, false },
};

static ExitStatus complain_state(const char *text)
{
        char known[256] = "";
        size_t n = 0;

        for (int i = 0; i < JOB_STATE_MAX && n < sizeof(known); i++)
                n += (size_t) snprintf(known + n, sizeof(known) - n, "%s%s", i > 0 ? ", " : "",
                                       job_state_to_string((JobState) i));
        return complain(CTL_USAGE, "--state=%s: must be one of %s", text, known);
}

static int append_filter(sd_bus_message *message, const char *name, const char *value)
{
        return value ? sd_bus_message_append(message, "{sv}", name, "s", value) : 0;
}

ExitStatus verb_job_list(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *list = NULL;
        const char *state = option_value(OPTION_STATE);
        uint32_t limit;
        ExitStatus s;
        int r;

        (void) argc, (void) argv;
        s = limit_parse(&limit);
        if (s == CTL_OK && state && job_state_from_string(state) < 0)
                s = complain_state(state);
        if (s == CTL_OK)
                s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "ListJobs", false, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(message, "{sv}", "limit", "u", limit);
        if (r >= 0)
                r = append_filter(message, "state", state);
        if (r >= 0)
                r = append_filter(message, "vm", option_value(OPTION_VM));
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "aa{sv}", &list);
        if (s == CTL_OK)
                s = show_list(list, job_columns, ELEMENTSOF(job_columns), "There is no such job.");
        if (s == CTL_OK)
                limit_print(list, limit);
        return s;
}

static ExitStatus print_part(const json_t *job, const char *key, const Column *columns, size_t n)
{
        const json_t *part = json_object_get(job, key);

        if (json_array_size(part) == 0)
                return CTL_OK;
        (void) putchar('\n');
        return columns_print_filled(part, columns, n) < 0 ? complain(CTL_FAILED, "Out of memory")
                                                          : CTL_OK;
}

/* What was found in its layers and those that it builds on. */
static void print_problems(const json_t *backup)
{
        const json_t *problems = json_object_get(backup, "Problems"), *problem;
        size_t i;

        if (json_array_size(problems) > 0) {
                (void) putchar('\n');
                output_line("DAMAGED:");
        }
        json_array_foreach (problems, i, problem)
                output_line("  %s", json_string_value(problem) ?: "?");
}

static ExitStatus show(const json_t *job)
{
        ExitStatus s = show_object(job, job_fields, ELEMENTSOF(job_fields));

        if (s != CTL_OK || arg_json)
                return s;
        job_result_print(job);
        print_problems(job);
        s = print_part(job, "Disks", disk_columns, ELEMENTSOF(disk_columns));
        return s == CTL_OK ? print_part(job, "Events", event_columns, ELEMENTSOF(event_columns))
                           : s;
}

ExitStatus verb_job_show(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *job = NULL;
        uint64_t id;
        ExitStatus s;

        (void) argc;
        s = job_id_parse(argv[0], &id);
        if (s == CTL_OK)
                s = hub_ask("GetJob", false, "a{sv}", &job, "ta{sv}", id, 0);
        return s == CTL_OK ? show(job) : s;
}

/* A backup is what its job made, or is about to make. */
ExitStatus verb_backup_show(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *job = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("GetBackup", false, "a{sv}", &job, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show(job) : s;
}

ExitStatus verb_job_watch(int argc, char *argv[])
{
        uint64_t id;
        ExitStatus s;

        (void) argc;
        s = job_id_parse(argv[0], &id);
        return s == CTL_OK ? job_watch(id) : s;
}

ExitStatus verb_job_cancel(int argc, char *argv[])
{
        uint64_t id;
        ExitStatus s;

        (void) argc;
        s = job_id_parse(argv[0], &id);
        if (s == CTL_OK)
                s = hub_ask("CancelJob", true, "", NULL, "ta{sv}", id, 0);
        if (s != CTL_OK)
                return s;
        if (!option_is_given(OPTION_WAIT))
                return show_act("Id", json_integer((json_int_t) id),
                                "job %" PRIu64 " is being cancelled. Watch it: sendensectl job "
                                "watch %" PRIu64,
                                id, id);
        s = job_watch(id);
        /* Here the cancelled job is the good end. */
        return s == CTL_OK ? CTL_NOT_WELL : s == CTL_NOT_WELL ? CTL_OK : s;
}
