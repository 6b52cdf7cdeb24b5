/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tokens of the HTTP API on the bus: made, listed, revoked. A token is made by the client; its digest is all that comes here.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "bus/sessions.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "manager.h"
#include "store/store-call.h"
#include "store/store-request.h"
#include "store/store-token.h"
#include "text.h"

#include <errno.h>
#include <string.h>

enum {
        NAME_MAX_BYTES = 64,
        DIGEST_DIGITS = 64,
};

static const char *const roles[] = { "inspect", "backup", "restore", "delete", "manage" };

static json_t *now(void)
{
        return json_integer((json_int_t) clock_realtime_usec());
}

/* Of letters, digits and "-_.", with a letter among them: it is told from an id, and safe in a journal line. */
static bool name_is_valid(const char *name)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        size_t size = strlen(name);

        return size <= NAME_MAX_BYTES && strcspn(name, letters) < size && *name != '-' &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789-_.") == size;
}

/* "inspect,backup", each once. */
static int read_roles(sd_bus_message *call, char **ret_roles, sd_bus_error *error)
{
        bool given[ELEMENTSOF(roles)] = {};
        const char *role;
        char *text = NULL;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(call, "s", &role)) > 0) {
                size_t i = 0;

                while (i < ELEMENTSOF(roles) && strcmp(roles[i], role) != 0)
                        i++;
                if (i == ELEMENTSOF(roles))
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Argument roles: '%.32s' is no role; there are "
                                              "inspect, backup, restore, delete and manage",
                                              role);
                given[i] = true;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(call);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(roles); i++)
                if (given[i]) {
                        char *longer = text_format("%s%s%s", text ?: "", text ? "," : "", roles[i]);

                        free(text);
                        text = longer;
                        if (!text)
                                return -ENOMEM;
                }
        if (!text)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument roles must name at least one role");
        *ret_roles = text;
        return 0;
}

static void log_token(const json_t *request, const char *what)
{
        const char *principal = object_text(request, "Principal");
        const LogContext context = { .principal = principal };

        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE, "Token %s %s by %s",
                         object_text(request, "Name") ?: object_text(request, "Token"), what,
                         principal);
}

/* Create. */

static void on_created(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;
        int r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        log_token(wait->request, "made");
        r = sd_bus_reply_method_return(wait->call, "t", object_number(out, "Id"));
        if (r < 0)
                (void) log_warning(r, "Cannot answer CreateToken: %m");
        bus_wait_free(wait);
}

static int begin(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                 StoreWork work, StoreAnswer answer, sd_bus_error *error)
{
        BusWait *wait;
        int r = request_add_text(request, "Principal", principal);

        if (r < 0 || json_object_set_new(request, "NowUSec", now()) < 0)
                return -ENOMEM;
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        r = store_call(manager->store, work, json_deep_copy(request), answer, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

static int act_create(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        return begin(manager, call, principal, request, store_token_create, on_created, error);
}

int method_create_token(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t expires_usec = 0;
        const BusOption options[] = {
                { "expires_usec", BUS_OPTION_UINT64, INT64_MAX, &expires_usec, NULL },
        };
        _cleanup_free_ char *role_text = NULL;
        const char *name, *digest;
        json_t *request;
        int r;

        r = sd_bus_message_read(call, "ss", &name, &digest);
        if (r >= 0)
                r = read_roles(call, &role_text, error);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (!name_is_valid(name))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument name must have 1 to %d letters, digits and -_., a "
                                      "letter among them, and not begin with -",
                                      NAME_MAX_BYTES);
        if (strlen(digest) != DIGEST_DIGITS ||
            strspn(digest, "0123456789abcdefABCDEF") != DIGEST_DIGITS)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument sha256_hex must be the SHA-256 of the token, %d "
                                      "hex digits",
                                      DIGEST_DIGITS);
        if (expires_usec > 0 && expires_usec <= clock_realtime_usec())
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option expires_usec must be in the future");
        request = json_pack("{s:s, s:s, s:s, s:I}", "Name", name, "Sha256", digest, "Roles",
                            role_text, "ExpiresUSec", (json_int_t) expires_usec);
        return bus_call_check(userdata, call, ACTION_MANAGE, request, act_create, error);
}

/* List. */

static json_t *token_dict(const json_t *row)
{
        json_t *dict = json_deep_copy(row), *list = json_array();

        for (const char *p = object_text(row, "Roles") ?: ""; list && *p;) {
                size_t n = strcspn(p, ",");

                (void) json_array_append_new(list, json_stringn(p, n));
                p += n + (p[n] == ',' ? 1 : 0);
        }
        if (json_object_set_new(dict, "Roles", list) >= 0)
                return dict;
        json_decref(dict);
        return NULL;
}

static int answer_list(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *list = json_array();
        const json_t *row;
        size_t i;

        (void) manager;
        json_array_foreach (json_object_get(out, "Tokens"), i, row)
                if (json_array_append_new(list, token_dict(row)) < 0)
                        return -ENOMEM;
        return bus_reply_dicts(call, list);
}

static int act_list(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        (void) principal;
        if (json_object_set_new(request, "NowUSec", now()) < 0)
                return -ENOMEM;
        return bus_call_store(manager, call, store_token_list, json_incref(request), answer_list,
                              error);
}

int method_list_tokens(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE, json_object(), act_list,
                                      error);
}

/* Revoke. */

static void on_revoked(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;
        int r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        sessions_end_token(wait->manager->sessions, object_number(out, "Id"));
        log_token(wait->request, "revoked");
        r = sd_bus_reply_method_return(wait->call, "");
        if (r < 0)
                (void) log_warning(r, "Cannot answer RevokeToken: %m");
        bus_wait_free(wait);
}

static int act_revoke(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        return begin(manager, call, principal, request, store_token_revoke, on_revoked, error);
}

int method_revoke_token(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *token;
        int r;

        r = sd_bus_message_read(call, "s", &token);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        if (*token == '\0' || strlen(token) > NAME_MAX_BYTES)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument token must be the name or id of a token");
        return bus_call_check(userdata, call, ACTION_MANAGE, json_pack("{s:s}", "Token", token),
                              act_revoke, error);
}
