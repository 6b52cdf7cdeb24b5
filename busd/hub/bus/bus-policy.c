/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies on the bus: set, removed, run, pruned. What is asked of a timer is asked of systemd first, so that a calendar it cannot read
 * is refused before anything is written. Those that only show stand in bus-policy-show.c.
 */
#include "bus/bus-policy.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "job/retention.h"
#include "log.h"
#include "manager.h"
#include "node-keys.h"
#include "policy-types.h"
#include "policy/policies.h"
#include "policy/policy-match.h"
#include "store/store-policy.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        REPOSITORY_MAX_BYTES = 64,
};

#define YEAR_USEC (UINT64_C(366) * 86400 * 1000000)

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

int bus_policy_read_name(sd_bus_message *call, const char **ret_name, sd_bus_error *error)
{
        int r = sd_bus_message_read(call, "s", ret_name);

        if (r < 0 || policy_name_is_valid(*ret_name))
                return r;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Argument policy must be a name of 1 to %d letters, digits and -_., "
                              "that begins with a letter or digit",
                              POLICY_NAME_MAX);
}

static int bad_call(BusWait *wait, Manager *manager, int r, sd_bus_error *error)
{
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

/* ── Set ── */

static void on_heard(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        BusWait *wait = userdata;
        const json_t *policy = json_object_get(wait->request, "Policy");
        int r;

        (void) error, (void) out, (void) name,
                        (void) text; /* at the worst it runs once too often */
        r = bus_reply_dict(wait->call, policy);
        if (r < 0)
                (void) log_warning(r, "Cannot answer SetPolicy: %m");
        bus_wait_free(wait);
}

/* It is written down by now: a timer that cannot be made is told, and shown by doctor. */
static void on_timer(int error, const char *text, const PolicyTimer *timer, void *userdata)
{
        BusWait *wait = userdata;
        json_t *policy = json_object_get(wait->request, "Policy");

        policies_timer_told(wait->manager->policies, text_of(policy, "Name"), error, text);
        if (error < 0)
                (void) json_object_set_new(policy, "TimerError", json_string(text));
        else if (timer->next_usec > 0)
                (void) json_object_set_new(policy, "NextRunUSec",
                                           json_integer((json_int_t) timer->next_usec));
        (void) json_object_del(policy, "HeardUSec");
        if (store_call(wait->manager->store, store_policy_heard,
                       json_pack("{s:O, s:I}", "Id", json_object_get(policy, "Id"), "NowUSec",
                                 (json_int_t) clock_realtime_usec()),
                       on_heard, wait) < 0)
                on_heard(0, NULL, NULL, NULL, wait);
}

static void on_set(int error, const json_t *out, const char *name, const char *text, void *userdata)
{
        BusWait *wait = userdata;
        const LogContext context = { .principal = text_of(wait->request, "Principal") };

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE, "Policy %s set by %s",
                         text_of(out, "Name"), context.principal);
        policies_changed(wait->manager->policies);
        if (json_object_set_new(wait->request, "Policy", json_deep_copy(out)) < 0)
                bus_wait_fail(wait, BUS_ERROR_FAILED, "Out of memory");
        else if (policy_timers_apply(policies_timers(wait->manager->policies), out, on_timer,
                                     wait) < 0)
                on_timer(-ENOMEM, "systemd cannot be asked", NULL, wait);
}

static void on_checked(int error, const char *text, const PolicyTimer *timer, void *userdata)
{
        BusWait *wait = userdata;
        char refusal[512];

        (void) timer;
        if (error < 0) {
                (void) snprintf(refusal, sizeof(refusal),
                                error == -EINVAL ? "Option calendar: systemd cannot read it (%s); "
                                                   "systemd-analyze calendar shows how it reads one"
                                                 : "systemd cannot be asked about the calendar: %s",
                                text ?: "");
                bus_wait_fail(wait,
                              error == -EINVAL ? BUS_ERROR_INVALID_ARGUMENT : BUS_ERROR_FAILED,
                              refusal);
                return;
        }
        if (store_call(wait->manager->store, store_policy_set, json_deep_copy(wait->request),
                       on_set, wait) < 0)
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "The policy cannot be written down; try again");
}

static int act_set(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        const char *calendar = text_of(request, "Calendar");
        BusWait *wait;
        int r;

        if (request_add_text(request, "Principal", principal) < 0 ||
            json_object_set_new(request, "NowUSec",
                                json_integer((json_int_t) clock_realtime_usec())) < 0)
                return -ENOMEM;
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        r = *calendar ? policy_timers_check(policies_timers(manager->policies), calendar,
                                            on_checked, wait)
                      : store_call(manager->store, store_policy_set, json_deep_copy(request),
                                   on_set, wait);
        return r < 0 ? bad_call(wait, manager, r, error) : 0;
}

static int check_patterns(const json_t *list, const char *name, sd_bus_error *error)
{
        const json_t *value;
        size_t i;

        json_array_foreach (list, i, value)
                if (json_string_length(value) == 0 ||
                    json_string_length(value) > POLICY_PATTERN_MAX)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Option %s: a pattern must have 1 to %d bytes", name,
                                              POLICY_PATTERN_MAX);
        return 0;
}

/* The same letters as systemd's own words of time, so that nothing else comes into a unit's file. */
static int check_calendar(const char *calendar, sd_bus_error *error)
{
        if (!calendar || calendar[strspn(calendar, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                                                   "UVWXYZ0123456789 */,.:~_+-")] == '\0')
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Option calendar must be a time as in systemd.time(7), such as "
                              "\"daily\" or \"Mon..Fri 22:30\"");
}

static const char *const keeps[][2] = {
        { "keep_last", "KeepLast" },       { "keep_hourly", "KeepHourly" },
        { "keep_daily", "KeepDaily" },     { "keep_weekly", "KeepWeekly" },
        { "keep_monthly", "KeepMonthly" }, { "keep_yearly", "KeepYearly" },
};

typedef struct Setting {
        json_t *match, *except;
        const char *repository, *node, *calendar;
        uint64_t delay_usec, full_usec;
        bool persistent, enabled, has_delay, has_full, has_persistent, has_enabled;
        uint32_t keep[ELEMENTSOF(keeps)];
        bool has_keep[ELEMENTSOF(keeps)];
} Setting;

/* Only what was given. */
static json_t *make_request(const char *name, const Setting *s)
{
        json_t *request = json_pack("{s:s, s:O*, s:O*, s:s*, s:s*, s:s*}", "Name", name, "Match",
                                    s->match, "Except", s->except, "Repository", s->repository,
                                    "Node", s->node, "Calendar", s->calendar);

        if (s->has_delay)
                (void) json_object_set_new(request, "RandomizedDelayUSec",
                                           json_integer((json_int_t) s->delay_usec));
        if (s->has_full)
                (void) json_object_set_new(request, "FullEveryUSec",
                                           json_integer((json_int_t) s->full_usec));
        if (s->has_persistent)
                (void) json_object_set_new(request, "Persistent", json_boolean(s->persistent));
        if (s->has_enabled)
                (void) json_object_set_new(request, "Enabled", json_boolean(s->enabled));
        for (size_t i = 0; i < ELEMENTSOF(keeps); i++)
                if (s->has_keep[i])
                        (void) json_object_set_new(request, keeps[i][1], json_integer(s->keep[i]));
        return request;
}

static int read_setting(sd_bus_message *call, Setting *s, sd_bus_error *error)
{
        BusOption options[9 + ELEMENTSOF(keeps)] = {
                { "match", BUS_OPTION_TEXTS, POLICY_PATTERNS_MAX, &s->match, NULL },
                { "except", BUS_OPTION_TEXTS, POLICY_PATTERNS_MAX, &s->except, NULL },
                { "repository", BUS_OPTION_STRING, REPOSITORY_MAX_BYTES, &s->repository, NULL },
                { "node", BUS_OPTION_STRING, NODE_NAME_SIZE - 1, &s->node, NULL },
                { "calendar", BUS_OPTION_STRING, POLICY_CALENDAR_MAX, &s->calendar, NULL },
                { "randomized_delay_usec", BUS_OPTION_UINT64, YEAR_USEC, &s->delay_usec,
                  &s->has_delay },
                { "persistent", BUS_OPTION_BOOL, 0, &s->persistent, &s->has_persistent },
                { "enabled", BUS_OPTION_BOOL, 0, &s->enabled, &s->has_enabled },
                { "full_every_usec", BUS_OPTION_UINT64, 10 * YEAR_USEC, &s->full_usec,
                  &s->has_full },
        };

        for (size_t i = 0; i < ELEMENTSOF(keeps); i++)
                options[9 + i] = (BusOption){ keeps[i][0], BUS_OPTION_UINT32, RETENTION_KEEP_MAX,
                                              s->keep + i, s->has_keep + i };
        return bus_options_read(call, options, ELEMENTSOF(options), error);
}

int method_set_policy(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Setting setting = {};
        json_t *request = NULL;
        const char *name;
        int r;

        r = bus_policy_read_name(call, &name, error);
        if (r >= 0)
                r = read_setting(call, &setting, error);
        if (r >= 0)
                r = check_patterns(setting.match, "match", error);
        if (r >= 0)
                r = check_patterns(setting.except, "except", error);
        if (r >= 0)
                r = check_calendar(setting.calendar, error);
        if (r >= 0)
                request = make_request(name, &setting);
        json_decref(setting.match);
        json_decref(setting.except);
        return r < 0 ? r : bus_call_check(userdata, call, ACTION_MANAGE, request, act_set, error);
}

/* ── Remove ── */

static int answer_removed(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) log_event(LOG_NOTICE, 0, NULL, MESSAGE_NONE, "Policy %s is removed",
                         text_of(out, "Name"));
        policies_timer_told(manager->policies, text_of(out, "Name"), 0, NULL);
        policies_changed(manager->policies);
        policies_look(manager->policies);
        return sd_bus_reply_method_return(call, "");
}

static void on_removed(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                policies_database_ready(wait->manager->policies); /* it has its timer again */
                bus_wait_fail(wait, name, text);
                return;
        }
        if (answer_removed(wait->manager, wait->call, out) < 0)
                (void) log_warning(0, "Cannot answer RemovePolicy");
        bus_wait_free(wait);
}

/* The timer first: should the hub end in between, the policy is there and gets its timer again. */
static void on_timer_removed(int error, const char *text, const PolicyTimer *timer, void *userdata)
{
        BusWait *wait = userdata;

        (void) timer;
        if (error < 0)
                on_removed(error, NULL, BUS_ERROR_FAILED, text, wait);
        else if (store_call(wait->manager->store, store_policy_remove,
                            json_deep_copy(wait->request), on_removed, wait) < 0)
                on_removed(-ENOTCONN, NULL, BUS_ERROR_DATABASE_UNAVAILABLE,
                           "The removal cannot be written down; try again", wait);
}

static int act_remove(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        BusWait *wait;
        int r;

        (void) principal;
        if (manager->database.state != DATABASE_READY)
                return bus_refuse_store(manager, -ENOTCONN, error);
        if (json_object_set_new(request, "NowUSec",
                                json_integer((json_int_t) clock_realtime_usec())) < 0)
                return -ENOMEM;
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        r = policy_timers_remove(policies_timers(manager->policies), text_of(request, "Policy"),
                                 on_timer_removed, wait);
        return r < 0 ? bad_call(wait, manager, r, error) : 0;
}

int method_remove_policy(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r;

        r = bus_policy_read_name(call, &name, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:s}", "Policy", name), act_remove, error);
}

/* ── Run ── */

static void on_run(int error, const json_t *out, const char *name, const char *text, void *userdata)
{
        BusWait *wait = userdata;
        int r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        r = sd_bus_reply_method_return(wait->call, "t",
                                       (uint64_t) json_integer_value(json_object_get(out, "Run")));
        if (r < 0)
                (void) log_warning(r, "Cannot answer RunPolicy: %m");
        bus_wait_free(wait);
}

static int act_run(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        bool is_timer = policy_run_cause_from_string(text_of(request, "Cause")) ==
                        POLICY_CAUSE_TIMER;
        BusWait *wait;
        int r = request_add_text(request, "Principal", principal);

        if (r >= 0 && is_timer && policies_take_late(manager->policies, text_of(request, "Policy")))
                r = request_add_text(request, "Cause",
                                     policy_run_cause_to_string(POLICY_CAUSE_MISSED));
        if (r < 0)
                return r;
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        r = policies_run(manager->policies, request, on_run, wait);
        return r < 0 ? bad_call(wait, manager, r, error) : 0;
}

int method_run_policy(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name, *cause = policy_run_cause_to_string(POLICY_CAUSE_ASKED);
        const BusOption options[] = {
                { "cause", BUS_OPTION_STRING, 16, &cause, NULL },
        };
        PolicyRunCause which;
        int r;

        r = bus_policy_read_name(call, &name, error);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        which = policy_run_cause_from_string(cause);
        if (which != POLICY_CAUSE_ASKED && which != POLICY_CAUSE_TIMER)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option cause must be asked or timer");
        return bus_call_check(userdata, call, ACTION_BACKUP,
                              json_pack("{s:s, s:s, s:s}", "Policy", name, "Kind",
                                        policy_run_kind_to_string(POLICY_RUN_BACKUP), "Cause",
                                        cause),
                              act_run, error);
}
