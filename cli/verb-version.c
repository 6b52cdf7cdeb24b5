/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl version: shows what version-report.h finds, as a table and a line for each difference, or as JSON for
 * programs. Finds nothing out itself.
 */
#include "cleanup.h"
#include "ctl.h"
#include "json-cleanup.h"
#include "output.h"
#include "version-report.h"

#include <errno.h>
#include <string.h>

static const char *text_of(const json_t *program, const char *name)
{
        return json_string_value(json_object_get(program, name)) ?: "-";
}

static const char *short_id(const char *id, char ret_text[static 13])
{
        (void) snprintf(ret_text, 13, "%s", id && *id ? id : "-");
        return ret_text;
}

static int print_table(const VersionReport *report)
{
        CLEANUP(json_decref_p)
        json_t *rows = json_pack("[[s, s, s, s, s]]", "PROGRAM", "VERSION", "COMMIT", "BUILD ID",
                                 "RUNNING");
        json_t *program;
        size_t i;

        json_array_foreach (report->programs, i, program) {
                const char *name = text_of(program, "name"), *id = text_of(program, "build_id");
                const char *running =
                                json_string_value(json_object_get(program, "running_build_id"));
                char on_disk[13], in_memory[13];
                json_t *row;

                if (strcmp(name, "sendense-hub") != 0)
                        short_id(NULL, in_memory);
                else if (running && strcmp(running, id) == 0)
                        (void) snprintf(in_memory, sizeof(in_memory), "same");
                else
                        short_id(running ?: report->hub_state, in_memory);
                row = json_pack("[s, s, s, s, s]", name, text_of(program, "version"),
                                text_of(program, "commit"), short_id(id, on_disk), in_memory);
                if (json_array_append_new(rows, row) < 0)
                        return -ENOMEM;
        }
        return output_table(rows, 0);
}

static int print_report(const VersionReport *report)
{
        json_int_t database = json_integer_value(json_object_get(report->hub, "DatabaseSchema"));
        json_t *difference;
        size_t i;
        int r;

        r = print_table(report);
        if (r < 0)
                return r;
        if (database > 0)
                (void) printf("database schema %" JSON_INTEGER_FORMAT
                              ", the hub's %" JSON_INTEGER_FORMAT "\n",
                              database,
                              json_integer_value(json_object_get(report->hub, "ProgramSchema")));
        else
                output_line("database schema not known (%s)",
                            report->hub ? text_of(report->hub, "DatabaseState")
                                        : report->hub_state);
        json_array_foreach (report->differences, i, difference)
                output_line("DIFFERS %s", json_string_value(difference));
        return 0;
}

static int print_json(const VersionReport *report)
{
        json_t *database = json_object_get(report->hub, "DatabaseSchema");
        json_t *program = json_object_get(report->hub, "ProgramSchema");
        CLEANUP(json_decref_p)
        json_t *all = json_pack("{s:O, s:O?, s:O?, s:O}", "programs", report->programs,
                                "database_schema", database, "program_schema", program,
                                "differences", report->differences);

        return all ? output_json(all) : -ENOMEM;
}

ExitStatus verb_version(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(version_report_done) VersionReport report = {};
        int r;

        (void) argc, (void) argv;
        (void) sd_bus_open_system_with_description(&bus, "sendensectl");
        r = version_report_make(bus, &report);
        if (r >= 0)
                r = arg_json ? print_json(&report) : print_report(&report);
        if (r < 0)
                return complain(CTL_FAILED, "Out of memory");
        return json_array_size(report.differences) > 0 ? CTL_NOT_WELL : CTL_OK;
}
