/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies by HTTP: set, removed, run, pruned. Lists and shows stand in lists.c.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "request-body.h"

#include <stdint.h>
#include <string.h>

enum {
        BODY_MAX = 128 * 1024,
        PATTERNS_MAX = 256,
        PATTERN_MAX = 255,
        KEEP_MAX = 10000,
        SPAN_MAX_SEC = 366 * 86400,
};

/* As the hub's options are named; times in seconds, as everywhere in this API. */
static const JsonField setting_fields[] = {
        { "match", JSON_FIELD_ARRAY, true, 1, PATTERNS_MAX, NULL, NULL },
        { "except", JSON_FIELD_ARRAY, true, 0, PATTERNS_MAX, NULL, NULL },
        { "repository", JSON_FIELD_TEXT, true, 1, 64, NULL, NULL },
        { "node", JSON_FIELD_TEXT, true, 0, 64, NULL, NULL },
        { "calendar", JSON_FIELD_TEXT, true, 0, 255, NULL, NULL },
        { "randomized_delay_sec", JSON_FIELD_NUMBER, true, 0, SPAN_MAX_SEC, NULL, NULL },
        { "full_every_sec", JSON_FIELD_NUMBER, true, 0, 10 * (uint64_t) SPAN_MAX_SEC, NULL, NULL },
        { "persistent", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
        { "enabled", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
        { "keep_last", JSON_FIELD_NUMBER, true, 0, KEEP_MAX, NULL, NULL },
        { "keep_hourly", JSON_FIELD_NUMBER, true, 0, KEEP_MAX, NULL, NULL },
        { "keep_daily", JSON_FIELD_NUMBER, true, 0, KEEP_MAX, NULL, NULL },
        { "keep_weekly", JSON_FIELD_NUMBER, true, 0, KEEP_MAX, NULL, NULL },
        { "keep_monthly", JSON_FIELD_NUMBER, true, 0, KEEP_MAX, NULL, NULL },
        { "keep_yearly", JSON_FIELD_NUMBER, true, 0, KEEP_MAX, NULL, NULL },
};

static const JsonField prune_fields[] = {
        { "dry_run", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
};

static void free_body(void *userdata)
{
        json_decref(userdata);
}

static bool take_body(HubTask *task, const JsonField *fields, size_t n_fields)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        json_t *body = NULL;
        const char *why = request_body_read(&(RequestBody){ fields, n_fields, BODY_MAX, true },
                                            task->request, &body, error);

        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return false;
        }
        task->state = body;
        task->state_free = free_body;
        return true;
}

static int call_new(const HubTask *task, const char *method, sd_bus_message **ret_call)
{
        int r = hub_call_new(task, method, ret_call);

        if (r >= 0)
                r = sd_bus_message_append(*ret_call, "s",
                                          http_request_param(task->request, "policy"));
        return r < 0 ? r : sd_bus_message_open_container(*ret_call, 'a', "{sv}");
}

/* ── Set ── */

static int append_patterns(sd_bus_message *call, const char *key, const json_t *list)
{
        const json_t *text;
        size_t i;
        int r;

        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "s");
        json_array_foreach (list, i, text)
                if (r >= 0)
                        r = sd_bus_message_append(call, "s", json_string_value(text));
        for (int n = 0; r >= 0 && n < 3; n++)
                r = sd_bus_message_close_container(call);
        return r;
}

static int append_member(sd_bus_message *call, const char *key, const json_t *value)
{
        uint64_t number = (uint64_t) json_integer_value(value);

        if (json_is_array(value))
                return append_patterns(call, key, value);
        if (json_is_boolean(value))
                return sd_bus_message_append(call, "{sv}", key, "b", (int) json_is_true(value));
        if (json_is_string(value))
                return sd_bus_message_append(call, "{sv}", key, "s", json_string_value(value));
        if (strcmp(key, "randomized_delay_sec") == 0)
                return sd_bus_message_append(call, "{sv}", "randomized_delay_usec", "t",
                                             number * 1000000);
        if (strcmp(key, "full_every_sec") == 0)
                return sd_bus_message_append(call, "{sv}", "full_every_usec", "t",
                                             number * 1000000);
        return sd_bus_message_append(call, "{sv}", key, "u", (uint32_t) number);
}

static bool patterns_are_valid(const json_t *list)
{
        const json_t *text;
        size_t i;

        json_array_foreach (list, i, text)
                if (json_string_length(text) == 0 || json_string_length(text) > PATTERN_MAX)
                        return false;
        return true;
}

static void on_set(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        json_t *body = error ? NULL : hub_read(reply);

        if (error || !body)
                hub_refuse(task, error ?: &hub_answer_unknown);
        else
                hub_answer(task, 200, body);
}

static void begin_set(HubTask *task)
{
        sd_bus_message *call = NULL;
        const json_t *value;
        const char *key;
        int r;

        if (!take_body(task, setting_fields, ELEMENTSOF(setting_fields)))
                return;
        if (!patterns_are_valid(json_object_get(task->state, "match")) ||
            !patterns_are_valid(json_object_get(task->state, "except"))) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL,
                                "Each of match and except must be text of 1 to 255 bytes.");
                return;
        }
        r = call_new(task, "SetPolicy", &call);
        json_object_foreach ((json_t *) task->state, key, value)
                if (r >= 0)
                        r = append_member(call, key, value);
        hub_call_send(task, call, r, on_set);
}

void api_set_policy(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_set, NULL, NULL);
}

/* ── Remove ── */

static void on_removed(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        (void) reply;
        if (error)
                hub_refuse(task, error);
        else
                hub_answer(task, 200, json_pack("{s:s}", "status", "removed"));
}

static void begin_remove(HubTask *task)
{
        sd_bus_message *call = NULL;
        int r;

        if (!take_body(task, NULL, 0))
                return;
        r = call_new(task, "RemovePolicy", &call);
        hub_call_send(task, call, r, on_removed);
}

void api_remove_policy(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_remove, NULL, NULL);
}

/* ── Run ── */

static void on_run(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        uint64_t run;

        if (error)
                hub_refuse(task, error);
        else if (sd_bus_message_read(reply, "t", &run) <= 0)
                hub_refuse(task, &hub_answer_unknown);
        else
                hub_answer(task, 202, json_pack("{s:I}", "run", (json_int_t) run));
}

static void begin_run(HubTask *task)
{
        sd_bus_message *call = NULL;
        int r;

        if (begun_refuse_key(task,
                             "A run of a policy has no Idempotency-Key: while one runs the next is "
                             "refused, and the policy shows its runs."))
                return;
        if (!take_body(task, NULL, 0))
                return;
        r = call_new(task, "RunPolicy", &call);
        hub_call_send(task, call, r, on_run);
}

void api_run_policy(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_run, NULL, NULL);
}

/* ── Prune ── */

static void on_pruned(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        json_t *plan = NULL;
        uint64_t run = 0;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        if (sd_bus_message_read(reply, "t", &run) > 0)
                plan = hub_read(reply);
        if (!plan)
                hub_refuse(task, &hub_answer_unknown);
        else if (run > 0)
                hub_answer(task, 202,
                           json_pack("{s:I, s:o}", "run", (json_int_t) run, "plan", plan));
        else
                hub_answer(task, 200, json_pack("{s:o}", "plan", plan));
}

static void begin_prune(HubTask *task)
{
        sd_bus_message *call = NULL;
        int r;

        if (begun_refuse_key(task,
                             "A run of a policy has no Idempotency-Key: while one runs the next is "
                             "refused, and the policy shows its runs."))
                return;
        if (!take_body(task, prune_fields, ELEMENTSOF(prune_fields)))
                return;
        r = call_new(task, "Prune", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "dry_run", "b",
                                          (int) json_field_bool(task->state, "dry_run"));
        hub_call_send(task, call, r, on_pruned);
}

void api_prune_policy(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_prune, NULL, NULL);
}
