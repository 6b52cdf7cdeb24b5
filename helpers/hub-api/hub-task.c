/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conversations (see hub-task.h). The hub takes a bounded number of undecided calls of one connection, so no more than some ask
 * at a time who they are; the others wait for their turn.
 */
#include "hub-task.h"

#include "bus/bus-error.h"
#include "bus/bus-snake.h"
#include "bus/bus-value.h"
#include "http/http-error.h"
#include "json-cleanup.h"
#include "names.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
        CALL_TIMEOUT_SEC = 25,
};

const sd_bus_error hub_answer_unknown =
                SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_INCONSISTENT_MESSAGE,
                                        "The hub answered what this program does not understand. "
                                        "Compare their versions.");

static void authenticate(HubTask *task);

static int on_failure(sd_event_source *source, void *userdata)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        HubTask *task = userdata;

        (void) source;
        (void) sd_bus_error_set_errno(&error, task->error);
        task->on_reply(task, NULL, &error);
        return 0;
}

/* What could not be sent is told as if it had been: never before the caller is done. */
static void tell_later(HubTask *task, int error)
{
        task->error = error;
        (void) sd_event_source_set_enabled(task->failure, SD_EVENT_ONESHOT);
}

/* ── Tasks ── */

/* The oldest that waits for its turn. */
static void next_turn(Api *api)
{
        HubTask *oldest = NULL;

        for (HubTask *task = api->tasks; task; task = task->next)
                if (!task->has_session && !task->is_authenticating)
                        oldest = task;
        if (oldest && api->n_authenticating < API_AUTHENTICATIONS_MAX)
                authenticate(oldest);
}

static void end_turn(HubTask *task)
{
        if (!task->is_authenticating)
                return;
        task->is_authenticating = false;
        task->api->n_authenticating--;
}

HubTask *hub_task_free(HubTask *task)
{
        Api *api;

        if (!task)
                return NULL;
        api = task->api;
        if (task->previous)
                task->previous->next = task->next;
        else
                api->tasks = task->next;
        if (task->next)
                task->next->previous = task->previous;
        end_turn(task);
        sd_bus_slot_unref(task->slot);
        sd_event_source_disable_unref(task->failure);
        if (task->credential >= 0)
                (void) close(task->credential);
        if (task->state_free)
                task->state_free(task->state);
        free(task);
        return NULL;
}

void hub_tasks_forget(Api *api)
{
        HubTask *next;

        for (HubTask *task = api->tasks; task; task = next) {
                next = task->next;
                if (task->request)
                        hub_task_free(task);
        }
}

static HubTask *task_new(Api *api)
{
        HubTask *task = calloc(1, sizeof(*task));

        if (!task)
                return NULL;
        if (sd_event_add_defer(sd_bus_get_event(api->bus), &task->failure, on_failure, task) < 0 ||
            sd_event_source_set_enabled(task->failure, SD_EVENT_OFF) < 0) {
                sd_event_source_disable_unref(task->failure);
                free(task);
                return NULL;
        }
        task->api = api;
        task->credential = -1;
        task->next = api->tasks;
        if (task->next)
                task->next->previous = task;
        api->tasks = task;
        return task;
}

static void refuse(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        (void) reply;
        hub_refuse(task, error);
}

void hub_task_start(Api *api, HttpRequest *request, HubBegin begin, void *state,
                    void (*state_free)(void *state))
{
        HubTask *task = task_new(api);

        if (!task) {
                if (state_free)
                        state_free(state);
                http_request_refuse(request, 503, BUS_ERROR_BUSY, "Out of memory");
                return;
        }
        task->request = request;
        task->state = state;
        task->state_free = state_free;
        task->begin = begin;
        task->on_refused = refuse;
        next_turn(api);
}

void hub_task_renew(HubTask *task, HubBegin begin, HubReply refused)
{
        task->begin = begin;
        task->on_refused = refused;
        task->has_session = false;
        next_turn(task->api);
}

/* ── Calls ── */

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *seen = sd_bus_message_get_error(message);
        sd_bus_error error = seen ? *seen : SD_BUS_ERROR_NULL;
        HubTask *task = userdata;

        (void) ret_error;
        task->slot = sd_bus_slot_unref(task->slot);
        if (seen)
                error.name = http_error_name(sd_bus_message_get_sender(message), error.name);
        task->on_reply(task, seen ? NULL : message, seen ? &error : NULL);
        return 0;
}

int hub_call_new(const HubTask *task, const char *method, sd_bus_message **ret_call)
{
        return sd_bus_message_new_method_call(task->api->bus, ret_call, HUB_BUS_NAME, HUB_BUS_PATH,
                                              HUB_MANAGER_INTERFACE, method);
}

static int send(HubTask *task, sd_bus_message *call, unsigned timeout_sec)
{
        task->slot = sd_bus_slot_unref(task->slot);
        return sd_bus_call_async(task->api->bus, &task->slot, call, on_reply, task,
                                 timeout_sec * UINT64_C(1000000));
}

void hub_call_send_within(HubTask *task, sd_bus_message *call, int r, unsigned timeout_sec,
                          HubReply reply)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *owned = call;

        task->on_reply = reply;
        if (r >= 0)
                r = sd_bus_message_append(owned, "{sv}", "session", "s", task->session);
        if (r >= 0)
                r = sd_bus_message_close_container(owned);
        if (r >= 0)
                r = send(task, owned, timeout_sec > 0 ? timeout_sec : CALL_TIMEOUT_SEC);
        if (r < 0)
                tell_later(task, r);
}

void hub_call_send(HubTask *task, sd_bus_message *call, int r, HubReply reply)
{
        hub_call_send_within(task, call, r, CALL_TIMEOUT_SEC, reply);
}

/* ── Who asks ── */

static void on_session(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Api *api = task->api;
        const char *session;

        end_turn(task);
        task->has_session = true;
        if (error)
                task->on_refused(task, NULL, error);
        else if (sd_bus_message_read(reply, "s", &session) <= 0 ||
                 strlen(session) >= HUB_SESSION_SIZE)
                task->on_refused(task, NULL, &hub_answer_unknown);
        else {
                memcpy(task->session, session, strlen(session) + 1);
                task->begin(task);
        }
        next_turn(api);
}

/* Of its own, because a stream outlives its request, and maybe the hub. -ENOKEY: there is none. */
static int take_credential(HubTask *task)
{
        const char *token = http_request_token(task->request);
        int peer = http_request_peer(task->request);

        if (token && *token)
                return secret_make_memfd(token, strlen(token), &task->credential);
        if (peer < 0)
                return -ENOKEY;
        task->credential = fcntl(peer, F_DUPFD_CLOEXEC, 0);
        return task->credential < 0 ? -errno : 0;
}

static int show(HubTask *task)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = hub_call_new(task, "Authenticate", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ha{sv}", task->credential, 0);
        return r < 0 ? r : send(task, call, CALL_TIMEOUT_SEC);
}

static void authenticate(HubTask *task)
{
        int r = 0;

        task->is_authenticating = true;
        task->api->n_authenticating++;
        if (task->credential < 0)
                r = take_credential(task);
        if (r == -ENOKEY) {
                static const sd_bus_error none = SD_BUS_ERROR_MAKE_CONST(
                                BUS_ERROR_UNAUTHORIZED,
                                "A token is needed: 'Authorization: Bearer TOKEN'. Make one: "
                                "sendensectl token create NAME");

                on_session(task, NULL, &none);
                return;
        }
        task->on_reply = on_session;
        if (r >= 0)
                r = show(task);
        if (r < 0)
                tell_later(task, r);
}

/* ── Answers ── */

void hub_answer(HubTask *task, unsigned status, json_t *body)
{
        if (body)
                http_request_answer(task->request, status, body);
        else
                http_request_refuse(task->request, 503, BUS_ERROR_BUSY, "Out of memory");
        hub_task_free(task);
}

const char *hub_error_text(const sd_bus_error *error)
{
        if (strcmp(error->name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
            strcmp(error->name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0)
                return "The hub does not run. Start it: systemctl start sendense-hub.service";
        return error->message ?: bus_error_sentence(error->name) ?: "It failed without a reason.";
}

void hub_refuse(HubTask *task, const sd_bus_error *error)
{
        hub_refuse_with(task, http_error_status(error->name), error->name, NULL,
                        hub_error_text(error));
}

void hub_refuse_with(HubTask *task, unsigned status, const char *name, json_t *more,
                     const char *text)
{
        http_request_refuse_with(task->request, status, name, more, "%s", text);
        hub_task_free(task);
}

json_t *hub_read(sd_bus_message *reply)
{
        CLEANUP(json_decref_p) json_t *value = NULL;

        if (bus_value_read(reply, &value) < 0 || bus_snake_names(value) < 0)
                return NULL;
        return TAKE(value);
}
