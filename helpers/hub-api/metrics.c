/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /metrics: what was gathered, for Prometheus (see health.h). A name of ours never becomes the name of a metric, only a label.
 */
#include "api.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "gather.h"
#include "health.h"
#include "job-types.h"
#include "parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

static void head_of(FILE *f, const char *name, const char *help, const char *type)
{
        (void) fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void head(FILE *f, const char *name, const char *help)
{
        head_of(f, name, help, "gauge");
}

/* name="text" with what the format wants escaped. */
static void label(FILE *f, const char *name, const char *text)
{
        (void) fprintf(f, "%s=\"", name);
        for (const char *p = text; *p; p++)
                if (*p == '\n')
                        (void) fputs("\\n", f);
                else {
                        if (*p == '\\' || *p == '"')
                                (void) fputc('\\', f);
                        (void) fputc(*p, f);
                }
        (void) fputc('"', f);
}

static void figure(FILE *f, const char *name, const char *help, json_int_t value)
{
        head(f, name, help);
        (void) fprintf(f, "%s %" JSON_INTEGER_FORMAT "\n", name, value);
}

/* What the hub counts from its start on. */
static void counter(FILE *f, const char *name, const char *help, json_int_t value)
{
        head_of(f, name, help, "counter");
        (void) fprintf(f, "%s %" JSON_INTEGER_FORMAT "\n", name, value);
}

static void write_seconds(FILE *f, json_int_t usec)
{
        (void) fprintf(f, " %" JSON_INTEGER_FORMAT ".%06" JSON_INTEGER_FORMAT "\n",
                       usec / (json_int_t) USEC_PER_SEC, usec % (json_int_t) USEC_PER_SEC);
}

static void seconds(FILE *f, const char *name, const char *help, const char *type, json_int_t usec)
{
        head_of(f, name, help, type);
        (void) fputs(name, f);
        write_seconds(f, usec);
}

/* A metric with one label for each row; value says what of it. */
typedef json_int_t (*RowValue)(const json_t *row);

static void rows(FILE *f, const char *name, const char *help, const json_t *list,
                 const char *label_name, RowValue value)
{
        const json_t *row;
        size_t i;

        head(f, name, help);
        json_array_foreach (list, i, row) {
                (void) fprintf(f, "%s{", name);
                label(f, label_name, text_of(row, "name"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", value(row));
        }
}

static json_int_t started_seconds(const json_t *row, const char *key)
{
        return number_of(row, key) / (json_int_t) USEC_PER_SEC;
}

/* Of one that does not say so, an older one, there is no line. */
static void write_starts(FILE *f, const json_t *nodes)
{
        const json_t *row;
        size_t i;

        head(f, "sendense_node_started_seconds", "When a node started, since 1970.");
        json_array_foreach (nodes, i, row) {
                if (number_of(row, "node_started_usec") == 0)
                        continue;
                (void) fprintf(f, "sendense_node_started_seconds{");
                label(f, "node", text_of(row, "name"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n",
                               started_seconds(row, "node_started_usec"));
        }
        head(f, "sendense_tunnel_started_seconds", "When its tunnel started, since 1970.");
        json_array_foreach (nodes, i, row) {
                const json_t *tunnel = json_object_get(row, "tunnel");

                if (number_of(tunnel, "started_usec") == 0)
                        continue;
                (void) fprintf(f, "sendense_tunnel_started_seconds{");
                label(f, "node", text_of(row, "name"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n",
                               started_seconds(tunnel, "started_usec"));
        }
}

static json_int_t is_well(const json_t *row)
{
        return strcmp(text_of(row, "state"), "failed") != 0;
}

static json_int_t free_bytes(const json_t *row)
{
        return number_of(row, "free_bytes");
}

static json_int_t size_bytes(const json_t *row)
{
        return number_of(row, "size_bytes");
}

static json_int_t is_reachable(const json_t *row)
{
        return json_is_true(json_object_get(row, "reachable"));
}

/* One figure of the tunnels of those nodes that have one. */
static void tunnel_rows(FILE *f, const char *name, const json_t *nodes, const char *way,
                        const char *key)
{
        const json_t *row;
        size_t i;

        json_array_foreach (nodes, i, row) {
                const json_t *tunnel = json_object_get(row, "tunnel");

                if (json_object_size(tunnel) == 0)
                        continue;
                (void) fprintf(f, "%s{", name);
                label(f, "node", text_of(row, "name"));
                if (way) {
                        (void) fputc(',', f);
                        label(f, "direction", way);
                }
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", number_of(tunnel, key));
        }
}

static void write_tunnels(FILE *f, const json_t *nodes)
{
        head(f, "sendense_tunnel_sessions", "SSH sessions of a node's tunnel that are up.");
        tunnel_rows(f, "sendense_tunnel_sessions", nodes, NULL, "sessions");
        head(f, "sendense_tunnel_connections", "Connections that it carries.");
        tunnel_rows(f, "sendense_tunnel_connections", nodes, NULL, "connections");
        head_of(f, "sendense_tunnel_opened_total", "Connections that it has carried.", "counter");
        tunnel_rows(f, "sendense_tunnel_opened_total", nodes, NULL, "opened");
        head_of(f, "sendense_tunnel_reconnects_total", "Sessions that it had to open again.",
                "counter");
        tunnel_rows(f, "sendense_tunnel_reconnects_total", nodes, NULL, "reconnects");
        head_of(f, "sendense_tunnel_bytes_total", "Bytes that it has carried.", "counter");
        tunnel_rows(f, "sendense_tunnel_bytes_total", nodes, "up", "bytes_up");
        tunnel_rows(f, "sendense_tunnel_bytes_total", nodes, "down", "bytes_down");
}

/* Fulls that were not asked for. */
static void write_full_instead(FILE *f, const json_t *figures)
{
        const json_t *row;
        size_t i;

        head_of(f, "sendense_full_instead_of_incremental_total",
                "Disks that were read whole though their changes were asked for.", "counter");
        json_array_foreach (json_object_get(figures, "full_instead"), i, row) {
                (void) fprintf(f, "sendense_full_instead_of_incremental_total{");
                label(f, "reason", text_of(row, "reason"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", number_of(row, "count"));
        }
}

static void write_job_count(FILE *f, const char *state, const char *reason, json_int_t count)
{
        (void) fprintf(f, "sendense_jobs{");
        label(f, "state", state);
        (void) fputc(',', f);
        label(f, "reason", reason);
        (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", count);
}

static bool has_failed(const json_t *counts, const char *reason)
{
        const json_t *row;
        size_t i;

        json_array_foreach (counts, i, row)
                if (strcmp(text_of(row, "state"), job_state_to_string(JOB_FAILED)) == 0 &&
                    strcmp(text_of(row, "error_name"), reason) == 0)
                        return true;
        return false;
}

/* An error that no job has met is there with 0: a line that begins with 1 has not grown, and the first failure would alert nobody. */
static void write_jobs(FILE *f, const json_t *figures)
{
        const json_t *counts = json_object_get(figures, "job_counts"), *row;
        const char *reason;
        size_t i;

        head(f, "sendense_jobs", "Jobs in the history, by state and by the error they ended with.");
        json_array_foreach (counts, i, row)
                write_job_count(f, text_of(row, "state"), text_of(row, "error_name"),
                                number_of(row, "count"));
        for (unsigned k = 0; counts && (reason = bus_error_name(k)); k++)
                if (!has_failed(counts, reason))
                        write_job_count(f, job_state_to_string(JOB_FAILED), reason, 0);
}

static void write_phases(FILE *f, const json_t *figures)
{
        const json_t *list = json_object_get(figures, "phase_figures"), *row;
        size_t i;

        head_of(f, "sendense_job_phases_total", "States that jobs have left.", "counter");
        json_array_foreach (list, i, row) {
                (void) fprintf(f, "sendense_job_phases_total{");
                label(f, "phase", text_of(row, "state"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", number_of(row, "count"));
        }
        head_of(f, "sendense_job_phase_seconds_total", "How long they were in them.", "counter");
        json_array_foreach (list, i, row) {
                (void) fprintf(f, "sendense_job_phase_seconds_total{");
                label(f, "phase", text_of(row, "state"));
                (void) fputc('}', f);
                write_seconds(f, number_of(row, "usec"));
        }
        head_of(f, "sendense_job_phase_bytes_total", "What they have moved in them.", "counter");
        json_array_foreach (list, i, row) {
                (void) fprintf(f, "sendense_job_phase_bytes_total{");
                label(f, "phase", text_of(row, "state"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", number_of(row, "bytes"));
        }
}

static void write_exports(FILE *f, const json_t *figures)
{
        counter(f, "sendense_exports_started_total", "Exports that systemd has started.",
                number_of(figures, "exports_started"));
        counter(f, "sendense_exports_crashed_total", "Exports that ended by themselves.",
                number_of(figures, "exports_crashed"));
        counter(f, "sendense_exports_killed_total", "Exports that a signal ended.",
                number_of(figures, "exports_killed"));
        counter(f, "sendense_exports_ready_total", "Exports that have answered.",
                number_of(figures, "exports_ready"));
        seconds(f, "sendense_export_ready_seconds_total", "From their requests to their answers.",
                "counter", number_of(figures, "exports_ready_usec"));
        seconds(f, "sendense_export_ready_seconds_max", "The longest of these.", "gauge",
                number_of(figures, "exports_ready_max_usec"));
}

/* A VM that has no backup has no line: its age would be a number that is none. */
static void write_vms(FILE *f, const json_t *figures, uint64_t now_usec)
{
        const json_t *row;
        size_t i;

        head(f, "sendense_vm_last_backup_age_seconds",
             "How long ago the last good backup of a VM ended.");
        json_array_foreach (json_object_get(figures, "vm_figures"), i, row) {
                uint64_t usec = (uint64_t) number_of(row, "last_backup_usec");

                if (usec == 0)
                        continue;
                (void) fprintf(f, "sendense_vm_last_backup_age_seconds{");
                label(f, "vm", text_of(row, "vm"));
                (void) fputc(',', f);
                label(f, "context_id", text_of(row, "context_id"));
                (void) fprintf(f, "} %" PRIu64 "\n",
                               now_usec > usec ? (now_usec - usec) / USEC_PER_SEC : 0);
        }
        head(f, "sendense_vm_without_backup",
             "Whether a backup of a VM was wanted, and there is no good one.");
        json_array_foreach (json_object_get(figures, "vm_figures"), i, row) {
                (void) fprintf(f, "sendense_vm_without_backup{");
                label(f, "vm", text_of(row, "vm"));
                (void) fputc(',', f);
                label(f, "context_id", text_of(row, "context_id"));
                (void) fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", number_of(row, "missing"));
        }
}

/* One that has not run yet has no line of its last run, and one that never succeeded none of that. */
static void write_policies(FILE *f, const json_t *figures, uint64_t now_usec)
{
        const json_t *list = json_object_get(figures, "policy_figures"), *row;
        size_t i;

        head(f, "sendense_policy_last_run_ok",
             "Whether the last run of a policy that is over was completed.");
        json_array_foreach (list, i, row) {
                if (number_of(row, "last_run_usec") == 0)
                        continue;
                (void) fprintf(f, "sendense_policy_last_run_ok{");
                label(f, "policy", text_of(row, "policy"));
                (void) fprintf(f, "} %d\n", strcmp(text_of(row, "state"), "completed") == 0);
        }
        head(f, "sendense_policy_last_success_age_seconds",
             "How long ago the last run of a policy ended that backed something up and failed at "
             "nothing.");
        json_array_foreach (list, i, row) {
                uint64_t usec = (uint64_t) number_of(row, "last_success_usec");

                if (usec == 0)
                        continue;
                (void) fprintf(f, "sendense_policy_last_success_age_seconds{");
                label(f, "policy", text_of(row, "policy"));
                (void) fprintf(f, "} %" PRIu64 "\n",
                               now_usec > usec ? (now_usec - usec) / USEC_PER_SEC : 0);
        }
}

static void write_figures(FILE *f, const json_t *figures, uint64_t now_usec)
{
        uint64_t oldest = (uint64_t) number_of(figures, "oldest_obligation_usec");
        json_int_t used = number_of(figures, "leases_used");

        write_jobs(f, figures);
        figure(f, "sendense_jobs_open", "Jobs that have not ended.",
               number_of(figures, "jobs_open"));
        write_phases(f, figures);
        counter(f, "sendense_copied_bytes_total", "What complete copies have read.",
                number_of(figures, "copied_bytes"));
        write_full_instead(f, figures);
        write_exports(f, figures);
        figure(f, "sendense_stored_bytes", "What the files of all completed backups take up.",
               number_of(figures, "stored_bytes"));
        figure(f, "sendense_export_ports_used", "Ports that exports have.", used);
        figure(f, "sendense_export_ports_free", "Ports that exports may have.",
               number_of(figures, "leases_max") - used);
        counter(f, "sendense_export_ports_failed_total", "Ports that could not be had.",
                number_of(figures, "leases_failed"));
        counter(f, "sendense_database_losses_total", "How often the database went away.",
                number_of(figures, "database_losses"));
        figure(f, "sendense_obligations", "What jobs that are over have left to be undone.",
               number_of(figures, "obligations_owed"));
        figure(f, "sendense_obligation_oldest_seconds", "Age of the oldest of them, 0 without one.",
               oldest > 0 && now_usec > oldest ? (json_int_t) ((now_usec - oldest) / USEC_PER_SEC)
                                               : 0);
        write_vms(f, figures, now_usec);
        write_policies(f, figures, now_usec);
}

char *metrics_of(const json_t *gathered, uint64_t started_usec, uint64_t now_usec)
{
        const json_t *status = json_object_get(gathered, "status");
        const json_t *repositories = json_object_get(gathered, "repositories");
        const json_t *nodes = json_object_get(gathered, "nodes");
        const json_t *figures = json_object_get(gathered, "figures");
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        figure(f, "sendense_database_ready", "Whether the hub has its database.",
               strcmp(text_of(status, "database_state"), "ready") == 0);
        figure(f, "sendense_hub_started_seconds", "When the hub started, since 1970.",
               started_seconds(status, "started_usec"));
        figure(f, "sendense_api_started_seconds", "When the HTTP API started, since 1970.",
               (json_int_t) (started_usec / USEC_PER_SEC));
        if (repositories) {
                rows(f, "sendense_repository_ok", "Whether the last look at a repository was well.",
                     repositories, "repository", is_well);
                rows(f, "sendense_repository_free_bytes", "Free space of its file system.",
                     repositories, "repository", free_bytes);
                rows(f, "sendense_repository_size_bytes", "Size of its file system.", repositories,
                     "repository", size_bytes);
        }
        if (nodes) {
                rows(f, "sendense_node_reachable", "Whether the API of a node answers the hub.",
                     nodes, "node", is_reachable);
                write_starts(f, nodes);
                write_tunnels(f, nodes);
        }
        if (figures)
                write_figures(f, figures, now_usec);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static void on_gathered(HubTask *task, const json_t *gathered)
{
        _cleanup_free_ char *text =
                        metrics_of(gathered, task->api->started_usec, clock_realtime_usec());

        if (text)
                http_request_answer_text(task->request, TEXT_TYPE, text);
        else
                http_request_refuse(task->request, 503, BUS_ERROR_BUSY, "Out of memory");
        hub_task_free(task);
}

void api_metrics(HttpRequest *request, void *userdata)
{
        gather_start(request, userdata, on_gathered);
}
