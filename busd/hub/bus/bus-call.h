/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods of our bus objects have in common: the request as JSON, the permission, the store,
 * the answer. A method reads its arguments into a request and names an act; the act runs when the
 * caller may, and answers now or when the store or a unit has answered.
 */
#pragma once

#include "store/store.h"

#include <jansson.h>
#include <systemd/sd-bus.h>

typedef struct Manager Manager;

#define ACTION_INSPECT "com.sendense.hub.inspect"
#define ACTION_BACKUP  "com.sendense.hub.backup"
#define ACTION_RESTORE "com.sendense.hub.restore"
#define ACTION_DELETE  "com.sendense.hub.delete"
#define ACTION_MANAGE  "com.sendense.hub.manage"

/* The act of a method; request is borrowed. Returns 0 when the call is or will be answered, a negative
 * errno or an error set when it is refused. */
typedef int (*BusAct)(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error);

/* Takes request, on failure too. As authority_check(). */
int bus_call_check(Manager *manager, sd_bus_message *call, const char *action, json_t *request,
                   BusAct act, sd_bus_error *error);

/* The same for authority_check_user(). */
int bus_call_check_user(Manager *manager, sd_bus_message *call, uint32_t uid, const char *whom,
                        json_t *request, BusAct act, sd_bus_error *error);

/* Answers the call from what the store said. Returns a negative errno when it cannot. */
typedef int (*BusAnswer)(Manager *manager, sd_bus_message *call, const json_t *out);

/* Hands in (taken) to the store and answers the call with what comes back. */
int bus_call_store(Manager *manager, sd_bus_message *call, StoreWork work, json_t *in,
                   BusAnswer answer, sd_bus_error *error);

/* An act that waits for something else keeps its call here until it answers. */
typedef struct BusWait {
        Manager *manager;
        sd_bus_message *call;
        json_t *request;
} BusWait;

BusWait *bus_wait_new(Manager *manager, sd_bus_message *call, json_t *request);
BusWait *bus_wait_free(BusWait *wait);

/* Ends it with an error; name may be NULL. */
void bus_wait_fail(BusWait *wait, const char *name, const char *text);

/* Answers of the three shapes. */
int bus_reply_dict(sd_bus_message *call, const json_t *object);
int bus_reply_dicts(sd_bus_message *call, const json_t *array);
int bus_reply_texts(sd_bus_message *call, const json_t *array);

/* The refusal for a store that did not take the request. */
int bus_refuse_store(Manager *manager, int error, sd_bus_error *ret_error);

/* Adds "key": text to request when text is not NULL. */
int request_add_text(json_t *request, const char *key, const char *text);
