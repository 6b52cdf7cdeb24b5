/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Manager object of the node (see bus-node.h). A handler asks for permission first and reads afterwards: what is in a
 * request's memory is looked at only for those who may. All methods carry the UNPRIVILEGED flag, because authorise.c is
 * the check.
 */
#include "bus-node.h"

#include "act.h"
#include "asks.h"
#include "build-id.h"
#include "bus/authorise.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-json.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "ledger.h"
#include "log.h"
#include "names.h"
#include "tunnel-counters.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ACTION_INSPECT "com.sendense.node.inspect"
#define ACTION_BACKUP  "com.sendense.node.backup"

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Node *node = userdata;
        const char *text;

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "Version") == 0)
                text = build_version();
        else if (strcmp(property, "Commit") == 0)
                text = build_commit();
        else if (strcmp(property, "BuildId") == 0)
                text = build_id();
        else
                text = node->is_stopping ? "stopping" : node->credentials ? "running" : "degraded";
        return sd_bus_message_append(reply, "s", text);
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Node *node = userdata;
        uint32_t number = NODE_PROTOCOL;

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "Tasks") == 0) {
                number = 0;
                for (size_t i = 0; i < node->n_tasks; i++)
                        number += !task_state_is_final(node->tasks[i]->state);
        } else if (strcmp(property, "Obligations") == 0)
                number = node_n_owed(node);
        return sd_bus_message_append(reply, "u", number);
}

static int get_started(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Node *node = userdata;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "t", node->started_usec);
}

static int get_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) property, (void) userdata, (void) error;
        return sd_bus_message_append(reply, "as", 5, "hold", "digests", "incremental", "restore",
                                     NODE_FEATURE_TLS_PSK);
}

/* Empty without a tunnel; a file that is none of the tunnel's is told as if there were none. */
static int get_tunnel(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *counters = NULL;
        int r = tunnel_counters_read(TUNNEL_COUNTERS_FILE, clock_realtime_usec(), &counters);

        (void) bus, (void) path, (void) interface, (void) property, (void) userdata, (void) error;
        if (r < 0 && r != -ENOENT)
                log_debug("The counters of the tunnel cannot be read: %s", strerror(-r));
        if (!counters)
                counters = json_object();
        return counters ? bus_json_append_dict(reply, counters) : -ENOMEM;
}

static int check(sd_bus_message *call, Node *node, const char *action, AuthorisedAct act,
                 sd_bus_error *error)
{
        return authority_check(node->authority, call, action, NULL, act, node, error);
}

/* Back to the arguments, of which the call's signature is known to be right. */
static int again(sd_bus_message *call)
{
        return sd_bus_message_rewind(call, true);
}

static int do_start(sd_bus_message *call, const char *principal, const void *request,
                    void *userdata, sd_bus_error *error)
{
        bool is_restore = strcmp(sd_bus_message_get_member(call), "StartRestore") == 0;
        const Task *task;
        int fd, r;

        (void) request;
        r = again(call);
        if (r >= 0)
                r = sd_bus_message_read(call, "h", &fd);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r >= 0)
                r = act_start(userdata, fd, is_restore, principal, &task, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(call, "tssu", task->job,
                                          task_state_to_string(task->state), task->unit,
                                          task->process_id);
}

static int method_start(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_BACKUP, do_start, error);
}

static int reply_tasks(sd_bus_message *call, Node *node, bool only_owed)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(json_decref_p) json_t *list = json_array();
        int r;

        for (size_t i = 0; i < node->n_tasks; i++)
                if ((!only_owed || task_owes(node->tasks[i])) &&
                    json_array_append_new(list, task_show_briefly(node->tasks[i])) < 0)
                        return -ENOMEM;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = bus_json_append_dicts(reply, list);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int do_list(sd_bus_message *call, const char *principal, const void *request, void *userdata,
                   sd_bus_error *error)
{
        int r;

        (void) principal, (void) request;
        r = again(call);
        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : reply_tasks(call, userdata,
                                   strcmp(sd_bus_message_get_member(call), "ListObligations") == 0);
}

static int method_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_INSPECT, do_list, error);
}

/* The task that the call names first. */
static int read_task(sd_bus_message *call, const Node *node, Task **ret_task, sd_bus_error *error)
{
        uint64_t job;
        int r = again(call);

        if (r >= 0)
                r = sd_bus_message_read(call, "t", &job);
        if (r < 0)
                return r;
        *ret_task = node_find(node, job);
        if (!*ret_task)
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND, "This node knows no job %llu",
                                      (unsigned long long) job);
        return 0;
}

static int do_get(sd_bus_message *call, const char *principal, const void *request, void *userdata,
                  sd_bus_error *error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(json_decref_p) json_t *show = NULL;
        Task *task;
        int r;

        (void) principal, (void) request;
        r = read_task(call, userdata, &task, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        show = task_show(task);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = bus_json_append_dict(reply, show);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_get(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_INSPECT, do_get, error);
}

/* The file itself: what reads it is not this loop. */
static int do_get_result(sd_bus_message *call, const char *principal, const void *request,
                         void *userdata, sd_bus_error *error)
{
        _cleanup_close_ int fd = -1;
        const Node *node = userdata;
        Task *task;
        int r;

        (void) principal, (void) request;
        r = read_task(call, node, &task, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        r = ledger_open_result(node->ledger, task->job, &fd);
        if (r == -ENOENT)
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND,
                                      "Job %llu is %s and has copied nothing yet",
                                      (unsigned long long) task->job,
                                      task_state_to_string(task->state));
        if (r >= 0)
                r = sd_bus_reply_method_return(call, "h", fd);
        return r < 0 ? bus_error_setf(error, BUS_ERROR_FAILED,
                                      "The result of job %llu cannot be opened now: %s",
                                      (unsigned long long) task->job, strerror(-r))
                     : r;
}

static int method_get_result(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_INSPECT, do_get_result, error);
}

static int do_cancel(sd_bus_message *call, const char *principal, const void *request,
                     void *userdata, sd_bus_error *error)
{
        Task *task;
        int r;

        (void) request;
        r = read_task(call, userdata, &task, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r >= 0)
                r = act_cancel(task, principal, error);
        return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_BACKUP, do_cancel, error);
}

static int do_release(sd_bus_message *call, const char *principal, const void *request,
                      void *userdata, sd_bus_error *error)
{
        const char *outcome;
        uint64_t attempt = 0;
        int fd = -1, r;
        Task *task;
        const BusOption options[] = {
                { .name = "request", .type = BUS_OPTION_FD, .target = &fd },
                { .name = "attempt",
                  .type = BUS_OPTION_UINT64,
                  .max = INT32_MAX,
                  .target = &attempt },
        };

        (void) request;
        r = read_task(call, userdata, &task, error);
        if (r >= 0)
                r = sd_bus_message_read(call, "s", &outcome);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0 && attempt > 0 && attempt != task->attempt)
                r = bus_error_setf(error, BUS_ERROR_NOT_FOUND,
                                   "This node knows no attempt %" PRIu64 " of job %" PRIu64
                                   ", but attempt %" PRIu64,
                                   attempt, task->job, task->attempt);
        if (r >= 0)
                r = act_release(task, outcome, fd, principal, error);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", task_state_to_string(task->state));
}

static int method_release(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_BACKUP, do_release, error);
}

static int do_clean_up(sd_bus_message *call, const char *principal, const void *request,
                       void *userdata, sd_bus_error *error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int fd, r;

        (void) request;
        r = again(call);
        if (r >= 0)
                r = sd_bus_message_read(call, "h", &fd);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = act_clean_up(userdata, fd, principal, reply, error);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_clean_up(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_BACKUP, do_clean_up, error);
}

static int do_ask_vcenter(sd_bus_message *call, const char *principal, const void *request,
                          void *userdata, sd_bus_error *error)
{
        const Node *node = userdata;
        const char *question;
        int fd, r;

        (void) request;
        r = again(call);
        if (r >= 0)
                r = sd_bus_message_read(call, "sh", &question, &fd);
        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r : asks_begin(node->asks, call, question, fd, principal, error);
}

static int method_ask_vcenter(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return check(call, userdata, ACTION_BACKUP, do_ask_vcenter, error);
}

static const sd_bus_vtable node_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Version", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Commit", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BuildId", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Protocol", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Features", "as", get_features, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Tasks", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Obligations", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Tunnel", "a{sv}", get_tunnel, 0, 0),

        SD_BUS_METHOD_WITH_ARGS("StartBackup", SD_BUS_ARGS("h", request, "a{sv}", options),
                                SD_BUS_RESULT("t", job, "s", state, "s", unit, "u", pid),
                                method_start, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StartRestore", SD_BUS_ARGS("h", request, "a{sv}", options),
                                SD_BUS_RESULT("t", job, "s", state, "s", unit, "u", pid),
                                method_start, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListTasks", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", tasks), method_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListObligations", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", tasks), method_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetTask", SD_BUS_ARGS("t", job, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", task), method_get,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetResult", SD_BUS_ARGS("t", job, "a{sv}", options),
                                SD_BUS_RESULT("h", result), method_get_result,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("t", job, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Release", SD_BUS_ARGS("t", job, "s", outcome, "a{sv}", options),
                                SD_BUS_RESULT("s", state), method_release,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CleanupSnapshots", SD_BUS_ARGS("h", login, "a{sv}", options),
                                SD_BUS_RESULT("a(ts)", snapshots), method_clean_up,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                        "AskVcenter", SD_BUS_ARGS("s", question, "h", request, "a{sv}", options),
                        SD_BUS_RESULT("h", answer), method_ask_vcenter, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_SIGNAL_WITH_ARGS("TaskNew", SD_BUS_ARGS("t", job, "o", task), 0),
        SD_BUS_SIGNAL_WITH_ARGS("TaskRemoved", SD_BUS_ARGS("t", job, "o", task, "s", state), 0),

        SD_BUS_VTABLE_END,
};

int bus_node_register(Node *node)
{
        int r;

        r = sd_bus_add_object_vtable(node->bus, NULL, NODE_BUS_PATH, NODE_MANAGER_INTERFACE,
                                     node_vtable, node);
        return r < 0 ? r : sd_bus_add_object_manager(node->bus, NULL, NODE_BUS_PATH);
}

void bus_node_changed(Node *node, const char *property)
{
        int r;

        if (!node->has_name)
                return;
        r = sd_bus_emit_properties_changed(node->bus, NODE_BUS_PATH, NODE_MANAGER_INTERFACE,
                                           property, NULL);
        if (r < 0)
                (void) log_warning(r, "Cannot announce the change of %s: %m", property);
}
