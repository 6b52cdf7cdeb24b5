/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of the hub (see manager.h): objects first, then the name, then READY; the database may
 * come and go. A lost bus ends the program with a failure, so that systemd starts it afresh; a
 * signal ends it with success.
 */
#include "manager.h"

#include "build-id.h"
#include "bus/authorise.h"
#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "bus/bus-manager.h"
#include "bus/bus-mount.h"
#include "bus/bus-node-object.h"
#include "bus/bus-session.h"
#include "bus/sessions.h"
#include "cleanup.h"
#include "clock.h"
#include "job/jobs.h"
#include "job/retry.h"
#include "job/sweep.h"
#include "log.h"
#include "names.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "parse.h"
#include "policy/policies.h"
#include "repository/repositories.h"
#include "unit/units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#define SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"

enum {
        REQUEST_NAME_PRIMARY_OWNER = 1, /* of the D-Bus specification */
};

/* One line for `systemctl status`. */
static void announce_status(const Manager *manager)
{
        const StoreStatus *database = &manager->database;

        (void) sd_notifyf(false, "STATUS=%s; database %s%s%s", hub_state_to_string(manager->state),
                          database_state_to_string(database->state), *database->error ? ": " : "",
                          database->error);
}

/* Derives the state and tells everybody who watches, if it is another. */
static void update_state(Manager *manager)
{
        HubState state = hub_state_of(manager->has_name, manager->is_stopping,
                                      manager->database.state);
        bool changed = state != manager->state;

        manager->state = state;
        announce_status(manager);
        if (changed)
                bus_manager_emit_changed(manager, "State");
}

static void log_database(const StoreStatus *status)
{
        switch (status->state) {
        case DATABASE_READY:
                (void) log_event(LOG_INFO, 0, NULL, MESSAGE_DATABASE_READY,
                                 "Database ready, schema %u", status->schema);
                break;
        case DATABASE_UNREACHABLE:
                (void) log_event(LOG_WARNING, 0, NULL, MESSAGE_DATABASE_LOST,
                                 "Database unreachable: %s", status->error);
                break;
        case DATABASE_SCHEMA_OLDER:
                (void) log_event(LOG_WARNING, 0, NULL, MESSAGE_DATABASE_SCHEMA_OLDER,
                                 "Database not usable: %s", status->error);
                break;
        case DATABASE_SCHEMA_NEWER:
                (void) log_event(LOG_ERR, 0, NULL, MESSAGE_DATABASE_SCHEMA_NEWER,
                                 "Database not usable: %s", status->error);
                break;
        case DATABASE_CONNECTING:
        case DATABASE_STATE_MAX:
        case DATABASE_STATE_INVALID:
                break;
        }
}

static void on_database_status(const StoreStatus *status, void *userdata)
{
        Manager *manager = userdata;
        const StoreStatus old = manager->database;

        manager->database = *status;
        if (status->state != old.state)
                log_database(status);
        if (status->state != old.state)
                bus_manager_emit_changed(manager, "DatabaseState");
        if (strcmp(status->error, old.error) != 0)
                bus_manager_emit_changed(manager, "DatabaseError");
        if (status->schema != old.schema)
                bus_manager_emit_changed(manager, "DatabaseSchema");
        update_state(manager);
        /* The worker may have lost it and be back before the loop looks; an answer was lost all the same. */
        if (status->state == DATABASE_READY &&
            (old.state != DATABASE_READY || status->n_losses != old.n_losses)) {
                jobs_database_ready(manager->jobs);
                repositories_look(manager->repositories);
                nodes_database_ready(manager->nodes);
                policies_database_ready(manager->policies);
        }
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Manager *manager = userdata;

        (void) source;
        (void) log_event(LOG_INFO, 0, NULL, MESSAGE_HUB_STOPPING, "Stopping after SIG%s",
                         sigabbrev_np((int) info->ssi_signo) ?: "?");
        manager->is_stopping = true;
        /* Units go on; what is open is taken up by the next start. */
        manager->jobs->is_going_down = true;
        (void) sd_notify(false, "STOPPING=1");
        update_state(manager);
        return sd_event_exit(manager->event, EXIT_SUCCESS);
}

static int on_bus_lost(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;

        (void) m, (void) error;
        (void) log_error(0, "Lost the connection to the message bus, ending to be started again");
        return sd_event_exit(manager->event, EXIT_FAILURE);
}

static void on_name_owned(Manager *manager)
{
        manager->has_name = true;
        update_state(manager);
        (void) sd_notify(false, "READY=1");
        (void) log_event(LOG_INFO, 0, NULL, MESSAGE_HUB_READY, "Ready on the bus as %s, version %s",
                         HUB_BUS_NAME, build_version());
}

static int on_name_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Manager *manager = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        uint32_t answer;
        int r;

        (void) ret_error;
        if (error) {
                (void) log_error(0,
                                 "The bus refuses the name %s: %s; is "
                                 "com.sendense.Hub1.conf installed in its system.d folder, and is "
                                 "this the user it names?",
                                 HUB_BUS_NAME, error->message ?: error->name);
                return sd_event_exit(manager->event, EXIT_FAILURE);
        }
        r = sd_bus_message_read(m, "u", &answer);
        if (r < 0)
                return log_error(r, "Cannot read the answer to RequestName: %m");
        if (answer != REQUEST_NAME_PRIMARY_OWNER) {
                (void) log_error(0,
                                 "The bus name %s is taken: another sendense-hub runs on this "
                                 "bus, stop it first",
                                 HUB_BUS_NAME);
                return sd_event_exit(manager->event, EXIT_FAILURE);
        }
        on_name_owned(manager);
        return 0;
}

static int watch_signals(Manager *manager)
{
        static const int signals[] = { SIGTERM, SIGINT };
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        /* Before the worker's thread starts, so that no thread takes the signal for itself. */
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                r = sd_event_add_signal(manager->event, NULL, signals[i], on_signal, manager);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int start_loop(Manager *manager)
{
        int r;

        r = sd_event_default(&manager->event);
        if (r >= 0)
                r = watch_signals(manager);
        if (r >= 0)
                r = sd_event_set_watchdog(manager->event, true);
        return r < 0 ? log_error(r, "Cannot set up the event loop: %m") : 0;
}

/* sd-bus answers GetMachineId itself, and takes a machine without an id for a reason to close the
 * connection, which any caller could so make happen. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_id128_t id;
        int r;

        (void) userdata, (void) error;
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Peer", "GetMachineId") <= 0)
                return 0;
        r = sd_id128_get_machine(&id);
        if (r >= 0)
                return 0;
        r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_FAILED,
                                       "This machine has no id in /etc/machine-id: %s",
                                       strerror(-r));
        if (r < 0)
                (void) log_warning(r, "Cannot answer GetMachineId: %m");
        return 1;
}

/* As sd_bus_open_system(). Each message may bring 16 descriptors; how many messages wait has a limit (authorise.h). */
static int open_bus(sd_bus **ret_bus)
{
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS") ?: SYSTEM_BUS_ADDRESS;
        CLEANUP(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_description(bus, "hub");
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                *ret_bus = TAKE(bus);
        return r;
}

static int start_bus(Manager *manager)
{
        int r;

        r = bus_error_register();
        if (r < 0)
                return log_error(r, "Cannot name our errors: %m");
        r = open_bus(&manager->bus);
        if (r < 0)
                return log_error(r, "Cannot connect to the message bus: %m");
        /* sd-bus's own way out would wait for a handshake that may never come: manager_free(). */
        r = sd_bus_set_close_on_exit(manager->bus, false);
        if (r >= 0)
                r = sd_bus_match_signal(manager->bus, NULL, "org.freedesktop.DBus.Local",
                                        "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_bus_lost, manager);
        if (r >= 0)
                r = sd_bus_add_filter(manager->bus, NULL, on_message, NULL);
        if (r >= 0)
                r = authority_new(manager->bus, &manager->authority);
        if (r >= 0)
                r = sessions_new(&manager->sessions);
        if (r >= 0)
                authority_use_sessions(manager->authority, manager->sessions,
                                       bus_session_speaks_for_others);
        if (r >= 0)
                r = bus_manager_register(manager);
        if (r >= 0)
                r = bus_job_register(manager);
        if (r >= 0)
                r = sd_bus_attach_event(manager->bus, manager->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_request_name_async(manager->bus, NULL, HUB_BUS_NAME, 0, on_name_answer,
                                              manager);
        return r < 0 ? log_error(r, "Cannot set up the bus objects: %m") : 0;
}

static int start_store(Manager *manager)
{
        int r;

        r = store_new(manager->event, manager->config, on_database_status, manager,
                      &manager->store);
        if (r < 0)
                return log_error(r, "Cannot start the database worker: %m");
        manager->database = *store_status(manager->store);
        return 0;
}

static void on_unit(const char *unit, const UnitState *state, void *userdata)
{
        Manager *manager = userdata;

        if (manager->jobs)
                jobs_on_unit(manager->jobs, unit, state);
}

static void on_obligations(unsigned n_open, void *userdata)
{
        (void) n_open;
        bus_manager_emit_changed(userdata, "Obligations");
}

static void on_job_news(Job *job, JobNews news, void *userdata)
{
        Manager *manager = userdata;

        bus_job_on_news(job, news, manager);
        if (news == JOB_NEWS_FINAL && manager->policies)
                policies_look(manager->policies);
        if (news == JOB_NEWS_FINAL && manager->sweeper)
                sweeper_count(manager->sweeper);
        /* What is told of its room is minutes old. */
        if (news == JOB_NEWS_FINAL && manager->repositories &&
            strcmp(job->error_name, BUS_ERROR_REPOSITORY_FULL) == 0)
                repositories_look(manager->repositories);
}

static void on_jobs_loaded(void *userdata)
{
        Manager *manager = userdata;

        sweeper_hurry(manager->sweeper, 0);
}

static void on_node_answers(uint64_t id, void *userdata)
{
        Manager *manager = userdata;

        sweeper_hurry(manager->sweeper, id);
}

static int start_jobs(Manager *manager)
{
        Jobs values;
        int r;

        r = units_new(manager->bus, UNITS_OF_HUB, on_unit, manager, &manager->units);
        if (r < 0)
                return log_error(r, "Cannot watch the units of jobs: %m");
        values = (Jobs){
                .event = manager->event,
                .bus = manager->bus,
                .store = manager->store,
                .units = manager->units,
                .config = manager->config,
                .observer = on_job_news,
                .loaded = on_jobs_loaded,
                .userdata = manager,
        };
        r = jobs_new(&values, &manager->jobs);
        if (r < 0)
                return r; /* said so */
        r = sweeper_new(manager->jobs, on_obligations, manager, &manager->sweeper);
        if (r >= 0)
                r = repositories_new(manager->event, manager->units, manager->store,
                                     &manager->repositories);
        if (r >= 0)
                r = nodes_new(manager->event, manager->store, manager->units,
                              manager->config->node_health_usec, &manager->nodes);
        manager->jobs->nodes = manager->nodes;
        if (r >= 0)
                node_links_watch_answers(nodes_links(manager->nodes), on_node_answers, manager);
        if (r >= 0)
                r = node_objects_new(manager, &manager->node_objects);
        if (r >= 0)
                r = retrier_new(manager->jobs, &manager->retrier);
        if (r >= 0)
                r = policies_new(manager->bus, manager->jobs, manager->repositories,
                                 &manager->policies);
        return r < 0 ? log_error(r, "Cannot set up what looks after jobs and repositories: %m") : 0;
}

DEFINE_CLEANUP(Manager *, manager_free)

int manager_new(const HubConfig *config, Manager **ret_manager)
{
        CLEANUP(manager_free_p) Manager *manager = NULL;
        int r;

        manager = malloc(sizeof(Manager));
        if (!manager)
                return log_oom();
        *manager = (Manager){
                .config = config,
                .started_usec = clock_realtime_usec(),
                .state = HUB_STARTING,
                .mount_waits = mount_waits_new(),
        };
        if (!manager->mount_waits)
                return log_oom();

        r = start_loop(manager);
        if (r >= 0)
                r = start_bus(manager);
        if (r >= 0)
                r = start_store(manager);
        if (r >= 0)
                r = start_jobs(manager);
        if (r < 0)
                return r;
        *ret_manager = TAKE(manager);
        return 0;
}

Manager *manager_free(Manager *manager)
{
        if (!manager)
                return NULL;
        /* First: what ends now is announced no more. */
        manager->node_objects = node_objects_free(manager->node_objects);

        /* The worker first: calls that wait for it are answered while the bus is still there. */
        if (manager->jobs)
                manager->jobs->is_going_down = true;
        repositories_going_down(manager->repositories);
        policies_going_down(manager->policies);
        nodes_going_down(manager->nodes);
        store_end(manager->store);
        policies_free(manager->policies);
        units_free(manager->units);
        repositories_free(manager->repositories);
        nodes_free(manager->nodes);
        retrier_free(manager->retrier);
        sweeper_free(manager->sweeper);
        jobs_free(manager->jobs);
        mount_waits_free(manager->mount_waits);
        authority_free(manager->authority);
        sessions_free(manager->sessions);
        /* Those before may still want to write: they are told that it has ended. */
        store_free(manager->store);
        /* Flushing too waits for the handshake. */
        if (manager->bus && sd_bus_is_ready(manager->bus) > 0)
                (void) sd_bus_flush(manager->bus);
        sd_bus_close_unref(manager->bus);
        sd_event_unref(manager->event);
        free(manager);
        return NULL;
}

/* As sd_event_run(), with a look at the clock around the handlers. */
static int run_once(Manager *manager)
{
        uint64_t before;
        int r = sd_event_prepare(manager->event);

        if (r == 0)
                r = sd_event_wait(manager->event, UINT64_MAX);
        if (r <= 0)
                return r;
        before = clock_monotonic_usec();
        r = sd_event_dispatch(manager->event);
        loop_stats_add(&manager->loop, clock_monotonic_usec() - before);
        return r;
}

int manager_run(Manager *manager)
{
        int status = EXIT_SUCCESS, r = 0;

        while (r >= 0 && sd_event_get_state(manager->event) != SD_EVENT_FINISHED)
                r = run_once(manager);
        if (r >= 0)
                r = sd_event_get_exit_code(manager->event, &status);
        if (r < 0)
                (void) log_error(r, "The event loop failed: %m");
        return r < 0 ? EXIT_FAILURE : status;
}

void manager_set_log_level(Manager *manager, int level, const char *principal)
{
        const LogContext context = { .principal = principal };

        if (level == log_get_level())
                return;
        /* At notice, and at the wider of both levels, so that a change to "err" is seen too. */
        if (level > log_get_level())
                log_set_level(level);
        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE, "Log level set to %s by %s",
                         log_level_to_string(level), principal);
        log_set_level(level);
        bus_manager_emit_changed(manager, "LogLevel");
}
