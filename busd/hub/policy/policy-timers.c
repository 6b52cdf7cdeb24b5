/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Timers by PID 1 (see policy-timers.h): the calls; what each does stands in policy-timer-call.c.
 */
#include "policy/policy-timers.h"

#include "cleanup.h"
#include "policy/policy-timer-call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool policy_name_is_valid(const char *name)
{
        size_t n = strlen(name);
        static const char letters[] =
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

        return n > 0 && n <= POLICY_NAME_MAX && strchr(letters, name[0]) &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                               n;
}

static bool wants_timer(const json_t *policy)
{
        const char *calendar = json_string_value(json_object_get(policy, "Calendar"));

        return calendar && *calendar && json_is_true(json_object_get(policy, "Enabled"));
}

/* ── From outside ── */

static int call_new(PolicyTimers *timers, TimerAim aim, const char *name, PolicyTimerDone done,
                    void *userdata, TimerCall **ret_call)
{
        TimerCall *call = timers->is_ending ? NULL : malloc(sizeof(*call));

        if (!call)
                return timers->is_ending ? -ECANCELED : -ENOMEM;
        *call = (TimerCall){
                .timers = timers,
                .next = timers->calls,
                .aim = aim,
                .done = done,
                .userdata = userdata,
        };
        (void) snprintf(call->unit, sizeof(call->unit), POLICY_UNIT_PREFIX "%s.timer", name);
        (void) snprintf(call->service, sizeof(call->service), POLICY_UNIT_PREFIX "%s.service",
                        name);
        timers->calls = call;
        *ret_call = call;
        return 0;
}

static int begin(TimerCall *call, TimerStep step)
{
        int r = timer_call_enter(call, step);

        if (r < 0)
                timer_call_free(call);
        return r < 0 ? r : 0;
}

int policy_timers_check(PolicyTimers *timers, const char *calendar, PolicyTimerDone done,
                        void *userdata)
{
        TimerCall *call;
        int r = call_new(timers, AIM_CHECK, "", done, userdata, &call);

        if (r < 0)
                return r;
        (void) snprintf(call->unit, sizeof(call->unit), "sendense-policy-check-%u.timer",
                        timers->n_checks++);
        call->policy = json_pack("{s:s}", "Calendar", calendar);
        return begin(call, STEP_CHECK);
}

int policy_timers_apply(PolicyTimers *timers, const json_t *policy, PolicyTimerDone done,
                        void *userdata)
{
        TimerCall *call;
        int r;

        r = call_new(timers, wants_timer(policy) ? AIM_APPLY : AIM_REMOVE,
                     json_string_value(json_object_get(policy, "Name")), done, userdata, &call);
        if (r < 0)
                return r;
        if (call->aim == AIM_APPLY)
                call->policy = json_deep_copy(policy);
        return begin(call, STEP_ASK);
}

int policy_timers_remove(PolicyTimers *timers, const char *name, PolicyTimerDone done,
                         void *userdata)
{
        TimerCall *call;
        int r = call_new(timers, AIM_REMOVE, name, done, userdata, &call);

        return r < 0 ? r : begin(call, STEP_ASK);
}

int policy_timers_ask(PolicyTimers *timers, const char *name, PolicyTimerDone done, void *userdata)
{
        TimerCall *call;
        int r = call_new(timers, AIM_ASK, name, done, userdata, &call);

        return r < 0 ? r : begin(call, STEP_ASK);
}

/* ── Which there are ── */

static int read_names(sd_bus_message *m, json_t *names)
{
        const char *unit;
        int r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "ssssssouso")) > 0) {
                size_t n;

                r = sd_bus_message_read(m, "s", &unit);
                n = r >= 0 ? strlen(unit) : 0;
                if (r >= 0 && n > strlen(POLICY_UNIT_PREFIX) + strlen(".timer"))
                        (void) json_array_append_new(
                                        names, json_stringn(unit + strlen(POLICY_UNIT_PREFIX),
                                                            n - strlen(POLICY_UNIT_PREFIX) -
                                                                            strlen(".timer")));
                if (r >= 0)
                        r = sd_bus_message_skip(m, "sssssouso");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static void on_listed(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                      void *userdata)
{
        CLEANUP(json_decrefp) json_t *names = json_array();
        PolicyTimers *timers = userdata;
        int r = error;

        (void) text, (void) n_sent;
        if (r == 0)
                r = read_names(reply, names);
        timers->listed(r < 0 ? r : 0, names, timers->listed_userdata);
}

int policy_timers_list(PolicyTimers *timers, PolicyTimersListed done, void *userdata)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (timers->list_call || timers->is_ending)
                return -EBUSY;
        r = systemd_link_message(timers->link, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByPatterns",
                                 &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "asas", 0, 1, POLICY_UNIT_PREFIX "*.timer");
        timers->listed = done;
        timers->listed_userdata = userdata;
        return r < 0 ? r
                     : systemd_link_send(timers->link, m, on_listed, timers, &timers->list_call);
}

DEFINE_CLEANUP(PolicyTimers *, policy_timers_free)

int policy_timers_new(sd_bus *bus, PolicyTimers **ret_timers)
{
        CLEANUP(policy_timers_free_p) PolicyTimers *timers = calloc(1, sizeof(*timers));
        int r;

        if (!timers)
                return -ENOMEM;
        r = systemd_link_new(bus, timer_calls_on_back, timers, &timers->link);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &timers->job_removed, SYSTEMD_NAME, SYSTEMD_PATH,
                                              SYSTEMD_MANAGER, "JobRemoved",
                                              timer_calls_on_job_removed, NULL, timers);
        if (r < 0)
                return r;
        *ret_timers = TAKE(timers);
        return 0;
}

PolicyTimers *policy_timers_free(PolicyTimers *timers)
{
        if (!timers)
                return NULL;
        timers->is_ending = true;
        while (timers->calls)
                timer_call_finish(timers->calls, -ECANCELED, "the hub is stopping", NULL);
        link_call_drop(&timers->list_call);
        sd_bus_slot_unref(timers->job_removed);
        systemd_link_free(timers->link);
        free(timers);
        return NULL;
}
