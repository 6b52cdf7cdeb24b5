/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Node objects (see bus-node-object.h). What was last announced is kept, and compared with what is.
 */
#include "bus/bus-node-object.h"

#include "bus/bus-json.h"
#include "cleanup.h"
#include "job/jobs.h"
#include "json-cleanup.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NODE_PREFIX HUB_BUS_PATH "/node"

enum {
        NODE_PATH_SIZE = 64,
        CHANGED_MAX = 32, /* properties of one object */
};

struct NodeObjects {
        Manager *manager;
        json_t *shown; /* by id as text: a dict of properties */
};

static void node_path(const char *id, char ret_path[static NODE_PATH_SIZE])
{
        (void) snprintf(ret_path, NODE_PATH_SIZE, NODE_PREFIX "/%.20s", id);
}

static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *error)
{
        const NodeObjects *objects = userdata;
        size_t n = strlen(NODE_PREFIX "/");

        (void) bus, (void) interface, (void) error;
        *ret_found = strncmp(path, NODE_PREFIX "/", n) == 0
                                     ? json_object_get(objects->shown, path + n)
                                     : NULL;
        return *ret_found != NULL;
}

static void free_texts(char **texts)
{
        for (size_t i = 0; texts && texts[i]; i++)
                free(texts[i]);
        free(texts);
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *error)
{
        const NodeObjects *objects = userdata;
        char **nodes = calloc(json_object_size(objects->shown) + 1, sizeof(char *));
        int r = nodes ? 0 : -ENOMEM;
        const char *id;
        json_t *dict;
        size_t n = 0;

        (void) bus, (void) prefix, (void) error;
        json_object_foreach (objects->shown, id, dict) {
                if (r < 0)
                        break;
                nodes[n] = text_format(NODE_PREFIX "/%s", id);
                r = nodes[n++] ? 0 : -ENOMEM;
        }
        if (r < 0)
                free_texts(nodes);
        else
                *ret_nodes = nodes;
        return r;
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) error;
        return sd_bus_message_append(reply, "s",
                                     json_string_value(json_object_get(userdata, property)) ?: "");
}

static int get_bool(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) error;
        return sd_bus_message_append(reply, "b", json_is_true(json_object_get(userdata, property)));
}

static uint64_t number_of(const json_t *dict, const char *property, uint64_t max)
{
        json_int_t value = json_integer_value(json_object_get(dict, property));

        return value < 0 ? 0 : (uint64_t) value > max ? max : (uint64_t) value;
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) error;
        return sd_bus_message_append(reply, "t", number_of(userdata, property, UINT64_MAX));
}

static int get_small(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) error;
        return sd_bus_message_append(reply, "u",
                                     (uint32_t) number_of(userdata, property, UINT32_MAX));
}

static int get_port(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) error;
        return sd_bus_message_append(reply, "q",
                                     (uint16_t) number_of(userdata, property, UINT16_MAX));
}

static int get_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        int r = sd_bus_message_open_container(reply, 'a', "s");
        const json_t *word;
        size_t i;

        (void) bus, (void) path, (void) interface, (void) error;
        json_array_foreach (json_object_get(userdata, property), i, word)
                if (r >= 0)
                        r = sd_bus_message_append(reply, "s", json_string_value(word) ?: "");
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_jobs(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        int r = sd_bus_message_open_container(reply, 'a', "t");
        const json_t *job;
        size_t i;

        (void) bus, (void) path, (void) interface, (void) error;
        json_array_foreach (json_object_get(userdata, property), i, job)
                if (r >= 0)
                        r = sd_bus_message_append(reply, "t", (uint64_t) json_integer_value(job));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_tunnel(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) error;
        return bus_json_append_dict(reply, json_object_get(userdata, property));
}

static const sd_bus_vtable node_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Id", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Name", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Local", "b", get_bool, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ReversePort", "q", get_port, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reachable", "b", get_bool, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Error", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("LastSeenUSec", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Version", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Protocol", "u", get_small, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Features", "as", get_features, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("NodeState", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Tasks", "u", get_small, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Obligations", "u", get_small, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Tunnel", "a{sv}", get_tunnel, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Jobs", "at", get_jobs, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

        SD_BUS_VTABLE_END,
};

/* ── What is, and what was announced ── */

static json_t *jobs_of(const Jobs *jobs, uint64_t node)
{
        json_t *ids = json_array();

        for (size_t i = 0; jobs && i < jobs->n_all; i++)
                if (jobs->all[i]->node_id == node && !job_state_is_final(jobs->all[i]->state))
                        (void) json_array_append_new(ids,
                                                     json_integer((json_int_t) jobs->all[i]->id));
        return ids;
}

/* {"3": {…}, …} of all; NULL: no memory. */
static json_t *describe_all(const Manager *manager)
{
        CLEANUP(json_decref_p)
        json_t *list = node_links_describe(nodes_links(manager->nodes)), *all = json_object();
        json_t *dict;
        size_t i;

        json_array_foreach (list, i, dict) {
                uint64_t id = number_of(dict, "Id", UINT64_MAX);
                char text[24];

                (void) snprintf(text, sizeof(text), "%" PRIu64, id);
                if (json_object_set_new(dict, "Jobs", jobs_of(manager->jobs, id)) < 0 ||
                    json_object_set(all, text, dict) < 0)
                        return NULL;
        }
        return list ? TAKE(all) : NULL;
}

static int tell_changes(const NodeObjects *objects, const char *path, const json_t *before,
                        const json_t *now)
{
        char *names[CHANGED_MAX + 1] = {};
        const char *name;
        json_t *value;
        size_t n = 0;

        json_object_foreach ((json_t *) now, name, value)
                if (n < CHANGED_MAX && !json_equal(value, json_object_get(before, name)))
                        names[n++] = (char *) name;
        return n == 0 ? 0
                      : sd_bus_emit_properties_changed_strv(objects->manager->bus, path,
                                                            HUB_NODE_INTERFACE, names);
}

static void complain(int error, const char *path)
{
        if (error < 0)
                (void) log_warning(error, "Cannot announce the change of %s: %m", path);
}

/* Those that went are announced while they can still be found. */
static void tell_gone(const NodeObjects *objects, const json_t *now)
{
        char path[NODE_PATH_SIZE];
        const char *id;
        json_t *dict;

        json_object_foreach (objects->shown, id, dict) {
                if (json_object_get(now, id))
                        continue;
                node_path(id, path);
                complain(sd_bus_emit_object_removed(objects->manager->bus, path), path);
        }
}

void node_objects_refresh(Manager *manager)
{
        NodeObjects *objects = manager->node_objects;
        CLEANUP(json_decref_p) json_t *now = NULL, *before = NULL;
        char path[NODE_PATH_SIZE];
        const char *id;
        json_t *dict;

        if (!objects || !manager->nodes)
                return;
        now = describe_all(manager);
        if (!now) {
                (void) log_error(-ENOMEM, "Cannot show the nodes on the bus: %m");
                return;
        }
        if (manager->has_name)
                tell_gone(objects, now);
        before = objects->shown;
        objects->shown = json_incref(now);
        if (!manager->has_name)
                return;
        json_object_foreach (now, id, dict) {
                const json_t *old = json_object_get(before, id);

                node_path(id, path);
                complain(old ? tell_changes(objects, path, old, dict)
                             : sd_bus_emit_object_added(manager->bus, path),
                         path);
        }
}

static void on_links(void *userdata)
{
        node_objects_refresh(userdata);
}

int node_objects_new(Manager *manager, NodeObjects **ret_objects)
{
        NodeObjects *objects = malloc(sizeof(*objects));
        int r;

        if (!objects)
                return -ENOMEM;
        *objects = (NodeObjects){ .manager = manager, .shown = json_object() };
        r = sd_bus_add_fallback_vtable(manager->bus, NULL, NODE_PREFIX, HUB_NODE_INTERFACE,
                                       node_vtable, find_object, objects);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(manager->bus, NULL, NODE_PREFIX, enumerate, objects);
        if (r < 0) {
                node_objects_free(objects);
                return r;
        }
        node_links_watch(nodes_links(manager->nodes), on_links, manager);
        *ret_objects = objects;
        return 0;
}

NodeObjects *node_objects_free(NodeObjects *objects)
{
        if (!objects)
                return NULL;
        json_decref(objects->shown);
        free(objects);
        return NULL;
}
