/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl repository list|show|add|remove|check|scan: where backups are kept.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>

static const Column repository_columns[] = {
        { "ID", "Id", cell_number, true },
        { "NAME", "Name", cell_text, false },
        { "STATE", "State", cell_text, false },
        { "FREE", "FreeBytes", cell_bytes, true },
        { "SIZE", "SizeBytes", cell_bytes, true },
        { "BACKUPS", "Backups", cell_number, true },
        { "CHECKED", "CheckedUSec", cell_time, false },
        { "PATH", "Path", cell_text, false },
};

static const Column repository_fields[] = {
        { "Id", "Id", cell_number, false },
        { "Name", "Name", cell_text, false },
        { "Path", "Path", cell_text, false },
        { "State", "State", cell_text, false },
        { "Error", "Error", cell_text, false },
        { "Free", "FreeBytes", cell_bytes, false },
        { "Size", "SizeBytes", cell_bytes, false },
        { "Backups", "Backups", cell_number, false },
        { "Checked", "CheckedUSec", cell_time, false },
        { "Created", "CreatedUSec", cell_time, false },
};

ExitStatus verb_repository_list(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        json_t *repository;
        ExitStatus s;
        size_t i;

        (void) argc, (void) argv;
        s = hub_ask("ListRepositories", false, "aa{sv}", &list, "a{sv}", 0);
        if (s == CTL_OK)
                s = show_list(list, repository_columns, ELEMENTSOF(repository_columns),
                              "There is no repository. Add one: sendensectl repository add NAME "
                              "PATH");
        if (s != CTL_OK || arg_json)
                return s;
        json_array_foreach (list, i, repository)
                if (*text_of(repository, "Error"))
                        output_line("%s: %s", text_of(repository, "Name"),
                                    text_of(repository, "Error"));
        return CTL_OK;
}

/* The list is short, and the hub has no question for one. A name wins over an id, as at the hub. */
static const json_t *find(const json_t *list, const char *wanted)
{
        const json_t *repository;
        char id[24];
        size_t i;

        json_array_foreach (list, i, repository)
                if (strcmp(text_of(repository, "Name"), wanted) == 0)
                        return repository;
        json_array_foreach (list, i, repository) {
                (void) snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT,
                                number_of(repository, "Id"));
                if (strcmp(id, wanted) == 0)
                        return repository;
        }
        return NULL;
}

ExitStatus verb_repository_show(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        const json_t *repository;
        ExitStatus s;

        (void) argc;
        s = hub_ask("ListRepositories", false, "aa{sv}", &list, "a{sv}", 0);
        if (s != CTL_OK)
                return s;
        repository = find(list, argv[0]);
        if (!repository)
                return complain(CTL_FAILED,
                                "there is no repository '%s'. List the repositories: sendensectl "
                                "repository list",
                                argv[0]);
        return show_object(repository, repository_fields, ELEMENTSOF(repository_fields));
}

ExitStatus verb_repository_add(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *id = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("AddRepository", true, "t", &id, "ssa{sv}", argv[0], argv[1], 0);
        if (s != CTL_OK)
                return s;
        return show_act("Id", json_incref(id), "repository %s has the id %" JSON_INTEGER_FORMAT,
                        argv[0], json_integer_value(id));
}

ExitStatus verb_repository_remove(int argc, char *argv[])
{
        ExitStatus s;

        (void) argc;
        s = hub_ask("RemoveRepository", true, "", NULL, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_act("Removed", json_string(argv[0]),
                                      "repository %s is forgotten; its folder stays as it is",
                                      argv[0])
                           : s;
}

ExitStatus verb_repository_check(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *repository = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("CheckRepository", false, "a{sv}", &repository, "sa{sv}", argv[0], 0);
        if (s == CTL_OK)
                s = show_object(repository, repository_fields, ELEMENTSOF(repository_fields));
        if (s != CTL_OK)
                return s;
        return strcmp(text_of(repository, "State"), "ok") == 0 ? CTL_OK : CTL_NOT_WELL;
}

static void print_lines(const char *label, const json_t *lines)
{
        const json_t *line;
        size_t i;

        json_array_foreach (lines, i, line)
                output_line("%s %s", label, json_string_value(line) ?: "?");
}

ExitStatus verb_repository_scan(int argc, char *argv[])
{
        static const Column fields[] = {
                { "Backups", "Backups", cell_number, false },
                { "Added", "Added", cell_number, false },
                { "Known before", "Known", cell_number, false },
        };
        CLEANUP(json_decref_p) json_t *result = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("ScanRepository", true, "a{sv}", &result, "sa{sv}", argv[0], 0);
        if (s == CTL_OK)
                s = show_object(result, fields, ELEMENTSOF(fields));
        if (s != CTL_OK)
                return s;
        if (!arg_json) {
                print_lines("PROBLEM", json_object_get(result, "Problems"));
                print_lines("STRAY", json_object_get(result, "Strays"));
        }
        return json_array_size(json_object_get(result, "Problems")) > 0 ? CTL_NOT_WELL : CTL_OK;
}
