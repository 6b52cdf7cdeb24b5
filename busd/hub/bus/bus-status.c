/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the hub itself is: its properties, its database, its log level, on the bus. The table that names
 * these functions is in bus-manager.c.
 */
#include "bus/bus-status.h"

#include "build-id.h"
#include "bus/authorise.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-manager.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "job/jobs.h"
#include "job/sweep.h"
#include "log.h"
#include "manager.h"
#include "parse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The text properties, by the name they have on the bus; GetStatus answers the same values. */
typedef enum TextProperty {
        TEXT_VERSION,
        TEXT_COMMIT,
        TEXT_BUILD_ID,
        TEXT_STATE,
        TEXT_DATABASE_STATE,
        TEXT_DATABASE_ERROR,
        TEXT_LOG_LEVEL,
        TEXT_PROPERTY_MAX,
} TextProperty;

static const char *const text_properties[TEXT_PROPERTY_MAX] = {
        [TEXT_VERSION] = "Version",
        [TEXT_COMMIT] = "Commit",
        [TEXT_BUILD_ID] = "BuildId",
        [TEXT_STATE] = "State",
        [TEXT_DATABASE_STATE] = "DatabaseState",
        [TEXT_DATABASE_ERROR] = "DatabaseError",
        [TEXT_LOG_LEVEL] = "LogLevel",
};

static const char *text_of(const Manager *manager, TextProperty property)
{
        switch (property) {
        case TEXT_VERSION:
                return build_version();
        case TEXT_COMMIT:
                return build_commit();
        case TEXT_BUILD_ID:
                return build_id();
        case TEXT_STATE:
                return hub_state_to_string(manager->state);
        case TEXT_DATABASE_STATE:
                return database_state_to_string(manager->database.state);
        case TEXT_DATABASE_ERROR:
                return manager->database.error;
        case TEXT_LOG_LEVEL:
                return log_level_to_string(log_get_level());
        case TEXT_PROPERTY_MAX:
                break;
        }
        return "";
}

BUS_PROPERTY_GET(get_text)
{
        (void) bus, (void) path, (void) interface, (void) error;
        for (size_t i = 0; i < ELEMENTSOF(text_properties); i++)
                if (strcmp(text_properties[i], property) == 0)
                        return sd_bus_message_append(reply, "s",
                                                     text_of(userdata, (TextProperty) i));
        return -ENOENT;
}

BUS_PROPERTY_GET(get_started)
{
        const Manager *manager = userdata;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "t", manager->started_usec);
}

BUS_PROPERTY_GET(get_database_schema)
{
        const Manager *manager = userdata;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "u", manager->database.schema);
}

BUS_PROPERTY_GET(get_program_schema)
{
        (void) bus, (void) path, (void) interface, (void) property, (void) userdata, (void) error;
        return sd_bus_message_append(reply, "u", store_schema_expected());
}

BUS_PROPERTY_GET(get_export_ports)
{
        const Manager *manager = userdata;
        const PortRange *ports = &manager->config->export_ports;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "(qq)", ports->first, ports->last);
}

static int append_status(sd_bus_message *reply, const Manager *manager)
{
        const PortRange *ports = &manager->config->export_ports;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(text_properties); i++)
                r = sd_bus_message_append(reply, "{sv}", text_properties[i], "s",
                                          text_of(manager, (TextProperty) i));
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}", "StartedUSec", "t",
                                          manager->started_usec, "DatabaseSchema", "u",
                                          manager->database.schema, "ProgramSchema", "u",
                                          store_schema_expected(), "ExportPorts", "(qq)",
                                          ports->first, ports->last, "ProcessId", "u",
                                          (uint32_t) getpid());
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int act_get_status(sd_bus_message *call, const char *principal, const void *request,
                          void *userdata, sd_bus_error *error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        (void) principal, (void) request, (void) error;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append_status(reply, userdata);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

BUS_METHOD(method_get_status)
{
        Manager *manager = userdata;
        int r;

        r = bus_options_none(call, error);
        if (r < 0)
                return r;
        return authority_check(manager->authority, call, ACTION_INSPECT, NULL, act_get_status,
                               manager, error);
}

typedef struct Probe {
        Manager *manager;
        sd_bus_message *call;
} Probe;

static Probe *probe_free(Probe *probe)
{
        probe->manager->n_probes--;
        sd_bus_message_unref(probe->call);
        free(probe);
        return NULL;
}

static void on_probe_done(int error, void *job, void *userdata)
{
        Probe *probe = userdata;
        int r;

        (void) job;
        if (error == -ECANCELED)
                r = sd_bus_reply_method_errorf(probe->call, BUS_ERROR_BUSY, "The hub is stopping");
        else
                r = sd_bus_reply_method_return(probe->call, "s",
                                               text_of(probe->manager, TEXT_DATABASE_STATE));
        if (r < 0)
                (void) log_warning(r, "Cannot answer ProbeDatabase: %m");
        probe_free(probe);
}

static int act_probe_database(sd_bus_message *call, const char *principal, const void *request,
                              void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        Probe *probe;
        int r;

        (void) principal, (void) request;
        if (manager->n_probes >= HUB_PROBES_MAX)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "%d probes of the database are under way already",
                                      HUB_PROBES_MAX);
        probe = malloc(sizeof(Probe));
        if (!probe)
                return -ENOMEM;
        *probe = (Probe){ .manager = manager, .call = sd_bus_message_ref(call) };
        manager->n_probes++;

        r = store_probe(manager->store, on_probe_done, probe);
        if (r >= 0)
                return 0;
        probe_free(probe);
        if (r == -EBUSY)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "The queue of the database worker is full, try again");
        return r;
}

BUS_METHOD(method_probe_database)
{
        Manager *manager = userdata;
        int r;

        r = bus_options_none(call, error);
        if (r < 0)
                return r;
        return authority_check(manager->authority, call, ACTION_MANAGE, NULL, act_probe_database,
                               manager, error);
}

static int act_set_log_level(sd_bus_message *call, const char *principal, const void *request,
                             void *userdata, sd_bus_error *error)
{
        const int *level = request;

        (void) error;
        manager_set_log_level(userdata, *level, principal);
        return sd_bus_reply_method_return(call, "");
}

BUS_METHOD(method_set_log_level)
{
        Manager *manager = userdata;
        _cleanup_free_ int *level = malloc(sizeof(int));
        const char *text;
        int r;

        if (!level)
                return -ENOMEM;
        r = sd_bus_message_read(call, "s", &text);
        if (r < 0)
                return r;
        if (parse_log_level(text, level) < 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument level must be one of emerg, alert, crit, err, "
                                      "warning, notice, info, debug");
        r = bus_options_none(call, error);
        if (r < 0)
                return r;
        return authority_check(manager->authority, call, ACTION_MANAGE, TAKE(level),
                               act_set_log_level, manager, error);
}

BUS_PROPERTY_GET(get_jobs)
{
        const Manager *manager = userdata;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "u",
                                     manager->jobs ? (uint32_t) jobs_n_open(manager->jobs) : 0);
}

BUS_PROPERTY_GET(get_obligations)
{
        const Manager *manager = userdata;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "u",
                                     manager->sweeper ? sweeper_n_open(manager->sweeper) : 0);
}

BUS_PROPERTY_GET(get_dispatch)
{
        const Manager *manager = userdata;
        uint64_t value = manager->loop.n;

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "DispatchP999USec") == 0)
                value = loop_stats_percentile(&manager->loop, 999);
        else if (strcmp(property, "DispatchMaxUSec") == 0)
                value = manager->loop.max_usec;
        return sd_bus_message_append(reply, "t", value);
}
