/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The common parts of methods (see bus-call.h).
 */
#include "bus/bus-call.h"

#include "bus/authorise.h"
#include "bus/bus-error.h"
#include "bus/bus-json.h"
#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "store/store-call.h"

#include <errno.h>
#include <string.h>

/* One block, because authority_check() frees it as one. */
typedef struct Checked {
        BusAct act;
        char request[];
} Checked;

static int on_allowed(sd_bus_message *call, const char *principal, const void *request_block,
                      void *userdata, sd_bus_error *error)
{
        const Checked *checked = request_block;
        CLEANUP(json_decrefp) json_t *request = json_loads(checked->request, 0, NULL);

        return request ? checked->act(userdata, call, principal, request, error) : -ENOMEM;
}

static int checked_new(json_t *request, BusAct act, Checked **ret_checked)
{
        CLEANUP(json_decrefp) json_t *owned = request;
        _cleanup_free_ char *text = owned ? json_dumps(owned, JSON_COMPACT) : NULL;
        Checked *checked;
        size_t size;

        if (!text)
                return -ENOMEM;
        size = strlen(text) + 1;
        checked = malloc(sizeof(Checked) + size);
        if (!checked)
                return -ENOMEM;
        checked->act = act;
        memcpy(checked->request, text, size);
        *ret_checked = checked;
        return 0;
}

int bus_call_check(Manager *manager, sd_bus_message *call, const char *action, json_t *request,
                   BusAct act, sd_bus_error *error)
{
        Checked *checked;
        int r;

        r = checked_new(request, act, &checked);
        return r < 0 ? r
                     : authority_check(manager->authority, call, action, checked, on_allowed,
                                       manager, error);
}

int bus_call_check_user(Manager *manager, sd_bus_message *call, uint32_t uid, const char *whom,
                        json_t *request, BusAct act, sd_bus_error *error)
{
        Checked *checked;
        int r;

        r = checked_new(request, act, &checked);
        return r < 0 ? r
                     : authority_check_user(manager->authority, call, uid, whom, checked,
                                            on_allowed, manager, error);
}

BusWait *bus_wait_new(Manager *manager, sd_bus_message *call, json_t *request)
{
        BusWait *wait = malloc(sizeof(BusWait));

        if (wait)
                *wait = (BusWait){
                        .manager = manager,
                        .call = sd_bus_message_ref(call),
                        .request = json_incref(request),
                };
        return wait;
}

BusWait *bus_wait_free(BusWait *wait)
{
        if (!wait)
                return NULL;
        sd_bus_message_unref(wait->call);
        json_decref(wait->request);
        free(wait);
        return NULL;
}

static void reply_error(sd_bus_message *call, const char *name, const char *text)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        (void) bus_error_setf(&error, name ?: BUS_ERROR_FAILED, "%s", text ?: "It failed");
        r = sd_bus_reply_method_error(call, &error);
        if (r < 0)
                (void) log_warning(r, "Cannot answer a call: %m");
}

void bus_wait_fail(BusWait *wait, const char *name, const char *text)
{
        reply_error(wait->call, name, text);
        bus_wait_free(wait);
}

typedef struct StoreWait {
        BusWait *wait;
        BusAnswer answer;
} StoreWait;

static void on_store(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        _cleanup_free_ StoreWait *waiting = userdata;
        BusWait *wait = waiting->wait;
        int r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        r = waiting->answer(wait->manager, wait->call, out);
        if (r < 0) {
                (void) log_warning(r, "Cannot answer %s: %m",
                                   sd_bus_message_get_member(wait->call));
                reply_error(wait->call, BUS_ERROR_FAILED, "The answer cannot be made");
        }
        bus_wait_free(wait);
}

int bus_refuse_store(Manager *manager, int error, sd_bus_error *ret_error)
{
        switch (error) {
        case -ENOTCONN:
                return bus_error_setf(ret_error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The database is not there: %s",
                                      *manager->database.error ? manager->database.error
                                                               : "it was not reached yet");
        case -EBUSY:
                return bus_error_setf(ret_error, BUS_ERROR_BUSY,
                                      "The queue of the database worker is full, try again");
        case -ECANCELED:
                return bus_error_setf(ret_error, BUS_ERROR_BUSY, "The hub is stopping");
        default:
                return error;
        }
}

int bus_call_store(Manager *manager, sd_bus_message *call, StoreWork work, json_t *in,
                   BusAnswer answer, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *owned = in;
        StoreWait *waiting = malloc(sizeof(StoreWait));
        int r;

        if (waiting)
                *waiting = (StoreWait){
                        .wait = bus_wait_new(manager, call, NULL),
                        .answer = answer,
                };
        if (!waiting || !waiting->wait) {
                free(waiting);
                return -ENOMEM;
        }
        r = store_call(manager->store, work, TAKE(owned), on_store, waiting);
        if (r >= 0)
                return 0;
        bus_wait_free(waiting->wait);
        free(waiting);
        return bus_refuse_store(manager, r, error);
}

typedef int (*Append)(sd_bus_message *message, const json_t *value);

static int reply(sd_bus_message *call, const json_t *value, Append append)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = append(m, value);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

int bus_reply_dict(sd_bus_message *call, const json_t *object)
{
        return reply(call, object, bus_json_append_dict);
}

int bus_reply_dicts(sd_bus_message *call, const json_t *array)
{
        return reply(call, array, bus_json_append_dicts);
}

int bus_reply_texts(sd_bus_message *call, const json_t *array)
{
        return reply(call, array, bus_json_append_texts);
}

int request_add_text(json_t *request, const char *key, const char *text)
{
        if (!text)
                return 0;
        return json_object_set_new(request, key, json_string(text)) < 0 ? -ENOMEM : 0;
}
