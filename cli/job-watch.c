/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following a job (see job-watch.h). What is shown between comes from the signals of the Job object;
 * the first look, the last one, and one after each restart of the hub come from GetJob, which the
 * database answers, so that nothing is lost with a hub. Everything waits in one loop.
 */
#include "job-watch.h"

#include "bus/bus-error.h"
#include "bus/bus-value.h"
#include "cleanup.h"
#include "clock.h"
#include "columns.h"
#include "hub-client.h"
#include "job-report.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"
#define OBJECTS_INTERFACE    "org.freedesktop.DBus.ObjectManager"
#define CTRL_C               "Ctrl-C ends the watching, not the job"
#define GONE                 "the hub has ended; waiting for the next one. " CTRL_C
#define RETRY_USEC           USEC_PER_SEC /* after an answer that says "try again" */

typedef struct Watch {
        sd_event *event;
        sd_bus *bus;
        sd_bus_slot *call; /* the GetJob that is under way */
        uint64_t id;
        json_t *job; /* what is known of it, NULL before the first answer */
        bool ask_again; /* something happened while a call was under way */
        bool is_away; /* the hub, or its database */
        uint64_t begun_usec; /* CLOCK_MONOTONIC */
        JobReport report;
        ExitStatus status;
} Watch;

static void watch_done(Watch *watch)
{
        sd_bus_slot_unref(watch->call);
        sd_bus_flush_close_unref(watch->bus);
        sd_event_unref(watch->event);
        json_decref(watch->job);
}

static void finish(Watch *watch, ExitStatus status)
{
        watch->status = status;
        (void) sd_event_exit(watch->event, 0);
}

static bool is_final(const Watch *watch)
{
        return job_state_is_final(job_state_from_string(text_of(watch->job, "State")));
}

static void job_path(const Watch *watch, char ret_path[static 64])
{
        (void) snprintf(ret_path, 64, HUB_BUS_PATH "/job/%" PRIu64, watch->id);
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error);

static void ask(Watch *watch)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        if (watch->call) {
                watch->ask_again = true;
                return;
        }
        if (hub_new_call(watch->bus, "GetJob", false, &message) != CTL_OK) {
                finish(watch, CTL_FAILED);
                return;
        }
        r = sd_bus_message_append(message, "ta{sv}", watch->id, 0);
        if (r >= 0)
                r = sd_bus_call_async(watch->bus, &watch->call, message, on_answer, watch,
                                      hub_call_timeout_usec(message));
        if (r < 0)
                finish(watch, complain(CTL_FAILED, "Cannot ask the hub for job %" PRIu64 ": %s",
                                       watch->id, strerror(-r)));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source, (void) usec;
        ask(userdata);
        return 0;
}

static void go_away(Watch *watch, const char *note)
{
        if (!watch->is_away)
                job_report_note(&watch->report, note);
        watch->is_away = true;
}

static int ask_later(Watch *watch)
{
        return sd_event_add_time_relative(watch->event, NULL, CLOCK_MONOTONIC, RETRY_USEC, 0,
                                          on_retry, watch);
}

/* What ends with a restart of the hub or of its database, and how long it is waited for in vain before
 * the job was seen: a hub that does not run may be about to, one that runs says what it lacks. */
static const struct Passing {
        const char *name, *note;
        bool ask_later;
        unsigned first_sec;
} passing[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN, GONE, false, 5 },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, GONE, false, 5 },
        { SD_BUS_ERROR_NO_REPLY, "the hub did not answer; asking again. " CTRL_C, true, 30 },
        { BUS_ERROR_DATABASE_UNAVAILABLE,
          "the hub is without its database; waiting for both. " CTRL_C, false, 30 },
        { BUS_ERROR_BUSY, NULL, true, 30 },
};

/* Once the job was seen, nothing of that ends the watching: each announces its return. One that lives and
 * does not answer announces nothing, and before the job was seen nobody knows what to listen for. */
static void on_error(Watch *watch, const sd_bus_error *error)
{
        const struct Passing *p = NULL;
        bool is_patient;

        for (size_t i = 0; i < ELEMENTSOF(passing) && !p; i++)
                if (sd_bus_error_has_name(error, passing[i].name))
                        p = passing + i;
        is_patient = p && (watch->job || clock_monotonic_usec() - watch->begun_usec <
                                                         p->first_sec * USEC_PER_SEC);
        if (!is_patient || ((!watch->job || p->ask_later) && ask_later(watch) < 0)) {
                finish(watch, hub_explain(error, "GetJob"));
                return;
        }
        if (p->note)
                go_away(watch, p->note);
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
        Watch *watch = userdata;
        bool again = watch->ask_again;
        json_t *job = NULL;
        ExitStatus s;

        (void) unused;
        watch->call = sd_bus_slot_unref(watch->call);
        watch->ask_again = false;
        if (sd_bus_message_is_method_error(reply, NULL)) {
                on_error(watch, sd_bus_message_get_error(reply));
                if (again && watch->job)
                        ask(watch); /* another hub may be there already */
                return 0;
        }
        s = hub_read_answer(reply, "a{sv}", &job);
        if (s != CTL_OK) {
                finish(watch, s);
                return 0;
        }
        json_decref(watch->job);
        watch->job = job;
        watch->is_away = false;
        job_report_update(&watch->report, job);
        if (is_final(watch)) {
                finish(watch, job_report_end(&watch->report, job));
                return 0;
        }
        /* These grow old while signals come; of the disks a terminal is told by them, too. */
        if (arg_json)
                (void) json_object_del(job, "Disks");
        (void) json_object_del(job, "Events");
        if (again)
                ask(watch);
        return 0;
}

/* Takes over what has the type it should have. */
static void merge(json_t *job, const json_t *changed)
{
        static const struct {
                const char *name;
                json_type type;
        } properties[] = {
                { "State", JSON_STRING },       { "Ending", JSON_STRING },
                { "Phase", JSON_STRING },       { "Error", JSON_STRING },
                { "Progress", JSON_REAL },      { "BytesDone", JSON_INTEGER },
                { "BytesTotal", JSON_INTEGER }, { "Disks", JSON_ARRAY },
        };

        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                json_t *value = json_object_get(changed, properties[i].name);

                if (value && json_typeof(value) == properties[i].type &&
                    (!arg_json || !json_is_array(value)))
                        (void) json_object_set(job, properties[i].name, value);
        }
}

/* The changed properties, if they are of that interface; NULL otherwise. */
static json_t *read_changed(sd_bus_message *signal, const char *interface)
{
        json_t *changed = NULL;
        const char *name;

        if (!sd_bus_message_has_signature(signal, "sa{sv}as") ||
            sd_bus_message_read(signal, "s", &name) <= 0 || strcmp(name, interface) != 0 ||
            bus_value_read(signal, &changed) < 0)
                return NULL;
        return changed;
}

static int on_job_changed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        Watch *watch = userdata;
        CLEANUP(json_decref_p)
        json_t *changed = read_changed(signal, HUB_BUS_NAME ".Job");

        (void) unused;
        if (!changed || json_object_size(changed) == 0)
                return 0;
        if (watch->call && json_object_get(changed, "State"))
                watch->ask_again = true; /* the answer may be older than this */
        if (!watch->job || is_final(watch))
                return 0;
        merge(watch->job, changed);
        if (is_final(watch))
                ask(watch); /* the whole record, which says why */
        else
                job_report_update(&watch->report, watch->job);
        return 0;
}

static int on_job_removed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        Watch *watch = userdata;
        uint64_t id;

        (void) unused;
        if (sd_bus_message_has_signature(signal, "tos") &&
            sd_bus_message_read(signal, "t", &id) > 0 && id == watch->id)
                ask(watch);
        return 0;
}

/* A job that ends is told of before its object goes; one that was changed by another hand only goes, and may come back. */
static int on_object_removed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        Watch *watch = userdata;
        const char *path;
        char own[64];

        (void) unused;
        job_path(watch, own);
        if (sd_bus_message_has_signature(signal, "oas") &&
            sd_bus_message_read(signal, "o", &path) > 0 && strcmp(path, own) == 0)
                ask(watch);
        return 0;
}

static int on_hub_changed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        Watch *watch = userdata;
        CLEANUP(json_decref_p)
        json_t *changed = read_changed(signal, HUB_MANAGER_INTERFACE);

        (void) unused;
        if (watch->is_away && strcmp(text_of(changed, "DatabaseState"), "ready") == 0)
                ask(watch);
        return 0;
}

static int on_owner(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        Watch *watch = userdata;
        const char *name, *from, *to;

        (void) unused;
        if (sd_bus_message_read(signal, "sss", &name, &from, &to) <= 0 || !watch->job)
                return 0;
        if (*to)
                ask(watch);
        else
                go_away(watch, GONE);
        return 0;
}

static int on_disconnected(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        (void) signal, (void) unused;
        finish(userdata, complain(CTL_UNAVAILABLE,
                                  "the bus closed the connection. Look at it: systemctl status "
                                  "dbus.service"));
        return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
        Watch *watch = userdata;
        char text[160];

        (void) source, (void) info;
        (void) snprintf(text, sizeof(text),
                        "job %" PRIu64 " goes on. Watch it: sendensectl job watch %" PRIu64
                        "; cancel it: sendensectl job cancel %" PRIu64,
                        watch->id, watch->id, watch->id);
        job_report_note(&watch->report, text);
        finish(watch, CTL_INTERRUPTED);
        return 0;
}

static int add_matches(Watch *watch)
{
        char path[64];
        int r;

        job_path(watch, path);
        r = sd_bus_match_signal(watch->bus, NULL, HUB_BUS_NAME, path, PROPERTIES_INTERFACE,
                                "PropertiesChanged", on_job_changed, watch);
        if (r >= 0)
                r = sd_bus_match_signal(watch->bus, NULL, HUB_BUS_NAME, HUB_BUS_PATH,
                                        PROPERTIES_INTERFACE, "PropertiesChanged", on_hub_changed,
                                        watch);
        if (r >= 0)
                r = sd_bus_match_signal(watch->bus, NULL, HUB_BUS_NAME, HUB_BUS_PATH,
                                        HUB_MANAGER_INTERFACE, "JobRemoved", on_job_removed, watch);
        if (r >= 0)
                r = sd_bus_match_signal(watch->bus, NULL, HUB_BUS_NAME, HUB_BUS_PATH,
                                        OBJECTS_INTERFACE, "InterfacesRemoved", on_object_removed,
                                        watch);
        if (r >= 0)
                r = sd_bus_add_match(watch->bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',"
                                     "path='/org/freedesktop/DBus',"
                                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" HUB_BUS_NAME "'",
                                     on_owner, watch);
        if (r >= 0)
                r = sd_bus_match_signal(watch->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected",
                                        on_disconnected, watch);
        return r;
}

static int prepare(Watch *watch)
{
        sigset_t signals;
        int r;

        if (sigemptyset(&signals) < 0 || sigaddset(&signals, SIGINT) < 0 ||
            sigaddset(&signals, SIGTERM) < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        r = sd_event_new(&watch->event);
        if (r >= 0)
                r = sd_event_add_signal(watch->event, NULL, SIGINT, on_terminate, watch);
        if (r >= 0)
                r = sd_event_add_signal(watch->event, NULL, SIGTERM, on_terminate, watch);
        if (r >= 0)
                r = add_matches(watch);
        return r < 0 ? r : sd_bus_attach_event(watch->bus, watch->event, SD_EVENT_PRIORITY_NORMAL);
}

ExitStatus job_watch(uint64_t id)
{
        CLEANUP(watch_done)
        Watch watch = { .id = id, .report = { .id = id }, .begun_usec = clock_monotonic_usec() };
        ExitStatus s;
        int r;

        s = hub_connect(&watch.bus);
        if (s != CTL_OK)
                return s;
        r = prepare(&watch);
        if (r >= 0) {
                ask(&watch);
                r = sd_event_loop(watch.event);
        }
        return r < 0 ? complain(CTL_FAILED, "Cannot watch job %" PRIu64 ": %s", id, strerror(-r))
                     : watch.status;
}
