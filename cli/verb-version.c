/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl version: every program of ours on disk against each other, the running hub against its
 * file, the database against the hub. Finds the programs by looking, so that none can be forgotten.
 */
#include "build-config.h"
#include "build-id.h"
#include "cleanup.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* What is found out, gathered as JSON whether or not it is printed so. */
typedef struct Report {
        json_t *programs; /* name, path, version, commit, build_id, running_build_id */
        json_t *differences; /* sentences */
        json_t *hub; /* its properties, NULL when it does not answer */
        const char *hub_state; /* for people: "running", or why not */
        bool out_of_memory;
} Report;

static void report_done(Report *report)
{
        json_decref(report->programs);
        json_decref(report->differences);
        json_decref(report->hub);
}

__attribute__((format(printf, 2, 3))) static void differ(Report *report, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        if (!text || json_array_append_new(report->differences, json_string(text)) < 0)
                report->out_of_memory = true;
}

static const char *hub_text(const Report *report, const char *name)
{
        return json_string_value(json_object_get(report->hub, name));
}

static void compare_running(Report *report, const char *name, const BuildIdentity *identity)
{
        const char *running = hub_text(report, "BuildId");

        if (!report->hub || strcmp(name, "sendense-hub") != 0)
                return;
        if (!running || strcmp(running, identity->id) != 0)
                differ(report, "sendense-hub: the running process was started from another file "
                               "than the one "
                               "on disk. Restart it: systemctl restart sendense-hub.service");
}

static const char *text_or_null(const char *text)
{
        return *text ? text : NULL;
}

static void add_program(Report *report, const char *name, const char *path)
{
        const char *running =
                        strcmp(name, "sendense-hub") == 0 ? hub_text(report, "BuildId") : NULL;
        BuildIdentity identity = {};
        json_t *program;
        int r;

        r = build_identity_of_file(path, &identity);
        if (r == -ENOEXEC)
                return; /* a script carries no version */
        if (r == -ENODATA)
                differ(report, "%s: is not built by Sendense, or stripped of its notes", path);
        else if (r < 0)
                differ(report, "%s: cannot be read: %s", path, strerror(-r));
        else {
                if (strcmp(identity.version, build_version()) != 0 ||
                    strcmp(identity.commit, build_commit()) != 0)
                        differ(report,
                               "%s: is version %s (commit %s), sendensectl is %s (commit %s). "
                               "Install "
                               "all of them from one build",
                               path, identity.version, identity.commit, build_version(),
                               build_commit());
                compare_running(report, name, &identity);
        }
        program = json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "name", name, "path", path,
                            "version", text_or_null(identity.version), "commit",
                            text_or_null(identity.commit), "build_id", text_or_null(identity.id),
                            "running_build_id", running);
        if (json_array_append_new(report->programs, program) < 0)
                report->out_of_memory = true;
}

static int is_program(const struct dirent *entry)
{
        return strncmp(entry->d_name, "sendense-", strlen("sendense-")) == 0 &&
               (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
}

static void add_programs(Report *report)
{
        _cleanup_free_ char *folder = NULL;
        struct dirent **entries = NULL;
        int n;

        if (asprintf(&folder, "%s" SENDENSE_LIBEXEC_DIR, arg_root) < 0) {
                folder = NULL;
                report->out_of_memory = true;
                return;
        }
        n = scandir(folder, &entries, is_program, alphasort);
        if (n < 0)
                differ(report, "%s: cannot be read: %s", folder, strerror(errno));
        if (n == 0)
                differ(report, "%s: holds no program", folder);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
                        path = NULL;
                        report->out_of_memory = true;
                } else
                        add_program(report, entries[i]->d_name, path);
                free(entries[i]);
        }
        free(entries);
}

static const char *text_of(const json_t *program, const char *name)
{
        return json_string_value(json_object_get(program, name)) ?: "-";
}

static void compare_schema(Report *report)
{
        json_int_t database = json_integer_value(json_object_get(report->hub, "DatabaseSchema"));
        json_int_t program = json_integer_value(json_object_get(report->hub, "ProgramSchema"));

        if (!report->hub || database == program)
                return;
        /* 0 is "not known", as while the database is away; but a state that names the schema knows it. */
        if (database == 0 && strcmp(text_of(report->hub, "DatabaseState"), "schema-older") != 0)
                return;
        if (database < program)
                differ(report,
                       "database: has schema %" JSON_INTEGER_FORMAT
                       ", the hub needs %" JSON_INTEGER_FORMAT
                       ". Migrate it: systemctl restart sendense-migrate.service",
                       database, program);
        else
                differ(report,
                       "database: has schema %" JSON_INTEGER_FORMAT
                       ", newer than the hub's %" JSON_INTEGER_FORMAT
                       ". Install the version that made it",
                       database, program);
}

static const char *short_id(const char *id, char ret_text[static 13])
{
        (void) snprintf(ret_text, 13, "%s", id && *id ? id : "-");
        return ret_text;
}

static int print_table(const Report *report)
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

static int print_report(const Report *report)
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
                            report->hub ? hub_text(report, "DatabaseState") ?: "?"
                                        : report->hub_state);
        json_array_foreach (report->differences, i, difference)
                output_line("DIFFERS %s", json_string_value(difference));
        return 0;
}

static int print_json(const Report *report)
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
        CLEANUP(report_done)
        Report report = {
                .programs = json_array(),
                .differences = json_array(),
                .hub_state = "no bus",
        };
        _cleanup_free_ char *own = NULL;
        int r;

        (void) argc, (void) argv;
        if (asprintf(&own, "%s" SENDENSE_BIN_DIR "/sendensectl", arg_root) < 0) {
                own = NULL;
                return complain(CTL_FAILED, "Out of memory");
        }
        if (sd_bus_open_system_with_description(&bus, "sendensectl") >= 0 &&
            hub_get_properties(bus, &report.hub, &report.hub_state) != CTL_OK &&
            strcmp(report.hub_state, "not running") != 0)
                differ(&report, "sendense-hub: gave no answer that can be compared");

        add_program(&report, "sendensectl", own);
        add_programs(&report);
        compare_schema(&report);

        r = arg_json ? print_json(&report) : print_report(&report);
        if (r < 0 || report.out_of_memory)
                return complain(CTL_FAILED, "Out of memory");
        return json_array_size(report.differences) > 0 ? CTL_NOT_WELL : CTL_OK;
}
