/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl port list, obligation list and obligation forgive: what jobs hold, and what they left behind.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "output.h"
#include "parse.h"

#include <inttypes.h>
#include <string.h>

ExitStatus verb_port_list(int argc, char *argv[])
{
        static const Column columns[] = {
                { "PORT", "Port", cell_number, true },
                { "JOB", "Job", cell_number, true },
                { "DISK", "DiskKey", cell_number, true },
                { "PROCESS", "ProcessId", cell_number, true },
                { "SINCE", "LeasedUSec", cell_time, false },
                { "EXPORT", "ExportName", cell_text, false },
                { "UNIT", "Unit", cell_text, false },
        };
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListPorts", false, "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, columns, ELEMENTSOF(columns), "No port is in use.")
                           : s;
}

/* What jobs owe that are over. Those that run undo their own at their end. Fills ret_n_running with those. */
static json_t *owed_of(const json_t *list, size_t *ret_n_running)
{
        json_t *owed = json_array(), *row;
        size_t i, n = 0;

        json_array_foreach (list, i, row) {
                if (strcmp(text_of(row, "State"), "running") == 0)
                        n++;
                else if (json_array_append(owed, row) < 0) {
                        json_decref(owed);
                        return NULL;
                }
        }
        *ret_n_running = n;
        return owed;
}

ExitStatus verb_obligation_list(int argc, char *argv[])
{
        static const Column columns[] = {
                { "ID", "Id", cell_number, true },
                { "JOB", "Job", cell_number, true },
                { "KIND", "Kind", cell_text, false },
                { "SINCE", "CreatedUSec", cell_time, false },
                { "TRIES", "Attempts", cell_number, true },
                { "NEXT", "NextAttemptUSec", cell_time, false },
                { "SUBJECT", "Subject", cell_text, false },
                { "ERROR", "Error", cell_text, false },
        };
        CLEANUP(json_decref_p) json_t *list = NULL, *owed = NULL;
        size_t n_running = 0;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListObligations", false, "aa{sv}", &list, "a{sv}", 0);
        if (s != CTL_OK || arg_json)
                return s == CTL_OK ? show_list(list, columns, ELEMENTSOF(columns), "") : s;
        owed = owed_of(list, &n_running);
        if (!owed)
                return complain(CTL_FAILED, "Out of memory");
        s = show_list(owed, columns, ELEMENTSOF(columns), "Nothing is to be undone.");
        if (s == CTL_OK && n_running > 0)
                output_line("Jobs that run will undo %zu more at their end: --json has them.",
                            n_running);
        return s;
}

ExitStatus verb_obligation_forgive(int argc, char *argv[])
{
        uint64_t id;
        ExitStatus s;

        (void) argc;
        if (parse_uint64(argv[0], 1, INT64_MAX, &id) < 0)
                return complain(CTL_USAGE, "ID must be a number, as \"obligation list\" has it");
        s = hub_ask("ForgiveObligation", true, "", NULL, "ta{sv}", id, 0);
        return s != CTL_OK ? s
                           : show_act("Id", json_integer((json_int_t) id),
                                      "obligation %" PRIu64
                                      " is forgiven; what it was about stays as it is",
                                      id);
}
