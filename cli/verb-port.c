/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl port list and obligation list: what jobs hold, and what they left behind.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"

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
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListObligations", false, "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, columns, ELEMENTSOF(columns),
                                       "Nothing is to be undone.")
                           : s;
}
