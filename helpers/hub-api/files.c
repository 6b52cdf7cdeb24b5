/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /api/v1/backups/{backup_id}/files/list and …/files/tar (see api.h): what the unit of a job writes into a socket is the answer.
 * Its status is said with the first byte, so that what fails before that is a problem document. The job is followed meanwhile: its end
 * says whether all of it came, and a token that is revoked gets no more.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "follow.h"
#include "http/http-error.h"
#include "hub-task.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "parse.h"
#include "request-body.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

enum {
        BODY_MAX = 256 * 1024,
        PATHS_MAX = 256, /* as the hub has them */
        PATH_MAX_BYTES = 4096,
        FILESYSTEM_MAX = 255,
};

typedef struct Kind {
        const char *method, *type;
        const JsonField *fields;
        size_t n_fields;
} Kind;

typedef struct Files {
        const Kind *kind;
        json_t *body;
        int fd; /* -1: the pipe has it */
        sd_event_source *first; /* the first byte, or the end without one */
        HttpPipe *pipe;
        bool has_ended; /* what comes from the job */
        json_t *job; /* when it is over */
} Files;

static const JsonField list_fields[] = {
        { "paths", JSON_FIELD_ARRAY, true, 1, PATHS_MAX, NULL, NULL },
        { "filesystem", JSON_FIELD_TEXT, true, 1, FILESYSTEM_MAX, NULL, NULL },
        { "recursive", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
        { "filesystems", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
};

static const JsonField tar_fields[] = {
        { "paths", JSON_FIELD_ARRAY, false, 1, PATHS_MAX, NULL, NULL },
        { "filesystem", JSON_FIELD_TEXT, true, 1, FILESYSTEM_MAX, NULL, NULL },
};

static const Kind list_kind = { "ListFiles", "application/x-ndjson", list_fields,
                                ELEMENTSOF(list_fields) };
static const Kind tar_kind = { "GetFiles", "application/x-tar", tar_fields,
                               ELEMENTSOF(tar_fields) };

static void files_free(void *userdata)
{
        Files *files = userdata;

        sd_event_source_disable_unref(files->first);
        if (files->fd >= 0)
                (void) close(files->fd);
        json_decref(files->body);
        json_decref(files->job);
        free(files);
}

/* ── The answer ── */

static void refuse_job(HubTask *task, const json_t *job)
{
        const char *name = json_string_value(json_object_get(job, "error_name"));
        const char *text = json_string_value(json_object_get(job, "error_text"));

        name = name && *name ? name : BUS_ERROR_FAILED;
        hub_refuse_with(task, http_error_status(name), name,
                        json_pack("{s:I}", "job_id", (json_int_t) follow_job(task)),
                        text && *text ? text : "The job was ended before it was done.");
}

/* Once nothing more comes and the job is over. true: the task is gone. */
static bool decide(HubTask *task)
{
        const Files *files = follow_userdata(task);
        const char *state = json_string_value(json_object_get(files->job, "state"));
        bool is_whole = state && job_state_from_string(state) == JOB_COMPLETED;

        if (!files->has_ended || !files->job)
                return false;
        if (files->pipe)
                http_pipe_end(files->pipe, is_whole);
        else if (!is_whole) {
                refuse_job(task, files->job);
                return true;
        } else
                http_request_answer_text(task->request, files->kind->type, "");
        hub_task_free(task);
        return true;
}

static void on_end(void *userdata)
{
        Files *files = follow_userdata(userdata);

        files->has_ended = true;
        (void) decide(userdata);
}

static void on_gone(void *userdata)
{
        hub_task_free(userdata);
}

static void begin_pipe(HubTask *task)
{
        Files *files = follow_userdata(task);
        HttpRequest *request = TAKE(task->request);
        _cleanup_free_ char *location = text_format("/api/v1/jobs/%" PRIu64, follow_job(task));

        files->pipe = http_request_pipe(request, &(HttpPipeSetup){ .type = files->kind->type,
                                                                   .location = location,
                                                                   .fd = take_fd(&files->fd),
                                                                   .on_end = on_end,
                                                                   .on_gone = on_gone,
                                                                   .userdata = task });
        if (!files->pipe)
                hub_task_free(task);
}

static int on_first(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        char byte;

        (void) events;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
                begin_pipe(userdata);
        else
                on_end(userdata);
        return 0;
}

/* The hub may be away for a moment, and the job does not notice; but who may not look any more gets nothing more. */
static bool on_failure(HubTask *task, const Files *files, const sd_bus_error *error)
{
        if (!follow_is_for_good(error))
                return true;
        if (!files->pipe) {
                hub_refuse(task, error);
                return false;
        }
        http_pipe_end(files->pipe, false);
        hub_task_free(task);
        return false;
}

static bool on_news(HubTask *task, const json_t *job, const sd_bus_error *error)
{
        Files *files = follow_userdata(task);

        if (error)
                return on_failure(task, files, error);
        if (!follow_is_final(job) || files->job)
                return true;
        files->job = json_deep_copy(job);
        return !decide(task);
}

static void on_begun(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Files *files = task->state;
        uint64_t job;
        int r;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        if (begun_read(reply, &job) < 0) {
                hub_refuse(task, &hub_answer_unknown);
                return;
        }
        r = sd_event_add_io(sd_bus_get_event(task->api->bus), &files->first, files->fd, EPOLLIN,
                            on_first, task);
        if (r >= 0)
                r = follow_start(task, job, on_news, files, files_free);
        if (r < 0)
                hub_refuse_with(task, 503, BUS_ERROR_BUSY, NULL, strerror(-r));
}

/* ── The question ── */

static const char *read_body(HttpRequest *request, const Kind *kind, json_t **ret_body,
                             char error[static JSON_FIELDS_ERROR_SIZE])
{
        CLEANUP(json_decref_p) json_t *body = NULL;
        const json_t *path;
        const char *why;
        size_t i;

        why = request_body_read(&(RequestBody){ kind->fields, kind->n_fields, BODY_MAX, true },
                                request, &body, error);
        if (why)
                return why;
        json_array_foreach (json_object_get(body, "paths"), i, path)
                if (json_string_length(path) == 0 || json_string_length(path) > PATH_MAX_BYTES)
                        return "Each of paths must be text of 1 to 4096 bytes.";
        if (json_field_bool(body, "filesystems") && json_object_size(body) > 1)
                return "filesystems goes alone.";
        *ret_body = TAKE(body);
        return NULL;
}

static int append_paths(sd_bus_message *call, const json_t *body)
{
        const json_t *paths = json_object_get(body, "paths"), *path;
        size_t i;
        int r;

        r = sd_bus_message_open_container(call, 'a', "s");
        if (r >= 0 && !paths && !json_field_bool(body, "filesystems"))
                r = sd_bus_message_append(call, "s", "/");
        json_array_foreach (paths, i, path)
                if (r >= 0)
                        r = sd_bus_message_append(call, "s", json_string_value(path));
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_options(sd_bus_message *call, const json_t *body)
{
        static const char *const flags[] = { "recursive", "filesystems" };
        const char *filesystem = json_field_text(body, "filesystem");
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && filesystem)
                r = sd_bus_message_append(call, "{sv}", "filesystem", "s", filesystem);
        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (r >= 0 && json_field_bool(body, flags[i]))
                        r = sd_bus_message_append(call, "{sv}", flags[i], "b", 1);
        return r;
}

/* Our end does not block; that of the unit, which becomes its standard input, does. */
static int make_sockets(int *ret_ours, int *ret_theirs)
{
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        *ret_ours = fds[0];
        *ret_theirs = fds[1];
        return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int append_request(HubTask *task, sd_bus_message *call)
{
        Files *files = task->state;
        _cleanup_close_ int theirs = -1;
        int r;

        r = make_sockets(&files->fd, &theirs);
        if (r >= 0)
                r = sd_bus_message_append(call, "s",
                                          http_request_param(task->request, "backup_id"));
        if (r >= 0)
                r = append_paths(call, files->body);
        if (r >= 0)
                r = sd_bus_message_append(call, "h", theirs);
        return r < 0 ? r : append_options(call, files->body);
}

/* Who could not be told how the job ends has none begun. */
static void on_backup(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        const Files *files = task->state;
        sd_bus_message *call = NULL;
        int r;

        (void) reply;
        if (error) {
                hub_refuse(task, error);
                return;
        }
        r = hub_call_new(task, files->kind->method, &call);
        if (r >= 0)
                r = append_request(task, call);
        hub_call_send(task, call, r, on_begun);
}

static void begin(HubTask *task)
{
        const Kind *kind = task->state;
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        Files *files = calloc(1, sizeof(*files));
        const char *why;

        if (!files) {
                hub_answer(task, 503, NULL);
                return;
        }
        *files = (Files){ .kind = kind, .fd = -1 };
        task->state = files;
        task->state_free = files_free;
        if (begun_refuse_key(task, "Files have no Idempotency-Key: ask for them again."))
                return;
        why = read_body(task->request, kind, &files->body, error);
        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return;
        }
        begun_ask_backup(task, http_request_param(task->request, "backup_id"), on_backup);
}

void api_list_files(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin, (void *) &list_kind, NULL);
}

void api_tar_files(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin, (void *) &tar_kind, NULL);
}
