/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Routes and their calls (see api.h). A body goes on as it came, in a sealed memfd: it may hold a password, and the
 * node is the one that reads it.
 */
#include "api.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "node-call.h"
#include "parse.h"
#include "secret.h"

#include <stdint.h>
#include <string.h>

uint64_t api_job(HttpRequest *request)
{
        const char *text = http_request_param(request, "id");
        uint64_t job = 0;

        if (!text || parse_uint64(text, 1, INT64_MAX, &job) < 0) {
                http_request_refuse(request, 404, BUS_ERROR_NOT_FOUND,
                                    "A backup's id is the number of its job.");
                return 0;
        }
        return job;
}

/* {"job_id", "unit", "pid", "status", "state"}: what was asked for is under way. */
static json_t *shape_started(sd_bus_message *reply, HttpRequest *request)
{
        const char *state, *unit;
        uint64_t job;
        uint32_t pid;

        (void) request;
        if (sd_bus_message_read(reply, "tssu", &job, &state, &unit, &pid) <= 0)
                return NULL;
        return json_pack("{s:s, s:I, s:s, s:s, s:I}", "status", "started", "job_id",
                         (json_int_t) job, "state", state, "unit", unit, "pid", (json_int_t) pid);
}

static json_t *shape_state(sd_bus_message *reply, HttpRequest *request)
{
        const char *state;

        (void) request;
        if (sd_bus_message_read(reply, "s", &state) <= 0)
                return NULL;
        return json_pack("{s:s}", "state", state);
}

static json_t *shape_none(sd_bus_message *reply, HttpRequest *request)
{
        (void) reply;
        (void) request;
        return json_object();
}

static json_t *shape_backups(sd_bus_message *reply, HttpRequest *request)
{
        (void) request;
        return json_pack("{s:o}", "backups", node_read(reply));
}

/* a(ts) as [{"job_id", "outcome"}]. */
static json_t *shape_cleaned(sd_bus_message *reply, HttpRequest *request)
{
        CLEANUP(json_decref_p) json_t *list = json_array();
        const char *outcome;
        uint64_t job;
        int r;

        (void) request;
        r = list ? sd_bus_message_enter_container(reply, 'a', "(ts)") : -1;
        while (r > 0 && (r = sd_bus_message_read(reply, "(ts)", &job, &outcome)) > 0)
                if (json_array_append_new(list, json_pack("{s:I, s:s}", "job_id", (json_int_t) job,
                                                          "outcome", outcome)) < 0)
                        return NULL;
        return r < 0 ? NULL : json_pack("{s:O}", "snapshots", list);
}

/* The body as a sealed memfd. */
static int body_seal(const HttpRequest *request, int *ret_fd)
{
        size_t size;
        const char *body = http_request_body(request, &size);

        return secret_make_memfd(body, size, ret_fd);
}

/* A call with the body and no options. */
static void send_body(HttpRequest *request, const Api *api, const char *method, unsigned status,
                      NodeShape shape)
{
        sd_bus_message *call = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = body_seal(request, &fd);
        if (r >= 0)
                r = node_call_new(api->bus, method, &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ha{sv}", fd, 0);
        node_call_send(request, api->bus, call, r, status, shape);
}

static void start(HttpRequest *request, void *userdata)
{
        send_body(request, userdata, "StartBackup", 202, shape_started);
}

static void start_restore(HttpRequest *request, void *userdata)
{
        send_body(request, userdata, "StartRestore", 202, shape_started);
}

/* What the vCenter said, as the node checked it. */
static json_t *shape_answer(sd_bus_message *reply, HttpRequest *request)
{
        CLEANUP(json_decref_p) json_t *answer = NULL;
        int fd;

        (void) request;
        if (sd_bus_message_read(reply, "h", &fd) <= 0)
                return NULL;
        answer = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
        (void) json_object_del(answer, "result");
        return TAKE(answer);
}

static void ask_vcenter(HttpRequest *request, const Api *api, const char *question)
{
        sd_bus_message *call = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = body_seal(request, &fd);
        if (r >= 0)
                r = node_call_new(api->bus, "AskVcenter", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "sha{sv}", question, fd, 0);
        node_call_send_slow(request, api->bus, call, r, 200, shape_answer);
}

static void ask_certificate(HttpRequest *request, void *userdata)
{
        ask_vcenter(request, userdata, "certificate");
}

static void ask_test(HttpRequest *request, void *userdata)
{
        ask_vcenter(request, userdata, "test");
}

static void ask_discover(HttpRequest *request, void *userdata)
{
        ask_vcenter(request, userdata, "discover");
}

static void clean_up(HttpRequest *request, void *userdata)
{
        send_body(request, userdata, "CleanupSnapshots", 200, shape_cleaned);
}

/* A call with no arguments but options. */
static void call_list(HttpRequest *request, const Api *api, const char *method, NodeShape shape)
{
        sd_bus_message *call = NULL;
        int r;

        r = node_call_new(api->bus, method, &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        node_call_send(request, api->bus, call, r, 200, shape);
}

static void list(HttpRequest *request, void *userdata)
{
        call_list(request, userdata, "ListTasks", shape_backups);
}

static json_t *shape_obligations(sd_bus_message *reply, HttpRequest *request)
{
        (void) request;
        return json_pack("{s:o}", "obligations", node_read(reply));
}

/* The tasks that owe a snapshot. */
static void list_owed(HttpRequest *request, void *userdata)
{
        call_list(request, userdata, "ListObligations", shape_obligations);
}

static void call_with_job(HttpRequest *request, const Api *api, const char *method, unsigned status,
                          NodeShape shape)
{
        uint64_t job = api_job(request);
        sd_bus_message *call = NULL;
        int r;

        if (job == 0)
                return;
        r = node_call_new(api->bus, method, &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ta{sv}", job, 0);
        node_call_send(request, api->bus, call, r, status, shape);
}

static void show(HttpRequest *request, void *userdata)
{
        call_with_job(request, userdata, "GetTask", 200, node_shape_plain);
}

/* What the copy said, digests and all: a file of the node's, open to be read. */
static json_t *shape_result(sd_bus_message *reply, HttpRequest *request)
{
        int fd;

        (void) request;
        if (sd_bus_message_read(reply, "h", &fd) <= 0)
                return NULL;
        return json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
}

/* One disk of it: the sums of many are too much for one answer. */
static json_t *shape_disk_result(sd_bus_message *reply, HttpRequest *request)
{
        CLEANUP(json_decref_p) json_t *result = shape_result(reply, request);
        const json_t *disks = json_object_get(result, "disks");
        uint64_t key = 0;

        if (!result)
                return NULL;
        (void) parse_uint64(http_request_param(request, "disk") ?: "", 1, UINT32_MAX, &key);
        for (size_t i = 0; key > 0 && i < json_array_size(disks); i++) {
                json_t *disk = json_array_get(disks, i);

                if (json_integer_value(json_object_get(disk, "disk_key")) == (json_int_t) key)
                        return json_incref(disk);
        }
        return json_null();
}

static void show_result(HttpRequest *request, void *userdata)
{
        call_with_job(request, userdata, "GetResult", 200, shape_result);
}

static void show_disk_result(HttpRequest *request, void *userdata)
{
        call_with_job(request, userdata, "GetResult", 200, shape_disk_result);
}

static void cancel(HttpRequest *request, void *userdata)
{
        call_with_job(request, userdata, "Cancel", 202, shape_none);
}

/* The outcome stands in the body, beside what the node needs to log in again, and maybe the attempt that is meant: 0 is any. */
static bool read_outcome(HttpRequest *request, char ret_outcome[static 16], uint64_t *ret_attempt)
{
        size_t size;
        const char *body = http_request_body(request, &size);
        CLEANUP(json_decref_p)
        json_t *object = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);
        const char *outcome = json_string_value(json_object_get(object, "outcome"));
        const json_t *attempt = json_object_get(object, "attempt");

        if (!outcome || strlen(outcome) >= 16) {
                http_request_refuse(request, 400, BUS_ERROR_INVALID_ARGUMENT,
                                    "The body must be an object with \"outcome\": \"committed\" or "
                                    "\"abandoned\".");
                return false;
        }
        if (attempt && (!json_is_integer(attempt) || json_integer_value(attempt) < 1 ||
                        json_integer_value(attempt) > INT32_MAX)) {
                http_request_refuse(request, 400, BUS_ERROR_INVALID_ARGUMENT,
                                    "The attempt must be a number from 1 to 2147483647.");
                return false;
        }
        *ret_attempt = (uint64_t) json_integer_value(attempt);
        memcpy(ret_outcome, outcome, strlen(outcome) + 1);
        return true;
}

static void release(HttpRequest *request, void *userdata)
{
        const Api *api = userdata;
        uint64_t job = api_job(request);
        sd_bus_message *call = NULL;
        _cleanup_close_ int fd = -1;
        uint64_t attempt;
        char outcome[16];
        int r;

        if (job == 0 || !read_outcome(request, outcome, &attempt))
                return;
        r = body_seal(request, &fd);
        if (r >= 0)
                r = node_call_new(api->bus, "Release", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ts", job, outcome);
        if (r >= 0)
                r = attempt > 0 ? sd_bus_message_append(call, "a{sv}", 2, "request", "h", fd,
                                                        "attempt", "t", attempt)
                                : sd_bus_message_append(call, "a{sv}", 1, "request", "h", fd);
        node_call_send(request, api->bus, call, r, 200, shape_state);
}

static void health(HttpRequest *request, void *userdata)
{
        const Api *api = userdata;
        sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(api->bus, &call, NODE_BUS_NAME, NODE_BUS_PATH,
                                           "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", NODE_MANAGER_INTERFACE);
        node_call_send(request, api->bus, call, r, 200, node_shape_plain);
}

const HttpRoute api_routes[] = {
        { "GET", "/api/v1/health", health, false },
        { "GET", "/api/v1/backups", list, false },
        { "POST", "/api/v1/backup/start", start, false },
        { "POST", "/api/v1/restore/start", start_restore, false },
        { "GET", "/api/v1/backup/{id}", show, false },
        { "GET", "/api/v1/backup/{id}/result", show_result, false },
        { "GET", "/api/v1/backup/{id}/result/{disk}", show_disk_result, false },
        { "DELETE", "/api/v1/backup/{id}", cancel, false },
        { "GET", "/api/v1/backup/{id}/events", api_events, false },
        { "POST", "/api/v1/backup/{id}/release", release, false },
        { "POST", "/api/v1/snapshots/cleanup", clean_up, false },
        { "GET", "/api/v1/obligations", list_owed, false },
        { "POST", "/api/v1/vcenter/certificate", ask_certificate, false },
        { "POST", "/api/v1/vcenter/test", ask_test, false },
        { "POST", "/api/v1/vcenter/discover", ask_discover, false },
};
const size_t api_n_routes = ELEMENTSOF(api_routes);
