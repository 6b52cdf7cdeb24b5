/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of a call about a timer (see policy-timer-call.h), one message after the other: look → (hold, stop, clean, let go) →
 * make → look. A timer is held while it is stopped, because systemd forgets its stamp only for a unit that is loaded.
 */
#include "policy/policy-timer-call.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        CLEANS_MAX = 3,
};

#define PROPERTIES "org.freedesktop.DBus.Properties"

/* Says all that the timer is made of: systemd shows a calendar in other words than it was given. */
static void describe(const json_t *policy, char ret_text[static TIMER_DESCRIPTION_SIZE])
{
        (void) snprintf(ret_text, TIMER_DESCRIPTION_SIZE,
                        "Sendense policy %s (%s; up to %" PRIu64 " s later; %s)",
                        json_string_value(json_object_get(policy, "Name")),
                        json_string_value(json_object_get(policy, "Calendar")),
                        (uint64_t) json_integer_value(
                                        json_object_get(policy, "RandomizedDelayUSec")) /
                                        USEC_PER_SEC,
                        json_is_true(json_object_get(policy, "Persistent"))
                                        ? "made up when missed"
                                        : "left out when missed");
}

void timer_call_free(TimerCall *call)
{
        TimerCall **at = &call->timers->calls;

        while (*at && *at != call)
                at = &(*at)->next;
        if (*at)
                *at = call->next;
        link_call_drop(&call->link_call);
        json_decref(call->policy);
        free(call);
}

void timer_call_finish(TimerCall *call, int error, const char *text, const PolicyTimer *timer)
{
        static const PolicyTimer none = {};
        PolicyTimerDone done = call->done;
        void *userdata = call->userdata;

        timer_call_free(call);
        done(error, text, error < 0 ? NULL : timer ?: &none, userdata);
}

static void step_go(TimerCall *call, TimerStep step)
{
        int r = timer_call_enter(call, step);

        if (r < 0)
                timer_call_finish(call, r, "systemd cannot be asked for a timer", NULL);
}

/* ── What a timer is ── */

typedef struct Properties {
        char description[TIMER_DESCRIPTION_SIZE], active[32];
        uint64_t last_usec, next_usec;
        int is_persistent;
} Properties;

static int read_text(sd_bus_message *m, char *ret_text, size_t size)
{
        const char *text;
        int r = sd_bus_message_read(m, "v", "s", &text);

        if (r >= 0)
                (void) snprintf(ret_text, size, "%s", text);
        return r;
}

static int read_property(sd_bus_message *m, const char *name, Properties *p)
{
        if (strcmp(name, "Description") == 0)
                return read_text(m, p->description, sizeof(p->description));
        if (strcmp(name, "ActiveState") == 0)
                return read_text(m, p->active, sizeof(p->active));
        if (strcmp(name, "LastTriggerUSec") == 0)
                return sd_bus_message_read(m, "v", "t", &p->last_usec);
        if (strcmp(name, "Persistent") == 0)
                return sd_bus_message_read(m, "v", "b", &p->is_persistent);
        if (strcmp(name, "NextElapseUSecRealtime") == 0)
                return sd_bus_message_read(m, "v", "t", &p->next_usec);
        return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, Properties *ret)
{
        Properties p = {};
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;

                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_property(m, name, &p);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;
        if (p.next_usec == UINT64_MAX)
                p.next_usec = 0;
        if (p.last_usec == UINT64_MAX)
                p.last_usec = 0;
        *ret = p;
        return 0;
}

static void on_properties(TimerCall *call, const Properties *p)
{
        char description[TIMER_DESCRIPTION_SIZE];
        PolicyTimer timer = {
                .is_there = strcmp(p->active, "active") == 0,
                .last_usec = p->last_usec,
                .next_usec = p->next_usec,
                .is_made = call->was_asked_again,
        };

        timer.is_late = timer.is_made &&
                        (timer.last_usec >= call->made_usec ||
                         (timer.next_usec > 0 && timer.next_usec <= clock_realtime_usec()));
        if (call->aim == AIM_ASK || call->was_asked_again) {
                timer_call_finish(call, 0, NULL, &timer);
                return;
        }
        if (call->aim == AIM_APPLY && call->policy) {
                describe(call->policy, description);
                if (timer.is_there && strcmp(description, p->description) == 0) {
                        timer_call_finish(call, 0, NULL, &timer);
                        return;
                }
        }
        call->has_stamp = p->is_persistent;
        step_go(call, STEP_HOLD);
}

/* ── Steps ── */

static void gone(TimerCall *call)
{
        if (call->was_asked_again)
                timer_call_finish(call, -EIO, "the timer is gone as soon as it is made", NULL);
        else if (call->aim == AIM_APPLY && call->policy)
                step_go(call, STEP_MAKE);
        else if (call->aim == AIM_REMOVE)
                step_go(call, STEP_STOP_SERVICE);
        else
                timer_call_finish(call, 0, NULL, NULL);
}

/* systemd is through with its job, whose end may be told before its beginning is answered. */
static void job_goes_on(TimerCall *call)
{
        if (!call->is_answered || !call->is_told)
                return;
        if (call->has_failed)
                timer_call_finish(call, -EIO, "systemd cannot start or stop the timer", NULL);
        else if (call->step == STEP_STOPPED)
                step_go(call, call->has_stamp ? STEP_CLEAN : STEP_RELEASE);
        else {
                call->was_asked_again = true;
                step_go(call, STEP_ASK);
        }
}

static bool has_job(const TimerCall *call)
{
        return call->step == STEP_STOP || call->step == STEP_STOPPED || call->step == STEP_MAKE ||
               call->step == STEP_MADE;
}

int timer_calls_on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *job, *unit, *result;
        PolicyTimers *timers = userdata;
        uint32_t id;

        (void) error;
        if (!systemd_link_sent(timers->link, m) ||
            sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0)
                return 0;
        for (TimerCall *call = timers->calls; call; call = call->next)
                if (has_job(call) && !call->is_told && strcmp(call->unit, unit) == 0) {
                        call->is_told = true;
                        call->has_failed = strcmp(result, "done") != 0;
                        job_goes_on(call);
                        break;
                }
        return 0;
}

/* PID 1 was away, and what it told meanwhile is lost: what was asked of it is done by now. */
void timer_calls_on_back(void *userdata)
{
        PolicyTimers *timers = userdata;
        TimerCall *call = timers->calls;

        while (call) {
                if (!has_job(call) || call->is_told) {
                        call = call->next;
                        continue;
                }
                call->is_told = true;
                job_goes_on(call);
                call = timers->calls;
        }
}

static void job_answered(TimerCall *call, TimerStep step)
{
        call->step = step;
        call->is_answered = true;
        job_goes_on(call);
}

/* The answer of each step, and what follows from it. A unit that is not there is no failure of what ends it. */
static void on_reply(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                     void *userdata)
{
        TimerCall *call = userdata;
        const char *path;
        Properties p;

        (void) n_sent;
        switch (call->step) {
        case STEP_ASK:
                if (error == -ENOENT) {
                        gone(call);
                        return;
                }
                if (error == 0 && sd_bus_message_read(reply, "o", &path) >= 0) {
                        (void) snprintf(call->path, sizeof(call->path), "%s", path);
                        step_go(call, STEP_READ);
                        return;
                }
                break;
        case STEP_READ:
                if (error == 0 && read_properties(reply, &p) >= 0) {
                        on_properties(call, &p);
                        return;
                }
                break;
        case STEP_HOLD:
                if (error == -ENOENT) {
                        gone(call);
                        return;
                }
                if (error == 0) {
                        step_go(call, STEP_STOP);
                        return;
                }
                break;
        case STEP_STOP:
                if (error == 0) {
                        job_answered(call, STEP_STOPPED);
                        return;
                }
                break;
        case STEP_CLEAN: /* polkit may have been slow */
                if (error < 0 && error != -ENOENT && ++call->n_cleans < CLEANS_MAX) {
                        step_go(call, STEP_CLEAN);
                        return;
                }
                if (error == 0 || error == -ENOENT) {
                        step_go(call, STEP_RELEASE);
                        return;
                }
                break;
        case STEP_RELEASE:
                gone(call);
                return;
        case STEP_STOP_SERVICE:
                timer_call_finish(call, 0, NULL, NULL);
                return;
        case STEP_MAKE:
                if (error == 0) {
                        job_answered(call, STEP_MADE);
                        return;
                }
                break;
        case STEP_CHECK:
                /* It was read, and refused only because nobody may start it. */
                if (error < 0 && strstr(text ?: "", "by dependency only"))
                        error = 0;
                timer_call_finish(call, error, text, NULL);
                return;
        case STEP_STOPPED:
        case STEP_MADE:
                return;
        }
        timer_call_finish(call, error < 0 ? error : -EBADMSG,
                          text ?: "systemd's answer about a timer cannot be read", NULL);
}

static int append_make(TimerCall *call, sd_bus_message *m)
{
        const json_t *policy = call->policy;
        char description[TIMER_DESCRIPTION_SIZE];

        describe(policy, description);
        return sd_bus_message_append(
                        m, "ssa(sv)a(sa(sv))", call->unit, "replace", 7, "Description", "s",
                        description, "TimersCalendar", "a(ss)", 1, "OnCalendar",
                        json_string_value(json_object_get(policy, "Calendar")), "Persistent", "b",
                        (int) json_is_true(json_object_get(policy, "Persistent")),
                        "RandomizedDelayUSec", "t",
                        (uint64_t) json_integer_value(
                                        json_object_get(policy, "RandomizedDelayUSec")),
                        "AccuracyUSec", "t", USEC_PER_SEC, "PartOf", "as", 1,
                        "sendense-hub.service", "CollectMode", "s", "inactive-or-failed", 0);
}

/* Read by systemd and never started. */
static int append_check(TimerCall *call, sd_bus_message *m)
{
        return sd_bus_message_append(m, "ssa(sv)a(sa(sv))", call->unit, "fail", 2, "TimersCalendar",
                                     "a(ss)", 1, "OnCalendar",
                                     json_string_value(json_object_get(call->policy, "Calendar")),
                                     "RefuseManualStart", "b", 1, 0);
}

static int append_arguments(TimerCall *call, sd_bus_message *m)
{
        switch (call->step) {
        case STEP_ASK:
        case STEP_HOLD:
        case STEP_RELEASE:
                return sd_bus_message_append(m, "s", call->unit);
        case STEP_READ:
                return sd_bus_message_append(m, "s", "");
        case STEP_STOP:
                return sd_bus_message_append(m, "ss", call->unit, "replace");
        case STEP_STOP_SERVICE:
                return sd_bus_message_append(m, "ss", call->service, "replace");
        case STEP_CLEAN:
                return sd_bus_message_append(m, "sas", call->unit, 1, "state");
        case STEP_MAKE:
                return append_make(call, m);
        case STEP_CHECK:
                return append_check(call, m);
        case STEP_STOPPED:
        case STEP_MADE:
                break;
        }
        return -EINVAL;
}

int timer_call_enter(TimerCall *call, TimerStep step)
{
        static const char *const methods[] = {
                [STEP_ASK] = "GetUnit",
                [STEP_READ] = "GetAll",
                [STEP_HOLD] = "RefUnit",
                [STEP_STOP] = "StopUnit",
                [STEP_CLEAN] = "CleanUnit",
                [STEP_RELEASE] = "UnrefUnit",
                [STEP_STOP_SERVICE] = "StopUnit",
                [STEP_MAKE] = "StartTransientUnit",
                [STEP_CHECK] = "StartTransientUnit",
        };
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        SystemdLink *link = call->timers->link;
        bool is_read = step == STEP_READ;
        int r;

        call->step = step;
        call->is_answered = call->is_told = false;
        if (step == STEP_MAKE)
                call->made_usec = clock_realtime_usec();
        r = systemd_link_message(link, is_read ? call->path : SYSTEMD_PATH,
                                 is_read ? PROPERTIES : SYSTEMD_MANAGER, methods[step], &m);
        if (r >= 0)
                r = append_arguments(call, m);
        return r < 0 ? r : systemd_link_send(link, m, on_reply, call, &call->link_call);
}
