/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /api/v1/backups and GET /api/v1/backups/{backup_id} (see api.h). The answer to a POST waits until all exports serve and the
 * node has accepted the job, or until it has failed; not longer than a while, and not at all with "Prefer: respond-async".
 */
#include "api.h"

#include "backup-request.h"
#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "follow.h"
#include "http/http-error.h"
#include "hub-task.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        WAIT_DEFAULT_SEC = 60,
        WAIT_MAX_SEC = 300,
};

typedef struct Create {
        BackupRequest request;
        const char *idempotency_key; /* borrowed of the request's head */
        uint64_t wait_sec;
        sd_event_source *timer;
        bool is_copying; /* as far as is waited for */
        bool is_late; /* answer with how things stand */
} Create;

static void create_free(void *userdata)
{
        Create *create = userdata;

        backup_request_done(&create->request);
        sd_event_source_disable_unref(create->timer);
        free(create);
}

/* ── What is answered ── */

static void copy(json_t *to, const char *to_key, const json_t *from, const char *from_key)
{
        json_t *value = json_object_get(from, from_key);

        (void) json_object_set_new(to, to_key, value ? json_incref(value) : json_null());
}

/* The words of disks are those of the one state table, but for one: its qemu-nbd runs, and serves. */
static const char *disk_status(const json_t *disk)
{
        const char *state = json_string_value(json_object_get(disk, "state")) ?: "";
        bool is_open = strcmp(state, "exporting") == 0 || strcmp(state, "copying") == 0;

        return is_open && json_integer_value(json_object_get(disk, "process_id")) > 0
                               ? "qemu_started"
                               : state;
}

static json_t *disk_result(const json_t *disk, const char *repository)
{
        const char *file = json_string_value(json_object_get(disk, "file"));
        _cleanup_free_ char *path = file ? text_format("%s/%s", repository, file) : NULL;
        json_t *result = json_pack("{s:s}", "status", disk_status(disk));

        copy(result, "disk_id", disk, "id");
        copy(result, "disk_key", disk, "key");
        copy(result, "nbd_port", disk, "port");
        copy(result, "nbd_export_name", disk, "export_name");
        (void) json_object_set_new(result, "qcow2_path", path ? json_string(path) : json_null());
        copy(result, "qemu_nbd_pid", disk, "process_id");
        copy(result, "backup_type", disk, "backup_type");
        copy(result, "reason", disk, "reason");
        return result;
}

/* "2000:nbd://127.0.0.1:10100/NAME,2001:…": where exports stand now. */
static char *targets_text(const json_t *disks)
{
        const json_t *disk;
        char *text = NULL;
        size_t size, i, n = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        json_array_foreach (disks, i, disk) {
                json_int_t port = json_integer_value(json_object_get(disk, "port"));

                if (port > 0)
                        (void) fprintf(f,
                                       "%s%" JSON_INTEGER_FORMAT
                                       ":nbd://127.0.0.1:%" JSON_INTEGER_FORMAT "/%s",
                                       n++ > 0 ? "," : "",
                                       json_integer_value(json_object_get(disk, "key")), port,
                                       json_string_value(json_object_get(disk, "export_name"))
                                                       ?: "");
        }
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static json_t *backup_body(const json_t *job)
{
        const json_t *disks = json_object_get(job, "disks"), *disk;
        _cleanup_free_ char *targets = targets_text(disks);
        const char *repository = json_string_value(json_object_get(job, "repository_path")) ?: "";
        json_t *body = json_object(), *results = json_array();
        size_t i;

        copy(body, "backup_id", job, "backup_id");
        copy(body, "job_id", job, "id");
        copy(body, "status", job, "state");
        copy(body, "vm_name", job, "vm");
        copy(body, "vm_context_id", job, "context_id");
        copy(body, "repository", job, "repository");
        copy(body, "backup_type", job, "backup_type");
        copy(body, "created_usec", job, "created_usec");
        copy(body, "finished_usec", job, "finished_usec");
        copy(body, "damaged", job, "damaged");
        copy(body, "problems", job, "problems");
        copy(body, "error", job, "error_name");
        copy(body, "error_text", job, "error_text");
        json_array_foreach (disks, i, disk)
                (void) json_array_append_new(results, disk_result(disk, repository));
        if (json_object_set_new(body, "disk_results", results) >= 0 && targets &&
            json_object_set_new(body, "nbd_targets_string", json_string(targets)) >= 0)
                return body;
        json_decref(body);
        return NULL;
}

/* ── One backup ── */

static void on_backup(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *job = error ? NULL : hub_read(reply);

        if (error || !job)
                hub_refuse(task, error ?: &hub_answer_unknown);
        else
                hub_answer(task, 200, backup_body(job));
}

static void begin_show(HubTask *task)
{
        begun_ask_backup(task, http_request_param(task->request, "backup_id"), on_backup);
}

void api_show_backup(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_show, NULL, NULL);
}

/* ── A new one ── */

static void created(HubTask *task, unsigned status, const json_t *job)
{
        const char *id = json_string_value(json_object_get(job, "backup_id")) ?: "";
        _cleanup_free_ char *location = text_format("/api/v1/backups/%s", id);
        json_t *body = backup_body(job);

        if (!body || !location) {
                json_decref(body);
                hub_answer(task, 503, NULL);
                return;
        }
        http_request_answer_at(task->request, status, body, location);
        hub_task_free(task);
}

static void failed(HubTask *task, const json_t *job)
{
        const char *name = json_string_value(json_object_get(job, "error_name"));
        const char *text = json_string_value(json_object_get(job, "error_text"));

        hub_refuse_with(task, http_error_status(name ?: ""), name ?: BUS_ERROR_FAILED,
                        backup_body(job), text && *text ? text : "The job ended without a backup.");
}

/* The job goes on without this answer. */
static void lost(HubTask *task, const sd_bus_error *error)
{
        hub_refuse_with(task, http_error_status(error->name), error->name,
                        json_pack("{s:I}", "job_id", (json_int_t) follow_job(task)),
                        hub_error_text(error));
}

static JobState state_of(const json_t *job)
{
        return job_state_from_string(json_string_value(json_object_get(job, "state")) ?: "");
}

static void on_created(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *job = error ? NULL : hub_read(reply);
        const Create *create = follow_userdata(task);

        if (error || !job)
                lost(task, error ?: &hub_answer_unknown);
        else if (state_of(job) == JOB_FAILED || state_of(job) == JOB_CANCELLED)
                failed(task, job);
        else
                created(task, create->is_copying ? 201 : 202, job);
}

/* It copies, and who copies is known: a node that has accepted it, or the hub's own unit. */
static bool is_under_way(const json_t *job)
{
        JobState state = state_of(job);

        return (state == JOB_COPYING && json_object_get(job, "unit")) ||
               (state > JOB_COPYING && state <= JOB_COMPLETED);
}

static bool on_job(HubTask *task, const json_t *job, const sd_bus_error *error)
{
        Create *create = follow_userdata(task);

        if (error && create->wait_sec > 0 && !create->is_late && !follow_is_for_good(error))
                return true;
        if (error) {
                lost(task, error);
                return false;
        }
        create->is_copying = is_under_way(job);
        if (!create->is_copying && !follow_is_final(job) && !create->is_late &&
            create->wait_sec > 0)
                return true;
        follow_stop(task);
        begun_ask_backup(task, json_string_value(json_object_get(job, "backup_id")) ?: "",
                         on_created);
        return true;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        HubTask *task = userdata;
        Create *create = follow_userdata(task);

        (void) source, (void) usec;
        create->is_late = true;
        follow_ask(task);
        return 0;
}

static int wait_for(HubTask *task, Create *create, uint64_t job)
{
        int r = 0;

        if (create->wait_sec > 0)
                r = sd_event_add_time_relative(sd_bus_get_event(task->api->bus), &create->timer,
                                               CLOCK_MONOTONIC, create->wait_sec * USEC_PER_SEC, 0,
                                               on_timeout, task);
        return r < 0 ? r : follow_start(task, job, on_job, create, create_free);
}

/* "/com/sendense/Hub1/job/7" */
static void on_started(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Create *create = task->state;
        const char *path, *slash;
        uint64_t job;
        int r;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        if (sd_bus_message_read(reply, "o", &path) <= 0 || !(slash = strrchr(path, '/')) ||
            parse_uint64(slash + 1, 1, INT64_MAX, &job) < 0) {
                hub_refuse(task, &hub_answer_unknown);
                return;
        }
        task->state = NULL; /* the follower's */
        task->state_free = NULL;
        r = wait_for(task, create, job);
        if (r >= 0)
                return;
        create_free(create);
        hub_refuse_with(task, 503, BUS_ERROR_BUSY, json_pack("{s:I}", "job_id", (json_int_t) job),
                        strerror(-r));
}

static int append_texts(sd_bus_message *call, const char *option, const json_t *texts)
{
        const char *key;
        json_t *value;
        uint64_t number;
        int r;

        if (!texts)
                return 0;
        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", option);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "a{us}");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{us}");
        json_object_foreach ((json_t *) texts, key, value)
                if (r >= 0 && (r = parse_uint64(key, 1, INT32_MAX, &number)) >= 0)
                        r = sd_bus_message_append(call, "{us}", (uint32_t) number,
                                                  json_string_value(value));
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(call);
        return r;
}

static int append_text(sd_bus_message *call, const char *option, const char *text)
{
        return text && *text ? sd_bus_message_append(call, "{sv}", option, "s", text) : 0;
}

static int append_request(sd_bus_message *call, const Create *create)
{
        const BackupRequest *request = &create->request;
        int r;

        r = sd_bus_message_append(call, "s", request->vm);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = append_text(call, "repository", request->repository);
        if (r >= 0)
                r = append_text(call, "type", request->type);
        if (r >= 0)
                r = append_text(call, "node", request->node);
        if (r >= 0)
                r = append_text(call, "idempotency_key", create->idempotency_key);
        if (r >= 0)
                r = append_texts(call, "exclude", request->exclude);
        return r < 0 ? r : append_texts(call, "sources", request->sources);
}

/* RFC 7240: "respond-async", "wait=N"; what is not known is ignored. */
static uint64_t wait_preferred(const char *prefer)
{
        uint64_t sec = WAIT_DEFAULT_SEC;

        while (prefer && *prefer) {
                size_t n = strcspn(prefer, ",; ");
                char word[32] = "";

                if (n < sizeof(word))
                        (void) snprintf(word, sizeof(word), "%.*s", (int) n, prefer);
                if (strcasecmp(word, "respond-async") == 0)
                        return 0;
                if (strncasecmp(word, "wait=", 5) == 0)
                        (void) parse_uint64(word + 5, 0, WAIT_MAX_SEC, &sec);
                prefer += n;
                prefer += strspn(prefer, ",; ");
        }
        return sec;
}

static const char *read_request(HttpRequest *request, Create *create,
                                char error[static JSON_FIELDS_ERROR_SIZE])
{
        size_t size;
        const char *body = http_request_body(request, &size), *why;

        if (http_request_query_unknown(request, NULL, 0))
                return "This path takes no query.";
        create->wait_sec = wait_preferred(http_request_header(request, "Prefer"));
        why = begun_key(request, &create->idempotency_key);
        if (why)
                return why;
        return backup_request_parse(body, size, &create->request, error) < 0 ? error : NULL;
}

static void begin_create(HubTask *task)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        sd_bus_message *call = NULL;
        const char *why;
        Create *create;
        int r;

        create = calloc(1, sizeof(*create));
        if (!create) {
                hub_answer(task, 503, NULL);
                return;
        }
        task->state = create;
        task->state_free = create_free;
        why = read_request(task->request, create, error);
        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return;
        }
        r = hub_call_new(task, "StartBackup", &call);
        if (r >= 0)
                r = append_request(call, create);
        hub_call_send(task, call, r, on_started);
}

void api_create_backup(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_create, NULL, NULL);
}
