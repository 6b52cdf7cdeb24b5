/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request of HTTP as a conversation with the hub: first who asks is shown to it, then calls are made in that name, one
 * at a time, and in the end the request is answered. Holds no logic of its own: the hub decides, and a table turns its
 * errors into status codes.
 */
#pragma once

#include "api.h"
#include "cleanup.h"
#include "http/http-server.h"

#include <jansson.h>
#include <systemd/sd-bus.h>

enum {
        HUB_SESSION_SIZE = 65,
};

/* The hub knows who asks: make the first call. */
typedef void (*HubBegin)(HubTask *task);

/* A call was answered. error: instead of a reply. The task is the callee's: it makes another call, or ends it. */
typedef void (*HubReply)(HubTask *task, sd_bus_message *reply, const sd_bus_error *error);

struct HubTask {
        Api *api;
        HubTask *next, *previous;
        HttpRequest *request; /* NULL: it was answered, or became a stream */
        void *state; /* the callee's */
        void (*state_free)(void *state);
        /* The rest is hub-task.c's. */
        int credential; /* what the hub is shown: a token, or the socket of who asks; -1: nothing yet */
        char session[HUB_SESSION_SIZE];
        sd_bus_slot *slot;
        HubBegin begin;
        HubReply on_reply, on_refused;
        sd_event_source *failure;
        int error; /* that failure tells */
        bool is_authenticating, has_session;
};

/* Begins one. state is freed with it, at once when there is no memory. */
void hub_task_start(Api *api, HttpRequest *request, HubBegin begin, void *state,
                    void (*state_free)(void *state));

/* Ends it; its request, if it is not answered, is left alone. NULL in, NULL out. */
HubTask *hub_task_free(HubTask *task);

/* All that owe an answer, when no request will be answered any more. Streams end with the server. */
void hub_tasks_forget(Api *api);

/* A call of the hub's manager to be filled: arguments, and then the opened dictionary of options, which is left open. */
int hub_call_new(const HubTask *task, const char *method, sd_bus_message **ret_call);

/* Sends call (taken, may be NULL), in which r is what filling it came to. When it cannot be sent, reply is told,
 * later. */
void hub_call_send(HubTask *task, sd_bus_message *call, int r, HubReply reply);

/* The same for a call that takes its time; 0: as long as every call may. */
void hub_call_send_within(HubTask *task, sd_bus_message *call, int r, unsigned timeout_sec,
                          HubReply reply);

/* Shows the hub again who asks, and goes on with begin; refused is told when it will not have it. For a call that came back as
 * Unauthorized, of which nothing was done: the hub may have been started anew, and knows no session of before. */
void hub_task_renew(HubTask *task, HubBegin begin, HubReply refused);

/* Answers and ends. body is taken; NULL stands for no memory. */
void hub_answer(HubTask *task, unsigned status, json_t *body);
void hub_refuse(HubTask *task, const sd_bus_error *error);
void hub_refuse_with(HubTask *task, unsigned status, const char *name, json_t *more,
                     const char *text);

/* The next value of the reply, with the names of JSON; NULL when it cannot be read. */
json_t *hub_read(sd_bus_message *reply);

/* What is said, with 502, of an answer that no reader here takes. */
extern const sd_bus_error hub_answer_unknown;

/* The text that people get for an error. */
const char *hub_error_text(const sd_bus_error *error);
