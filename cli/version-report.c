/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The comparison (see version-report.h).
 */
#include "version-report.h"
#include "text.h"

#include "build-config.h"
#include "build-id.h"
#include "cleanup.h"
#include "ctl.h"
#include "hub-client.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

void version_report_done(VersionReport *report)
{
        json_decref(report->programs);
        json_decref(report->differences);
        json_decref(report->hub);
}

__attribute__((format(printf, 2, 3))) static void differ(VersionReport *report, const char *format,
                                                         ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        if (!text || json_array_append_new(report->differences, json_string(text)) < 0)
                report->out_of_memory = true;
}

static const char *hub_text(const VersionReport *report, const char *name)
{
        return json_string_value(json_object_get(report->hub, name));
}

static void compare_running(VersionReport *report, const char *name, const BuildIdentity *identity)
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

static void add_program(VersionReport *report, const char *name, const char *path)
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

static void add_programs(VersionReport *report)
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

static void compare_schema(VersionReport *report)
{
        json_int_t database = json_integer_value(json_object_get(report->hub, "DatabaseSchema"));
        json_int_t program = json_integer_value(json_object_get(report->hub, "ProgramSchema"));

        if (!report->hub || database == program)
                return;
        /* 0 is "not known", as while the database is away; but a state that names the schema knows it. */
        if (database == 0 && strcmp(hub_text(report, "DatabaseState") ?: "", "schema-older") != 0)
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

int version_report_make(sd_bus *bus, VersionReport *report)
{
        _cleanup_free_ char *own = NULL;

        report->programs = json_array();
        report->differences = json_array();
        report->hub_state = "no bus";
        if (asprintf(&own, "%s" SENDENSE_BIN_DIR "/sendensectl", arg_root) < 0) {
                own = NULL;
                return -ENOMEM;
        }
        if (bus && hub_get_properties(bus, &report->hub, &report->hub_state) != CTL_OK &&
            strcmp(report->hub_state, "not running") != 0)
                differ(report, "sendense-hub: gave no answer that can be compared");
        add_program(report, "sendensectl", own);
        add_programs(report);
        compare_schema(report);
        return report->out_of_memory ? -ENOMEM : 0;
}

int version_differences(sd_bus *bus, json_t **ret_differences)
{
        CLEANUP(version_report_done) VersionReport report = {};
        int r = version_report_make(bus, &report);

        if (r >= 0)
                *ret_differences = json_incref(report.differences);
        return r;
}
