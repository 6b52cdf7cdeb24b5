/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The routes that show what the hub has, and the table of all (see api.h).
 */
#include "api.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        LIMIT_DEFAULT = 100,
        LIMIT_MAX = 1000,
};

typedef struct List {
        const char *method, *member;
        const char *id; /* of a row, by which the next page is asked for; NULL: there are no pages */
        const char *filters[3];
} List;

typedef struct Show {
        const char *method;
        const char *param; /* of the path */
        bool is_number;
} Show;

static void refuse(HubTask *task, const char *text)
{
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(BUS_ERROR_INVALID_ARGUMENT, text);

        hub_refuse(task, &error);
}

static void refuse_missing(HubTask *task, const char *text)
{
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(BUS_ERROR_NOT_FOUND, text);

        hub_refuse(task, &error);
}

/* ── Lists ── */

static size_t known_names(const List *list, const char *ret_names[static 5])
{
        size_t n = 0;

        if (list->id) {
                ret_names[n++] = "limit";
                ret_names[n++] = "after";
        }
        for (size_t i = 0; i < ELEMENTSOF(list->filters) && list->filters[i]; i++)
                ret_names[n++] = list->filters[i];
        return n;
}

/* -EINVAL: the query has what it must not have. */
static int append_page(const HubTask *task, const List *list, sd_bus_message *call)
{
        uint64_t limit = LIMIT_DEFAULT, after = 0;
        const char *text;
        int r = 0;

        if (!list->id)
                return 0;
        r = http_request_query_text(task->request, "limit", &text);
        if (r > 0)
                r = parse_uint64(text, 1, LIMIT_MAX, &limit) < 0 ? -EINVAL : 0;
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "limit", "u", (uint32_t) limit);
        if (r >= 0)
                r = http_request_query_text(task->request, "after", &text);
        if (r <= 0)
                return r;
        if (parse_uint64(text, 1, INT64_MAX, &after) < 0)
                return -EINVAL;
        return sd_bus_message_append(call, "{sv}", "after", "t", after);
}

static int append_filters(const HubTask *task, const List *list, sd_bus_message *call)
{
        const char *text;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(list->filters) && list->filters[i]; i++) {
                r = http_request_query_text(task->request, list->filters[i], &text);
                if (r > 0)
                        r = sd_bus_message_append(call, "{sv}", list->filters[i], "s", text);
        }
        return r;
}

/* A page that is full may have another behind it. */
static int add_next(const HubTask *task, const List *list, json_t *body)
{
        json_t *rows = json_object_get(body, list->member);
        uint64_t limit = LIMIT_DEFAULT;
        const json_t *last;
        const char *text;

        if (!list->id)
                return 0;
        if (http_request_query_text(task->request, "limit", &text) > 0)
                (void) parse_uint64(text, 1, LIMIT_MAX, &limit);
        if (json_array_size(rows) < limit)
                return 0;
        last = json_object_get(json_array_get(rows, json_array_size(rows) - 1), list->id);
        return json_object_set(body, "next_after", (json_t *) last);
}

static void on_list(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        const List *list = task->state;
        json_t *body;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        body = json_pack("{s:o}", list->member, hub_read(reply));
        if (!body || !json_is_array(json_object_get(body, list->member)) ||
            add_next(task, list, body) < 0) {
                json_decref(body);
                hub_refuse(task, &hub_answer_unknown);
                return;
        }
        hub_answer(task, 200, body);
}

static void begin_list(HubTask *task)
{
        const List *list = task->state;
        const char *names[5];
        sd_bus_message *call = NULL;
        size_t n = known_names(list, names);
        int r;

        if (http_request_query_unknown(task->request, names, n)) {
                refuse(task, "The query has a name that this list does not know, or one twice; the "
                             "API reference has those it knows.");
                return;
        }
        r = hub_call_new(task, list->method, &call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = append_page(task, list, call);
        if (r >= 0)
                r = append_filters(task, list, call);
        if (r == -EINVAL) {
                sd_bus_message_unref(call);
                refuse(task, "In the query, limit must be from 1 to 1000, after a number, and the "
                             "rest text of 1 to 128 bytes without control characters and slashes.");
                return;
        }
        hub_call_send(task, call, r, on_list);
}

/* Filters and ids are named as the hub's options, and as its columns. */
static const List backups = { "ListBackups", "backups", "job", { "vm", "repository" } };
static const List jobs = { "ListJobs", "jobs", "id", { "vm", "state" } };
static const List vms = { "ListVms", "vms", "id", {} };
static const List repositories = { "ListRepositories", "repositories", "id", {} };
static const List nodes = { "ListNodes", "nodes", NULL, {} };
static const List vcenters = { "ListVcenters", "vcenters", NULL, {} };
static const List policies = { "ListPolicies", "policies", NULL, {} };
static const List mounts = { "ListMounts", "mounts", NULL, { "backup" } };
static const List ports = { "ListPorts", "ports", "port", {} };
static const List obligations = { "ListObligations", "obligations", "id", {} };

#define LIST_HANDLER(name)                                                           \
        static void list_##name(HttpRequest *request, void *userdata)                \
        {                                                                            \
                hub_task_start(userdata, request, begin_list, (void *) &name, NULL); \
        }
LIST_HANDLER(backups)
LIST_HANDLER(jobs)
LIST_HANDLER(vms)
LIST_HANDLER(repositories)
LIST_HANDLER(nodes)
LIST_HANDLER(vcenters)
LIST_HANDLER(policies)
LIST_HANDLER(mounts)
LIST_HANDLER(ports)
LIST_HANDLER(obligations)

/* ── One of them ── */

static void on_show(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        json_t *body = error ? NULL : hub_read(reply);

        if (error || !body)
                hub_refuse(task, error ?: &hub_answer_unknown);
        else
                hub_answer(task, 200, body);
}

static int append_name(const HubTask *task, const Show *show, sd_bus_message *call)
{
        const char *text = http_request_param(task->request, show->param);
        uint64_t number;

        if (!show->is_number)
                return sd_bus_message_append(call, "s", text);
        if (!text || parse_uint64(text, 1, INT64_MAX, &number) < 0)
                return -ENOENT;
        return sd_bus_message_append(call, "t", number);
}

static void begin(HubTask *task, HubReply reply)
{
        const Show *show = task->state;
        sd_bus_message *call = NULL;
        int r;

        r = hub_call_new(task, show->method, &call);
        if (r >= 0)
                r = append_name(task, show, call);
        if (r == -ENOENT) {
                sd_bus_message_unref(call);
                refuse_missing(task, "A job's id is a number.");
                return;
        }
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        hub_call_send(task, call, r, reply);
}

static void begin_show(HubTask *task)
{
        begin(task, on_show);
}

static void on_done(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        (void) reply;
        if (error)
                hub_refuse(task, error);
        else
                hub_answer(task, 202, json_pack("{s:s}", "status", "cancelling"));
}

static void begin_cancel(HubTask *task)
{
        begin(task, on_done);
}

static const Show job = { "GetJob", "id", true };
static const Show vm = { "GetVm", "vm", false };
static const Show node = { "GetNode", "node", false };
static const Show vcenter = { "GetVcenter", "vcenter", false };
static const Show policy = { "GetPolicy", "policy", false };
static const Show cancelled_job = { "CancelJob", "id", true };

static void show_job(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_show, (void *) &job, NULL);
}

static void show_vm(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_show, (void *) &vm, NULL);
}

static void show_node(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_show, (void *) &node, NULL);
}

static void show_vcenter(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_show, (void *) &vcenter, NULL);
}

static void show_policy(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_show, (void *) &policy, NULL);
}

static void cancel_job(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_cancel, (void *) &cancelled_job, NULL);
}

/* The hub has no method for one repository that would not look at it on the disk. */
static void on_repositories(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *list = error ? NULL : hub_read(reply);
        const char *wanted = http_request_param(task->request, "repository");
        json_t *row;
        size_t i;

        if (error || !list) {
                hub_refuse(task, error ?: &hub_answer_unknown);
                return;
        }
        json_array_foreach (list, i, row) {
                const char *name = json_string_value(json_object_get(row, "name")) ?: "";
                char id[24];

                (void) snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT,
                                json_integer_value(json_object_get(row, "id")));
                if (strcmp(name, wanted) == 0 || strcmp(id, wanted) == 0) {
                        hub_answer(task, 200, json_incref(row));
                        return;
                }
        }
        refuse_missing(task, "There is no such repository.");
}

static void begin_repository(HubTask *task)
{
        sd_bus_message *call = NULL;
        int r;

        r = hub_call_new(task, "ListRepositories", &call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "limit", "u", (uint32_t) LIMIT_MAX);
        hub_call_send(task, call, r, on_repositories);
}

static void show_repository(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_repository, NULL, NULL);
}

const HttpRoute api_routes[] = {
        { "GET", "/health", api_health, false },
        { "GET", "/metrics", api_metrics, false },
        { "GET", "/openapi.json", api_openapi, true },
        { "GET", "/api/v1/backups", list_backups, false },
        { "POST", "/api/v1/backups", api_create_backup, false },
        { "GET", "/api/v1/backups/{backup_id}", api_show_backup, false },
        { "POST", "/api/v1/backups/{backup_id}/mount", api_mount_backup, false },
        { "GET", "/api/v1/mounts", list_mounts, false },
        { "DELETE", "/api/v1/mounts/{job}", api_end_mount, false },
        { "POST", "/api/v1/backups/{backup_id}/restore", api_restore_disk, false },
        { "POST", "/api/v1/backups/{backup_id}/restore-disks", api_restore_disks, false },
        { "POST", "/api/v1/backups/{backup_id}/restore-vm", api_restore_vm, false },
        { "POST", "/api/v1/backups/{backup_id}/verify", api_verify_backup, false },
        { "POST", "/api/v1/backups/{backup_id}/files/list", api_list_files, false },
        { "POST", "/api/v1/backups/{backup_id}/files/tar", api_tar_files, false },
        { "DELETE", "/api/v1/backups/{backup_id}", api_delete_backup, false },
        { "POST", "/api/v1/verify", api_verify_all, false },
        { "GET", "/api/v1/jobs", list_jobs, false },
        { "GET", "/api/v1/jobs/{id}", show_job, false },
        { "DELETE", "/api/v1/jobs/{id}", cancel_job, false },
        { "GET", "/api/v1/jobs/{id}/events", api_job_events, false },
        { "GET", "/api/v1/vms", list_vms, false },
        { "GET", "/api/v1/vms/{vm}", show_vm, false },
        { "GET", "/api/v1/vms/{vm}/chain", api_show_chain, false },
        { "GET", "/api/v1/repositories", list_repositories, false },
        { "GET", "/api/v1/repositories/{repository}", show_repository, false },
        { "POST", "/api/v1/repositories/{repository}/check", api_check_repository, false },
        { "POST", "/api/v1/repositories/{repository}/scan", api_scan_repository, false },
        { "GET", "/api/v1/nodes", list_nodes, false },
        { "GET", "/api/v1/nodes/{node}", show_node, false },
        { "GET", "/api/v1/vcenters", list_vcenters, false },
        { "GET", "/api/v1/vcenters/{vcenter}", show_vcenter, false },
        { "POST", "/api/v1/vcenters/{vcenter}/test", api_test_vcenter, false },
        { "POST", "/api/v1/vcenters/{vcenter}/discover", api_discover_vms, false },
        { "GET", "/api/v1/policies", list_policies, false },
        { "GET", "/api/v1/policies/{policy}", show_policy, false },
        { "POST", "/api/v1/policies/{policy}", api_set_policy, false },
        { "DELETE", "/api/v1/policies/{policy}", api_remove_policy, false },
        { "POST", "/api/v1/policies/{policy}/run", api_run_policy, false },
        { "POST", "/api/v1/policies/{policy}/prune", api_prune_policy, false },
        { "GET", "/api/v1/ports", list_ports, false },
        { "GET", "/api/v1/obligations", list_obligations, false },
        { "DELETE", "/api/v1/obligations/{id}", api_forgive, false },
        { "POST", "/api/v1/cleanup", api_cleanup, false },
        { "GET", "/api/v1/diagnose", api_diagnose, false },
};
const size_t api_n_routes = ELEMENTSOF(api_routes);
