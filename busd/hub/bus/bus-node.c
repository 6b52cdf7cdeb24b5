/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes on the bus. A change is committed first, then its files follow and sessions are cut, and then it is answered. Who is
 * told that the second half failed finds the change done; the hub goes on trying.
 */
#include "bus/bus-node.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "node-keys.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "parse.h"
#include "public-key.h"
#include "store/store-call.h"
#include "store/store-node.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        EXPIRES_MIN_SEC = 60,
        EXPIRES_DEFAULT_SEC = 24 * 60 * 60,
        EXPIRES_MAX_SEC = 30 * 24 * 60 * 60,
        NODE_API_PORT = 8081, /* of a node on this machine, which no tunnel carries */
        PATH_SIZE = 64,
};

#define TEXT_OF(x)        #x
#define NUMBER_AS_TEXT(x) TEXT_OF(x)

static const char *request_text(const BusWait *wait, const char *key)
{
        return json_string_value(json_object_get(wait->request, key)) ?: "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
        return (uint64_t) json_integer_value(json_object_get(object, key));
}

static void end_with(BusWait *wait, int error)
{
        if (error < 0)
                (void) log_warning(error, "Cannot answer %s: %m",
                                   sd_bus_message_get_member(wait->call));
        bus_wait_free(wait);
}

/* What one is shown of a node; the row is store_node_list()'s. The one place where this is built. */
static json_t *node_dict(const Manager *manager, const json_t *row)
{
        const char *text = json_string_value(json_object_get(row, "PublicKey"));
        char fingerprint[PUBLIC_KEY_FINGERPRINT_SIZE] = "";
        uint64_t enrolled_usec = number_of(row, "EnrolledUSec");
        json_t *dict;
        PublicKey key;

        if (text && public_key_parse(text, &key) >= 0)
                public_key_fingerprint(&key, fingerprint);
        dict = json_pack("{s:O, s:O, s:b, s:s, s:O, s:s, s:I, s:O, s:I}", "Id",
                         json_object_get(row, "Id"), "Name", json_object_get(row, "Name"), "Local",
                         number_of(row, "IsLocal") > 0, "State",
                         enrolled_usec > 0 ? "enrolled" : "waiting", "ReversePort",
                         json_object_get(row, "ReversePort"), "KeyFingerprint", fingerprint,
                         "TokenExpiresUSec", (json_int_t) number_of(row, "TokenExpiresUSec"),
                         "CreatedUSec", json_object_get(row, "CreatedUSec"), "EnrolledUSec",
                         (json_int_t) enrolled_usec);
        if (dict &&
            node_links_add_live(nodes_links(manager->nodes), number_of(row, "Id"), dict) < 0) {
                json_decref(dict);
                return NULL;
        }
        return dict;
}

/* List and get. */

static int answer_list(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *nodes = json_array();
        const json_t *row;
        size_t i;

        json_array_foreach (json_object_get(out, "Nodes"), i, row)
                if (json_array_append_new(nodes, node_dict(manager, row)) < 0)
                        return -ENOMEM;
        return bus_reply_dicts(call, nodes);
}

static int act_list(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_node_list, json_incref(request), answer_list,
                              error);
}

int method_list_nodes(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, json_object(), act_list,
                                      error);
}

static int answer_get(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *node = node_dict(manager, out);

        return node ? bus_reply_dict(call, node) : -ENOMEM;
}

static int act_get(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_node_get, json_incref(request), answer_get,
                              error);
}

/* A name, or an id. */
static int read_node(sd_bus_message *call, const char **ret_name, sd_bus_error *error)
{
        int r = sd_bus_message_read(call, "s", ret_name);

        if (r >= 0 && !node_name_is_valid(*ret_name))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument node must be the name or id of a node");
        return r;
}

int method_get_node(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r = read_node(call, &name, error);

        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT,
                                      json_pack("{s:s}", "Node", name), act_get, error);
}

/* What changes nodes. */

int bus_node_begin(Manager *manager, sd_bus_message *call, json_t *request, StoreWork work,
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

void bus_node_follow(BusWait *wait, bool cut, NodesDone done)
{
        int r = nodes_follow(wait->manager->nodes, cut, done, wait);

        if (r < 0)
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "It is done, but its files do not follow the database yet; the hub "
                              "tries again by itself");
}

void bus_node_log(const BusWait *wait, MessageId id, const char *node, const char *what)
{
        const char *principal = request_text(wait, "Principal");
        const LogContext context = { .principal = principal, .node = node };

        (void) log_event(LOG_NOTICE, 0, &context, id, "Node %s %s by %s", node, what, principal);
}

int bus_node_need_key(const Manager *manager, sd_bus_error *error)
{
        return nodes_key(manager->nodes) ? 0
                                         : bus_error_setf(error, BUS_ERROR_MASTER_KEY_UNUSABLE,
                                                          "%s", nodes_key_error(manager->nodes));
}

int bus_node_read_key(const char *name, const char *text, sd_bus_error *error)
{
        PublicKey key;

        if (public_key_parse(text, &key) >= 0)
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Argument %s must be a public key, '" PUBLIC_KEY_TYPE " AAAA…'",
                              name);
}

static int read_expiry(uint64_t sec, sd_bus_error *error)
{
        if (sec >= EXPIRES_MIN_SEC && sec <= EXPIRES_MAX_SEC)
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Option expires_sec must be from %d to %d", EXPIRES_MIN_SEC,
                              EXPIRES_MAX_SEC);
}

/* Time counts from the permission on, for which somebody may have typed a password. */
static int add_times(json_t *request, const char *principal)
{
        uint64_t now_usec = clock_realtime_usec(), expires_usec,
                 sec = number_of(request, "ExpiresSec");
        int r = request_add_text(request, "Principal", principal);

        if (r >= 0)
                r = json_object_set_new(request, "NowUSec", json_integer((json_int_t) now_usec));
        expires_usec = now_usec + sec * USEC_PER_SEC;
        if (r >= 0 && sec > 0)
                r = json_object_set_new(request, "ExpiresUSec",
                                        json_integer((json_int_t) expires_usec));
        return r < 0 ? -ENOMEM : 0;
}

/* Add. */

static void on_added_followed(int error, const char *text, void *userdata)
{
        BusWait *wait = userdata;
        char path[PATH_SIZE];

        if (error < 0) {
                bus_wait_fail(wait, BUS_ERROR_FAILED, text);
                return;
        }
        (void) snprintf(path, sizeof(path), HUB_BUS_PATH "/node/%" PRIu64,
                        number_of(wait->request, "Id"));
        end_with(wait, sd_bus_reply_method_return(wait->call, "o", path));
}

static void on_added(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        (void) json_object_set(wait->request, "Id", json_object_get(out, "Id"));
        bus_node_log(wait, MESSAGE_NODE_ADDED, request_text(wait, "Name"), "added");
        bus_node_follow(wait, false, on_added_followed);
}

static int act_add(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        int r = bus_node_need_key(manager, error);

        if (r >= 0)
                r = add_times(request, principal);
        return r < 0 ? r : bus_node_begin(manager, call, request, store_node_add, on_added, error);
}

static int check_name(const char *name, sd_bus_error *error)
{
        if (node_name_is_valid(name) && strspn(name, "0123456789") < strlen(name))
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Argument name must have 1 to %d letters a-z, digits or '-', not "
                              "begin with '-', and not be a number, which is an id",
                              NODE_NAME_SIZE - 1);
}

static int check_local(const char *token, bool has_options, sd_bus_error *error)
{
        if (*token == '\0' && !has_options)
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "A local node has no token, no reverse_port and no expires_sec: it "
                              "is reached without a tunnel");
}

static int check_port(const PortRange *range, uint16_t port, sd_bus_error *error)
{
        if (port >= range->first && port <= range->last)
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Option reverse_port must be from %u to %u, as [Tunnel] "
                              "ReversePorts= has it",
                              range->first, range->last);
}

int method_add_node(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const Manager *manager = userdata;
        const PortRange *range = &manager->config->reverse_ports;
        bool is_local = false, has_port = false, has_expiry = false;
        uint64_t expires_sec = EXPIRES_DEFAULT_SEC;
        const char *name, *token;
        uint16_t port = 0;
        const BusOption options[] = {
                { "reverse_port", BUS_OPTION_UINT16, UINT16_MAX, &port, &has_port },
                { "expires_sec", BUS_OPTION_UINT64, UINT64_MAX, &expires_sec, &has_expiry },
                { "local", BUS_OPTION_BOOL, 0, &is_local, NULL },
        };
        int r = sd_bus_message_read(call, "ss", &name, &token);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = check_name(name, error);
        if (r >= 0)
                r = is_local ? check_local(token, has_port || has_expiry, error)
                             : bus_node_read_key("token_key", token, error);
        if (r >= 0 && has_port)
                r = check_port(range, port, error);
        if (r >= 0)
                r = read_expiry(expires_sec, error);
        if (r < 0)
                return r;
        return bus_call_check(userdata, call, ACTION_MANAGE,
                              json_pack("{s:s, s:s*, s:I, s:I, s:I, s:I}", "Name", name, "TokenKey",
                                        is_local ? NULL : token, "ReversePort",
                                        (json_int_t) (is_local ? NODE_API_PORT : port), "FirstPort",
                                        (json_int_t) range->first, "LastPort",
                                        (json_int_t) range->last, "ExpiresSec",
                                        (json_int_t) (is_local ? 0 : expires_sec)),
                              act_add, error);
}

/* Rotate. */

static void on_done_followed(int error, const char *text, void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0)
                bus_wait_fail(wait, BUS_ERROR_FAILED, text);
        else
                end_with(wait, sd_bus_reply_method_return(wait->call, ""));
}

static void on_rotated(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        bus_node_log(wait, MESSAGE_NODE_ROTATED, json_string_value(json_object_get(out, "Name")),
                     "given another token");
        bus_node_follow(wait, false, on_done_followed);
}

static int act_rotate(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        int r = bus_node_need_key(manager, error);

        if (r >= 0)
                r = add_times(request, principal);
        return r < 0 ? r
                     : bus_node_begin(manager, call, request, store_node_rotate, on_rotated, error);
}

int method_rotate_node(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t expires_sec = EXPIRES_DEFAULT_SEC;
        const BusOption options[] = { { "expires_sec", BUS_OPTION_UINT64, UINT64_MAX, &expires_sec,
                                        NULL } };
        const char *name, *token;
        int r = read_node(call, &name, error);

        if (r >= 0)
                r = sd_bus_message_read(call, "s", &token);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = bus_node_read_key("token_key", token, error);
        if (r >= 0)
                r = read_expiry(expires_sec, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:s, s:s, s:I}", "Node", name, "TokenKey", token,
                                                "ExpiresSec", (json_int_t) expires_sec),
                                      act_rotate, error);
}

/* Remove. */

static void on_removed(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        bus_node_log(wait, MESSAGE_NODE_REMOVED, json_string_value(json_object_get(out, "Name")),
                     "removed");
        bus_node_follow(wait, true, on_done_followed);
}

static int act_remove(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        int r = add_times(request, principal);

        return r < 0 ? r
                     : bus_node_begin(manager, call, request, store_node_remove, on_removed, error);
}

int method_remove_node(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        bool force = false;
        const BusOption options[] = { { "force", BUS_OPTION_BOOL, 0, &force, NULL } };
        const char *name;
        int r = read_node(call, &name, error);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:s, s:b}", "Node", name, "Force", force),
                                      act_remove, error);
}
