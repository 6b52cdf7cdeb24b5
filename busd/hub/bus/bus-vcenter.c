/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCenters on the bus: listed, shown, asked whether their login is good, forgotten; and the certificate of one that is not
 * entered yet. No password is in anything that is answered here.
 */
#include "bus/bus-vcenter.h"

#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "host-name.h"
#include "json-cleanup.h"
#include "log.h"
#include "manager.h"
#include "node-keys.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "store/store-call.h"
#include "store/store-vcenter.h"

#include <errno.h>
#include <string.h>

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* ── What the three rooms share ── */

int bus_vcenter_read(sd_bus_message *call, const char **ret_vcenter, sd_bus_error *error)
{
        const char *text;
        int r = sd_bus_message_read(call, "s", &text);

        if (r < 0)
                return r;
        if (!*text || strlen(text) > VCENTER_NAME_MAX || strspn(text, NAME_LETTERS) < strlen(text))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument vcenter must be the name or id of a vCenter");
        *ret_vcenter = text;
        return 0;
}

int bus_vcenter_check_name(const char *name, sd_bus_error *error)
{
        size_t n = strlen(name);

        if (n > 0 && n <= VCENTER_NAME_MAX && strspn(name, NAME_LETTERS) == n && *name != '-' &&
            *name != '.' && strspn(name, "0123456789") < n)
                return 0;
        return bus_error_setf(
                        error, BUS_ERROR_INVALID_ARGUMENT,
                        "Argument name must have 1 to %d letters, digits, '.', '_' or '-', not "
                        "begin with '.' or '-', and not be a number, which is an id",
                        VCENTER_NAME_MAX);
}

int bus_vcenter_check_host(const char *host, uint16_t port, sd_bus_error *error)
{
        if (strlen(host) > HOST_NAME_MAX_LENGTH || !host_name_is_valid(host))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument host must be " HOST_NAME_MUST);
        if (port == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option port must be from 1 to 65535");
        return 0;
}

typedef struct Sought {
        const char *name;
        uint64_t id;
} Sought;

static void look_at(uint64_t id, const char *name, void *userdata)
{
        Sought *sought = userdata;
        char number[24];

        (void) snprintf(number, sizeof(number), "%llu", (unsigned long long) id);
        if (strcmp(name, sought->name) == 0 ||
            (sought->id == 0 && strcmp(number, sought->name) == 0))
                sought->id = id;
}

int bus_vcenter_node(const Manager *manager, const json_t *request, uint64_t *ret_id,
                     sd_bus_error *error)
{
        Sought sought = { .name = json_string_value(json_object_get(request, "Node")) };

        if (sought.name)
                node_links_each(nodes_links(manager->nodes), look_at, &sought);
        if (sought.name && sought.id == 0)
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND,
                                      "There is no node '%.100s' that is enrolled", sought.name);
        *ret_id = sought.id;
        return 0;
}

int bus_vcenter_begin(Manager *manager, sd_bus_message *call, json_t *request, StoreWork work,
                      StoreAnswer answer, sd_bus_error *error)
{
        BusWait *wait = bus_wait_new(manager, call, request);
        int r;

        if (!wait)
                return -ENOMEM;
        r = store_call(manager->store, work, json_deep_copy(request), answer, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

int bus_vcenter_ask(BusWait *wait, const json_t *row, const char *question, const json_t *more,
                    VcenterAnswered answered, void *userdata)
{
        const Nodes *nodes = wait->manager->nodes;
        json_int_t node = json_integer_value(json_object_get(row, "NodeId"));
        const char *name = BUS_ERROR_FAILED;
        char text[256] = "Out of memory";
        json_t *body = NULL;
        int r = vcenter_ask_body(nodes_key(nodes), row, &body, &name, text);

        if (r >= 0 && more)
                r = json_object_update(body, (json_t *) more) < 0 ? -ENOMEM : 0;
        if (r < 0) {
                json_decref(body);
                bus_wait_fail(wait, name, text);
                return r;
        }
        vcenter_ask(nodes_links(nodes), node > 0 ? (uint64_t) node : 0, question, body, answered,
                    userdata);
        return 0;
}

void bus_vcenter_log(const BusWait *wait, const char *vcenter, const char *what)
{
        const char *principal =
                        json_string_value(json_object_get(wait->request, "Principal")) ?: "";
        const LogContext context = { .principal = principal };

        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE, "vCenter %s %s by %s", vcenter,
                         what, principal);
}

void bus_vcenter_end(BusWait *wait, int r)
{
        if (r < 0)
                (void) log_warning(r, "Cannot answer %s: %m",
                                   sd_bus_message_get_member(wait->call));
        bus_wait_free(wait);
}

/* ── List and get ── */

static int answer_list(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return bus_reply_dicts(call, json_object_get(out, "Vcenters"));
}

static int act_list(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_vcenter_list, json_incref(request), answer_list,
                              error);
}

int method_list_vcenters(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, json_object(), act_list,
                                      error);
}

static int answer_get(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return bus_reply_dict(call, out);
}

static int act_get(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_vcenter_show, json_incref(request), answer_get,
                              error);
}

/* A method whose one argument is the vCenter. */
static int check_one(sd_bus_message *call, Manager *manager, const char *action, BusAct act,
                     sd_bus_error *error)
{
        const char *vcenter = NULL;
        int r = bus_vcenter_read(call, &vcenter, error);

        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : bus_call_check(manager, call, action, json_pack("{s:s}", "Vcenter", vcenter),
                                      act, error);
}

int method_get_vcenter(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check_one(call, userdata, ACTION_INSPECT, act_get, error);
}

/* ── Questions ── */

/* Of what a node says, only what is expected, and only if it is text or a truth. */
static int reply_shown(BusWait *wait, const json_t *body, const char *const (*names)[2])
{
        CLEANUP(json_decref_p) json_t *dict = json_object();

        for (; (*names)[0]; names++) {
                json_t *value = json_object_get(body, (*names)[0]);

                if ((json_is_string(value) || json_is_boolean(value)) &&
                    json_object_set(dict, (*names)[1], value) < 0)
                        return -ENOMEM;
        }
        return bus_reply_dict(wait->call, dict);
}

static void on_tested(const VcenterAnswer *answer, void *userdata)
{
        static const char *const names[][2] = {
                { "name", "Name" },
                { "version", "Version" },
                { "build", "Build" },
                { "api_type", "ApiType" },
                { "api_version", "ApiVersion" },
                { "instance_uuid", "InstanceUuid" },
                {},
        };
        BusWait *wait = userdata;

        if (answer->error < 0)
                bus_wait_fail(wait, answer->name, answer->text);
        else
                bus_vcenter_end(wait, reply_shown(wait, answer->body, names));
}

static void on_test_row(int error, const json_t *out, const char *name, const char *text,
                        void *userdata)
{
        if (error < 0)
                bus_wait_fail(userdata, name, text);
        else
                (void) bus_vcenter_ask(userdata, out, "test", NULL, on_tested, userdata);
}

static int act_test(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        (void) principal;
        return bus_vcenter_begin(manager, call, request, store_vcenter_get, on_test_row, error);
}

int method_test_vcenter(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check_one(call, userdata, ACTION_MANAGE, act_test, error);
}

static void on_certificate(const VcenterAnswer *answer, void *userdata)
{
        static const char *const names[][2] = {
                { "subject", "Subject" },    { "issuer", "Issuer" }, { "not_before", "NotBefore" },
                { "not_after", "NotAfter" }, { "sha256", "Sha256" }, { "sha1", "Sha1" },
                { "verified", "Verified" },  { "why", "Why" },       {},
        };
        BusWait *wait = userdata;

        if (answer->error < 0)
                bus_wait_fail(wait, answer->name, answer->text);
        else
                bus_vcenter_end(wait, reply_shown(wait, answer->body, names));
}

static int act_certificate(Manager *manager, sd_bus_message *call, const char *principal,
                           json_t *request, sd_bus_error *error)
{
        uint64_t node = 0;
        BusWait *wait;
        int r = bus_vcenter_node(manager, request, &node, error);

        (void) principal;
        if (r < 0)
                return r;
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        vcenter_ask(nodes_links(manager->nodes), node, "certificate",
                    json_pack("{s:O, s:O}", "vcenter_host", json_object_get(request, "Host"),
                              "vcenter_port", json_object_get(request, "Port")),
                    on_certificate, wait);
        return 0;
}

int method_show_certificate(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *host = NULL, *node = NULL;
        uint16_t port = VCENTER_PORT;
        const BusOption options[] = {
                { "port", BUS_OPTION_UINT16, UINT16_MAX, &port, NULL },
                { "node", BUS_OPTION_STRING, NODE_NAME_SIZE - 1, &node, NULL },
        };
        int r = sd_bus_message_read(call, "s", &host);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = bus_vcenter_check_host(host, port, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:s, s:I, s:s*}", "Host", host, "Port",
                                                (json_int_t) port, "Node", node),
                                      act_certificate, error);
}

/* ── Remove ── */

static void on_removed(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        bus_vcenter_log(wait, json_string_value(json_object_get(out, "Name")), "removed");
        bus_vcenter_end(wait, sd_bus_reply_method_return(wait->call, ""));
}

static int act_remove(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        int r = request_add_text(request, "Principal", principal);

        return r < 0 ? r
                     : bus_vcenter_begin(manager, call, request, store_vcenter_remove, on_removed,
                                         error);
}

int method_remove_vcenter(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        bool force = false;
        const BusOption options[] = { { "force", BUS_OPTION_BOOL, 0, &force, NULL } };
        const char *vcenter = NULL;
        int r = bus_vcenter_read(call, &vcenter, error);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:s, s:b}", "Vcenter", vcenter, "Force", force),
                                      act_remove, error);
}
