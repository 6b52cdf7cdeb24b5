/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Routes that are one call whose answer is known when it returns (see api.h): looks at repositories and vCenters, the verification of all that
 * is due, upkeep. What each of them takes and gives stands in a table.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "parse.h"
#include "request-body.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        BODY_MAX = 16 * 1024,
        FIELDS_MAX = 3,
        NAME_MAX_BYTES = 1000,
        AGE_MAX_SEC = 10 * 366 * 86400,
};

typedef struct Act {
        const char *method;
        const char *param; /* of the path, and the call's argument; NULL: it has none */
        JsonField fields[FIELDS_MAX]; /* of the body, and the call's options; seconds become microseconds */
        unsigned timeout_sec; /* as sendensectl waits; 0: that of every call */
        unsigned status;
        bool param_is_number;
        /* What is made of the call's answer (the callee's, NULL: it has none); NULL: it cannot be read. */
        json_t *(*shape)(json_t *value);
} Act;

typedef struct ActTask {
        const Act *act;
        json_t *body;
} ActTask;

static void act_free(void *userdata)
{
        ActTask *state = userdata;

        json_decref(state->body);
        free(state);
}

/* ── Answers ── */

static json_t *shape_object(json_t *value)
{
        return value;
}

static json_t *shape_vms(json_t *value)
{
        return value ? json_pack("{s:o}", "vms", value) : NULL;
}

static json_t *shape_checks(json_t *value)
{
        return value ? json_pack("{s:o}", "checks", value) : NULL;
}

static json_t *shape_done(json_t *value)
{
        return value ? json_pack("{s:o}", "done", value) : NULL;
}

static json_t *shape_forgiven(json_t *value)
{
        json_decref(value);
        return json_pack("{s:s}", "status", "forgiven");
}

/* "/com/sendense/Hub1/job/7", … */
static json_t *shape_jobs(json_t *value)
{
        CLEANUP(json_decref_p) json_t *paths = value, *ids = json_array();
        const json_t *path;
        size_t i;

        json_array_foreach (paths, i, path) {
                const char *slash = strrchr(json_string_value(path) ?: "", '/');
                uint64_t id;

                if (!slash || parse_uint64(slash + 1, 1, INT64_MAX, &id) < 0 ||
                    json_array_append_new(ids, json_integer((json_int_t) id)) < 0)
                        return NULL;
        }
        return paths ? json_pack("{s:O}", "job_ids", ids) : NULL;
}

static void on_answer(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        const ActTask *state = task->state;
        json_t *body;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        body = state->act->shape(sd_bus_message_is_empty(reply) > 0 ? NULL : hub_read(reply));
        if (body)
                hub_answer(task, state->act->status, body);
        else
                hub_refuse(task, &hub_answer_unknown);
}

/* ── Calls ── */

/* Seconds of this API are microseconds of the bus. */
static int append_number(sd_bus_message *call, const char *key, uint64_t number)
{
        char name[64];
        size_t size = strlen(key);

        if (size < 4 || size + 2 > sizeof(name) || strcmp(key + size - 4, "_sec") != 0)
                return sd_bus_message_append(call, "{sv}", key, "t", number);
        (void) snprintf(name, sizeof(name), "%.*susec", (int) size - 3, key);
        return sd_bus_message_append(call, "{sv}", name, "t", number * USEC_PER_SEC);
}

static int append_option(sd_bus_message *call, const char *key, const json_t *value)
{
        if (json_is_boolean(value))
                return sd_bus_message_append(call, "{sv}", key, "b", (int) json_is_true(value));
        if (json_is_string(value))
                return sd_bus_message_append(call, "{sv}", key, "s", json_string_value(value));
        return append_number(call, key, (uint64_t) json_integer_value(value));
}

static int append_param(const HubTask *task, const Act *act, sd_bus_message *call)
{
        const char *text = act->param ? http_request_param(task->request, act->param) : NULL;
        uint64_t number;

        if (!act->param)
                return 0;
        if (!act->param_is_number)
                return sd_bus_message_append(call, "s", text);
        if (!text || parse_uint64(text, 1, INT64_MAX, &number) < 0)
                return -ENOENT;
        return sd_bus_message_append(call, "t", number);
}

static int append_call(const HubTask *task, const ActTask *state, sd_bus_message *call)
{
        const json_t *value;
        const char *key;
        int r;

        r = append_param(task, state->act, call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        json_object_foreach (state->body, key, value)
                if (r >= 0)
                        r = append_option(call, key, value);
        return r;
}

static const char *read_body(HttpRequest *request, const Act *act, json_t **ret_body,
                             char error[static JSON_FIELDS_ERROR_SIZE])
{
        RequestBody want = { .fields = act->fields, .max = BODY_MAX, .is_optional = true };
        size_t size;

        (void) http_request_body(request, &size);
        while (want.n_fields < FIELDS_MAX && act->fields[want.n_fields].key)
                want.n_fields++;
        if (size > 0 && want.n_fields == 0)
                return "This request has no body.";
        return request_body_read(&want, request, ret_body, error);
}

static void begin(HubTask *task)
{
        const Act *act = task->state;
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        ActTask *state = calloc(1, sizeof(*state));
        sd_bus_message *call = NULL;
        const char *why;
        int r;

        if (!state) {
                hub_answer(task, 503, NULL);
                return;
        }
        state->act = act;
        task->state = state;
        task->state_free = act_free;
        if (begun_refuse_key(task, "This request has no Idempotency-Key: asked again, it does what "
                                   "is still to be done."))
                return;
        why = read_body(task->request, act, &state->body, error);
        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return;
        }
        r = hub_call_new(task, act->method, &call);
        if (r >= 0)
                r = append_call(task, state, call);
        if (r == -ENOENT) {
                sd_bus_message_unref(call);
                hub_refuse_with(task, 404, BUS_ERROR_NOT_FOUND, NULL, "It is called by a number.");
                return;
        }
        hub_call_send_within(task, call, r, act->timeout_sec, on_answer);
}

/* ── Routes ── */

static const Act check_repository = { .method = "CheckRepository",
                                      .param = "repository",
                                      .timeout_sec = 300,
                                      .status = 200,
                                      .shape = shape_object };
static const Act scan_repository = { .method = "ScanRepository",
                                     .param = "repository",
                                     .timeout_sec = 3600,
                                     .status = 200,
                                     .shape = shape_object };
static const Act test_vcenter = { .method = "TestVcenter",
                                  .param = "vcenter",
                                  .timeout_sec = 400,
                                  .status = 200,
                                  .shape = shape_object };
static const Act discover_vms = {
        .method = "DiscoverVms",
        .param = "vcenter",
        .fields = { { "vm", JSON_FIELD_TEXT, true, 1, NAME_MAX_BYTES, NULL, NULL },
                    { "enter", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL } },
        .timeout_sec = 800,
        .status = 200,
        .shape = shape_vms,
};
static const Act verify_all = {
        .method = "VerifyAll",
        .fields = { { "older_than_sec", JSON_FIELD_NUMBER, true, 0, AGE_MAX_SEC, NULL, NULL },
                    { "vm", JSON_FIELD_TEXT, true, 1, NAME_MAX_BYTES, NULL, NULL },
                    { "repository", JSON_FIELD_TEXT, true, 1, 64, NULL, NULL } },
        .timeout_sec = 150,
        .status = 202,
        .shape = shape_jobs,
};
static const Act diagnose = {
        .method = "Diagnose", .timeout_sec = 150, .status = 200, .shape = shape_checks
};
static const Act cleanup = {
        .method = "Cleanup", .timeout_sec = 3600, .status = 200, .shape = shape_done
};
static const Act forgive = { .method = "ForgiveObligation",
                             .param = "id",
                             .param_is_number = true,
                             .status = 200,
                             .shape = shape_forgiven };

#define ACT_HANDLER(name)                                                       \
        void api_##name(HttpRequest *request, void *userdata)                   \
        {                                                                       \
                hub_task_start(userdata, request, begin, (void *) &name, NULL); \
        }
ACT_HANDLER(check_repository)
ACT_HANDLER(scan_repository)
ACT_HANDLER(test_vcenter)
ACT_HANDLER(discover_vms)
ACT_HANDLER(verify_all)
ACT_HANDLER(diagnose)
ACT_HANDLER(cleanup)
ACT_HANDLER(forgive)
