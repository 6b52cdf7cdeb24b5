/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl status: what the hub says of itself, its jobs and its repositories, for people or as the
 * JSON of what it answered. GetStatus must be answered; of the rest, what is not known is said to be so.
 */
#include "bus/bus-value.h"
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "format.h"
#include "hub-client.h"
#include "job-types.h"
#include "job-words.h"
#include "json-cleanup.h"
#include "node-client.h"
#include "output.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* What is asked besides GetStatus, and the key it gets in the JSON. */
static const struct {
        const char *key, *method;
} parts[] = {
        { "OpenJobs", "ListJobs" },
        { "Leases", "ListPorts" },
        { "OpenObligations", "ListObligations" },
        { "Repositories", "ListRepositories" },
        { "Nodes", "ListNodes" },
        { "Policies", "ListPolicies" },
};

enum {
        JOBS_MAX = 1000, /* looked through for the open ones, the newest first */
};

static const char *known_text(const json_t *status, const char *name)
{
        return json_string_value(json_object_get(status, name)) ?: "unknown";
}

static void print_hub(const json_t *status)
{
        time_t at = (time_t) (number_of(status, "StartedUSec") / (json_int_t) USEC_PER_SEC);
        char process[48] = "", since[64] = "";
        struct tm tm;

        if (number_of(status, "ProcessId") > 0)
                (void) snprintf(process, sizeof(process), ", process %" JSON_INTEGER_FORMAT,
                                number_of(status, "ProcessId"));
        if (at <= 0 || !localtime_r(&at, &tm) ||
            strftime(since, sizeof(since), ", since %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                since[0] = '\0';
        output_line("      Hub: %s%s%s", known_text(status, "State"), process, since);
        output_line("  Version: %s (commit %s, build-id %s)", known_text(status, "Version"),
                    known_text(status, "Commit"), known_text(status, "BuildId"));
}

static void print_database(const json_t *status)
{
        json_int_t schema = number_of(status, "DatabaseSchema");
        json_int_t needed = number_of(status, "ProgramSchema");
        const char *error = known_text(status, "DatabaseError");
        char has[48] = "", needs[64] = "";

        if (schema > 0)
                (void) snprintf(has, sizeof(has), ", schema %" JSON_INTEGER_FORMAT, schema);
        if (schema != needed)
                (void) snprintf(needs, sizeof(needs),
                                ", the hub needs schema %" JSON_INTEGER_FORMAT, needed);
        output_line(" Database: %s%s%s", known_text(status, "DatabaseState"), has, needs);
        if (*error)
                output_line("           %s", error);
}

/* The open ones of a list of jobs. */
static json_t *open_jobs(const json_t *jobs)
{
        CLEANUP(json_decref_p) json_t *list = json_array();
        json_t *job;
        size_t i;

        json_array_foreach (jobs, i, job)
                if (!job_state_is_final(job_state_from_string(text_of(job, "State"))) &&
                    json_array_append(list, job) < 0)
                        return NULL;
        return TAKE(list);
}

static void print_jobs(const json_t *jobs)
{
        const json_t *job;
        size_t i;

        output_line("     Jobs: %zu open", json_array_size(jobs));
        json_array_foreach (jobs, i, job) {
                _cleanup_free_ char *state = cell_job_state(job, NULL);
                _cleanup_free_ char *done = cell_job_progress(job, NULL);
                bool has_done = done && strcmp(done, "-") != 0;

                output_line("           %" JSON_INTEGER_FORMAT ": %s of %s, %s%s%s",
                            number_of(job, "Id"), text_of(job, "Type"), text_of(job, "Vm"),
                            state ?: "?", has_done ? ", " : "", has_done ? done : "");
        }
}

static void print_repositories(const json_t *repositories)
{
        char available[FORMAT_SIZE], size[FORMAT_SIZE], space[2 * FORMAT_SIZE + 16] = "";
        const json_t *repository;
        size_t i;

        if (json_array_size(repositories) == 0)
                (void) puts("    Repos: none. Add one: sendensectl repository add NAME PATH");
        json_array_foreach (repositories, i, repository) {
                const char *error = text_of(repository, "Error");

                space[0] = '\0';
                if (json_object_get(repository, "FreeBytes"))
                        (void) snprintf(space, sizeof(space), ", %s of %s free",
                                        format_bytes((uint64_t) number_of(repository, "FreeBytes"),
                                                     available),
                                        format_bytes((uint64_t) number_of(repository, "SizeBytes"),
                                                     size));
                output_line("%s%s, %s%s%s%s", i == 0 ? "    Repos: " : "           ",
                            text_of(repository, "Name"), known_text(repository, "State"), space,
                            *error ? ": " : "", error);
        }
}

/* Those of this hub, by their links. */
static void print_links(const json_t *nodes)
{
        const json_t *node;
        size_t i;

        json_array_foreach (nodes, i, node) {
                bool is_enrolled = strcmp(text_of(node, "State"), "enrolled") == 0;
                bool is_reachable = json_is_true(json_object_get(node, "Reachable"));
                const char *error = text_of(node, "Error");

                output_line("%s%s, %s", i == 0 ? "    Nodes: " : "           ",
                            text_of(node, "Name"),
                            !is_enrolled   ? "waits to be enrolled"
                            : is_reachable ? "answers"
                                           : "does not answer");
                if (is_enrolled && *error)
                        output_line("           %s", error);
                if (number_of(node, "Obligations") > 0)
                        output_line("           owes %" JSON_INTEGER_FORMAT
                                    " to vCenter; sendensectl cleanup says what",
                                    number_of(node, "Obligations"));
        }
}

static void print_policies(const json_t *policies)
{
        const json_t *policy;
        size_t i;

        json_array_foreach (policies, i, policy) {
                _cleanup_free_ char *next = cell_time(policy, "NextRunUSec");
                const char *error = text_of(policy, "TimerError"),
                           *last = text_of(policy, "LastRunState");
                bool is_timed = *text_of(policy, "Calendar"),
                     is_on = json_is_true(json_object_get(policy, "Enabled"));

                output_line("%s%s, %s%s%s%s", i == 0 ? " Policies: " : "           ",
                            text_of(policy, "Name"),
                            !is_timed ? "runs when it is asked to"
                            : !is_on  ? "switched off"
                                      : "next run ",
                            is_timed && is_on ? next ?: "?" : "", *last ? ", the last one " : "",
                            last);
                if (*error)
                        output_line("           %s", error);
        }
}

/* Without what jobs that run will undo themselves. */
static size_t count_owed(const json_t *obligations)
{
        const json_t *row;
        size_t i, n = 0;

        json_array_foreach (obligations, i, row)
                n += strcmp(text_of(row, "State"), "running") != 0;
        return n;
}

static void print_status(const json_t *status)
{
        const json_t *ports = json_object_get(status, "ExportPorts");
        const char *not_known = text_of(status, "NotKnown");

        print_hub(status);
        print_database(status);
        output_line("  Exports: ports %" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT,
                    json_integer_value(json_array_get(ports, 0)),
                    json_integer_value(json_array_get(ports, 1)));
        output_line("Log level: %s", known_text(status, "LogLevel"));
        if (*not_known) {
                output_line("     Jobs: not known: %s", not_known);
                return;
        }
        print_jobs(json_object_get(status, "OpenJobs"));
        output_line("   Leases: %zu in use", json_array_size(json_object_get(status, "Leases")));
        output_line("  To undo: %zu", count_owed(json_object_get(status, "OpenObligations")));
        print_repositories(json_object_get(status, "Repositories"));
        print_links(json_object_get(status, "Nodes"));
        print_policies(json_object_get(status, "Policies"));
}

/* One list; when there is none, *ret_reason says why, and nobody complains: the hub's own state is what was
 * asked for. */
static int ask_part(sd_bus *bus, const char *method, json_t **ret_list, char **ret_reason)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (hub_new_call(bus, method, false, &message) != CTL_OK)
                return -ENOMEM;
        if (strcmp(method, "ListJobs") == 0)
                r = sd_bus_message_append(message, "a{sv}", 1, "limit", "u", (uint32_t) JOBS_MAX);
        else
                r = sd_bus_message_append(message, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, message, hub_call_timeout_usec(message), &error, &reply);
        if (r >= 0)
                r = sd_bus_message_has_signature(reply, "aa{sv}") ? 0 : -EBADMSG;
        if (r >= 0)
                r = bus_value_read(reply, ret_list);
        if (r < 0)
                *ret_reason = strdup(error.message ?: strerror(-r));
        return r;
}

/* Adds the lists to status, or why they are not known. */
static int add_parts(sd_bus *bus, json_t *status)
{
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                CLEANUP(json_decref_p) json_t *list = NULL, *open = NULL;
                _cleanup_free_ char *reason = NULL;

                if (ask_part(bus, parts[i].method, &list, &reason) < 0)
                        return reason ? json_object_set_new(status, "NotKnown", json_string(reason))
                                      : -1;
                open = i == 0 ? open_jobs(list) : json_incref(list);
                if (json_object_set(status, parts[i].key, open) < 0)
                        return -1;
        }
        return 0;
}

static void print_node(const json_t *node)
{
        if (json_is_object(node))
                output_line("     Node: %s, %" JSON_INTEGER_FORMAT " open, %" JSON_INTEGER_FORMAT
                            " owed to vCenter (version %s, build-id %s)",
                            known_text(node, "State"), number_of(node, "Tasks"),
                            number_of(node, "Obligations"), known_text(node, "Version"),
                            known_text(node, "BuildId"));
}

/* The node of a machine whose hub does not answer, which was complained about. */
static ExitStatus show_node(sd_bus *bus, ExitStatus s)
{
        CLEANUP(json_decref_p) json_t *node = node_get_properties(bus), *status = NULL;

        if (!node)
                return s;
        status = json_pack("{s:O}", "Node", node);
        if (!arg_json)
                print_node(node);
        else if (!status || output_json(status) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return s;
}

static int add_node(sd_bus *bus, json_t *status)
{
        json_t *node = node_get_properties(bus);

        return node ? json_object_set_new(status, "Node", node) : 0;
}

static bool is_well(const json_t *status)
{
        const json_t *repository, *node, *policy;
        size_t i;

        json_array_foreach (json_object_get(status, "Repositories"), i, repository)
                if (strcmp(text_of(repository, "State"), "failed") == 0)
                        return false;
        json_array_foreach (json_object_get(status, "Nodes"), i, node)
                if (*text_of(node, "Error"))
                        return false;
        json_array_foreach (json_object_get(status, "Policies"), i, policy)
                if (*text_of(policy, "TimerError"))
                        return false;
        return strcmp(text_of(status, "State"), "running") == 0 &&
               strcmp(text_of(json_object_get(status, "Node"), "State"), "degraded") != 0;
}

ExitStatus verb_status(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(json_decref_p) json_t *status = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_ask_on(bus, "GetStatus", false, "a{sv}", &status, "a{sv}", 0);
        if (s == CTL_UNAVAILABLE && bus)
                return show_node(bus, s);
        if (s != CTL_OK)
                return s;
        if (add_parts(bus, status) < 0 || add_node(bus, status) < 0)
                return complain(CTL_FAILED, "Out of memory");
        if (!arg_json) {
                print_status(status);
                print_node(json_object_get(status, "Node"));
        } else if (output_json(status) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return is_well(status) ? CTL_OK : CTL_NOT_WELL;
}
