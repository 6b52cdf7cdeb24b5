/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object behind units.h: what is listened to, and the questions.
 */
#include "unit/units.h"

#include "unit/unit-state.h"
#include "unit/units-private.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* A question of a caller: for one unit, or for the list. */
struct UnitAsk {
        Units *units;
        UnitAsk *next;
        char unit[UNIT_NAME_SIZE];
        UnitQuery *query;
        LinkCall *call;
        UnitsGot got;
        UnitsListed listed;
        void *userdata;
};

static void on_subscribed(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                          void *userdata)
{
        (void) error, (void) text, (void) reply, (void) n_sent, (void) userdata;
}

/* PID 1 forgets its listeners with a crash, and keeps them over a daemon-reexec: asked in both cases. */
static void on_back(void *userdata)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Units *units = userdata;

        link_call_drop(&units->subscribe);
        if (systemd_link_message(units->link, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", &m) >= 0)
                (void) systemd_link_send(units->link, m, on_subscribed, units, &units->subscribe);
        units_follow_again(units);
        unit_jobs_again(units);
}

/* Sent with true before and with false after a daemon-reload. */
static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Units *units = userdata;
        int is_active;

        (void) error;
        if (systemd_link_sent(units->link, m) && sd_bus_message_read(m, "b", &is_active) > 0 &&
            !is_active) {
                units_follow_again(units);
                unit_jobs_again(units);
        }
        return 0;
}

static int listen_to_systemd(Units *units, sd_bus *bus)
{
        int r;

        r = sd_bus_add_match_async(bus, &units->changed,
                                   "type='signal',sender='" SYSTEMD_NAME
                                   "',path_namespace='" SYSTEMD_UNITS
                                   "',interface='org.freedesktop.DBus.Properties'"
                                   ",member='PropertiesChanged'",
                                   units_on_changed, NULL, units);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &units->removed, SYSTEMD_NAME, SYSTEMD_PATH,
                                              SYSTEMD_MANAGER, "UnitRemoved", units_on_removed,
                                              NULL, units);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &units->job_removed, SYSTEMD_NAME, SYSTEMD_PATH,
                                              SYSTEMD_MANAGER, "JobRemoved", units_on_job_removed,
                                              NULL, units);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &units->reloading, SYSTEMD_NAME, SYSTEMD_PATH,
                                              SYSTEMD_MANAGER, "Reloading", on_reloading, NULL,
                                              units);
        return r;
}

DEFINE_CLEANUP(Units *, units_free)

/* What everything hangs on is a signal of PID 1. Should one be lost, a job of ours would wait for ever, so
 * what is awaited is looked up now and then. */
static int on_look_round(sd_event_source *source, uint64_t usec, void *userdata)
{
        Units *units = userdata;
        int r;

        (void) usec;
        units_follow_again(units);
        unit_jobs_again(units);
        r = sd_event_source_set_time_relative(source, UNITS_LOOK_ROUND_SEC * USEC_PER_SEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int units_new(sd_bus *bus, UnitSide side, UnitsHandler handler, void *userdata, Units **ret_units)
{
        CLEANUP(units_free_p) Units *units = NULL;
        int r;

        units = malloc(sizeof(Units));
        if (!units)
                return -ENOMEM;
        *units = (Units){ .side = side, .handler = handler, .userdata = userdata };
        r = listen_to_systemd(units, bus);
        if (r >= 0)
                r = systemd_link_new(bus, on_back, units, &units->link);
        if (r >= 0)
                r = sd_event_add_time_relative(sd_bus_get_event(bus), &units->look_round,
                                               CLOCK_MONOTONIC, UNITS_LOOK_ROUND_SEC * USEC_PER_SEC,
                                               0, on_look_round, units);
        if (r < 0)
                return r;
        *ret_units = TAKE(units);
        return 0;
}

static void ask_free(UnitAsk *ask)
{
        UnitAsk **at = &ask->units->asks;

        while (*at != ask)
                at = &(*at)->next;
        *at = ask->next;
        ask->units->n_calls--;
        unit_query_drop(&ask->query);
        link_call_drop(&ask->call);
        free(ask);
}

static void ask_finish_got(UnitAsk *ask, int error, const UnitState *state)
{
        UnitsGot got = ask->got;
        void *userdata = ask->userdata;

        ask_free(ask);
        got(error, state, userdata);
}

static void ask_finish_listed(UnitAsk *ask, int error, const char *const *list, size_t n)
{
        UnitsListed listed = ask->listed;
        void *userdata = ask->userdata;

        ask_free(ask);
        listed(error, list, n, userdata);
}

Units *units_free(Units *units)
{
        if (!units)
                return NULL;
        units->is_ending = true;
        units->handler = NULL;
        unit_jobs_cancel(units);
        while (units->asks)
                if (units->asks->got)
                        ask_finish_got(units->asks, -ECANCELED, NULL);
                else
                        ask_finish_listed(units->asks, -ECANCELED, NULL, 0);
        units_follow_done(units);
        link_call_drop(&units->subscribe);
        sd_bus_slot_unref(units->changed);
        sd_bus_slot_unref(units->removed);
        sd_bus_slot_unref(units->job_removed);
        sd_bus_slot_unref(units->reloading);
        sd_event_source_disable_unref(units->look_round);
        systemd_link_free(units->link);
        free(units);
        return NULL;
}

static int ask_new(Units *units, void *userdata, UnitAsk **ret_ask)
{
        UnitAsk *ask;

        if (units->is_ending)
                return -ECANCELED;
        if (units->n_calls >= UNITS_CALLS_MAX)
                return -EBUSY;
        ask = malloc(sizeof(UnitAsk));
        if (!ask)
                return -ENOMEM;
        *ask = (UnitAsk){ .units = units, .next = units->asks, .userdata = userdata };
        units->asks = ask;
        units->n_calls++;
        *ret_ask = ask;
        return 0;
}

static void on_state(int error, const char *text, const UnitState *state, const char *job,
                     void *userdata)
{
        UnitAsk *ask = userdata;

        (void) text, (void) job;
        if (error == 0)
                units_follow(ask->units, ask->unit, state);
        ask_finish_got(ask, error, state);
}

int units_get(Units *units, const char *unit, UnitsGot done, void *userdata)
{
        UnitName name;
        UnitAsk *ask;
        int r;

        if (unit_name_from_string(unit, &name) < 0)
                return -EINVAL;
        r = ask_new(units, userdata, &ask);
        if (r < 0)
                return r;
        ask->got = done;
        (void) snprintf(ask->unit, sizeof(ask->unit), "%s", unit);
        r = unit_query(units->link, ask->unit, on_state, ask, &ask->query);
        if (r < 0)
                ask_free(ask);
        return r;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Of a(ssssssouso) the names of what is ours and not inactive; they are the message's. */
static int read_list(sd_bus_message *m, const char **list, size_t *ret_n)
{
        const char *unit, *active;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssssssouso)", &unit, NULL, NULL, &active,
                                                  NULL, NULL, NULL, NULL, NULL, NULL)) > 0) {
                UnitName name;

                if (unit_name_from_string(unit, &name) < 0 || strcmp(active, "inactive") == 0)
                        continue;
                if (n >= UNITS_LIST_MAX)
                        return -E2BIG;
                list[n++] = unit;
        }
        if (r < 0)
                return r;
        *ret_n = n;
        return sd_bus_message_exit_container(m);
}

static void on_list(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                    void *userdata)
{
        _cleanup_free_ const char **list = NULL;
        UnitAsk *ask = userdata;
        size_t n = 0;
        int r = error;

        (void) text, (void) n_sent;
        if (r >= 0)
                list = calloc(UNITS_LIST_MAX, sizeof(*list));
        if (r >= 0)
                r = list ? read_list(reply, list, &n) : -ENOMEM;
        if (r < 0) {
                ask_finish_listed(ask, r, NULL, 0);
                return;
        }
        qsort(list, n, sizeof(*list), compare);
        ask_finish_listed(ask, 0, list, n);
}

int units_list(Units *units, UnitsListed done, void *userdata)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        UnitAsk *ask;
        int r;

        r = systemd_link_message(units->link, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByPatterns",
                                 &m);
        if (r >= 0)
                r = units->side == UNITS_OF_NODE
                                    ? sd_bus_message_append(m, "asas", 0, 4, "sendense-copy-*",
                                                            "sendense-vsphere-*",
                                                            "sendense-task@*.target",
                                                            "sendense-tasks-*.slice")
                                    : sd_bus_message_append(
                                                      m, "asas", 0, 11, "sendense-export-*",
                                                      "sendense-import-*", "sendense-image-*",
                                                      "sendense-repository-*", "sendense-verify-*",
                                                      "sendense-restore-*", "sendense-delete-*",
                                                      "sendense-files-*", "sendense-mount-*",
                                                      "sendense-job@*.target",
                                                      "sendense-jobs-*.slice");
        if (r >= 0)
                r = ask_new(units, userdata, &ask);
        if (r < 0)
                return r;
        ask->listed = done;
        r = systemd_link_send(units->link, m, on_list, ask, &ask->call);
        if (r < 0)
                ask_free(ask);
        return r;
}
