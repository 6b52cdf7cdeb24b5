/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call about one timer, as the steps it goes through at PID 1. Only the rooms of policy-timers.h see this.
 */
#pragma once

#include "policy/policy-timers.h"
#include "unit/systemd-link.h"

#include <stdbool.h>
#include <stdint.h>

#define POLICY_UNIT_PREFIX "sendense-policy@"

enum {
        TIMER_UNIT_SIZE = sizeof(POLICY_UNIT_PREFIX) + POLICY_NAME_MAX + sizeof(".service"),
        TIMER_DESCRIPTION_SIZE = 512,
        TIMER_PATH_SIZE = 256,
};

typedef enum TimerStep {
        STEP_ASK, /* where it is */
        STEP_READ, /* what it is */
        STEP_HOLD,
        STEP_STOP,
        STEP_STOPPED, /* the stop is asked for, its end is told by a signal */
        STEP_CLEAN,
        STEP_RELEASE,
        STEP_STOP_SERVICE,
        STEP_MAKE,
        STEP_MADE, /* as STEP_STOPPED */
        STEP_CHECK,
} TimerStep;

typedef enum TimerAim {
        AIM_ASK,
        AIM_APPLY, /* make, or remove when it is to have none */
        AIM_REMOVE,
        AIM_CHECK,
} TimerAim;

typedef struct TimerCall TimerCall;
struct TimerCall {
        PolicyTimers *timers;
        TimerCall *next;
        LinkCall *link_call;
        TimerAim aim;
        TimerStep step;
        char unit[TIMER_UNIT_SIZE], service[TIMER_UNIT_SIZE], path[TIMER_PATH_SIZE];
        json_t *policy; /* AIM_APPLY with a timer */
        bool is_answered, is_told; /* of the job that stops or makes it */
        bool has_failed; /* that */
        bool has_stamp; /* the time of its last run, which is to be forgotten */
        unsigned n_cleans;
        bool was_asked_again; /* it has been made: the next look is the last */
        uint64_t made_usec;
        PolicyTimerDone done;
        void *userdata;
};

struct PolicyTimers {
        SystemdLink *link;
        sd_bus_slot *job_removed;
        TimerCall *calls;
        LinkCall *list_call;
        PolicyTimersListed listed;
        void *listed_userdata;
        unsigned n_checks;
        bool is_ending; /* takes no more calls */
};

/* The next step: its message is sent. Then the call ends by itself. */
int timer_call_enter(TimerCall *call, TimerStep step);

/* Takes it off the list, without an answer; or with one. */
void timer_call_free(TimerCall *call);
void timer_call_finish(TimerCall *call, int error, const char *text, const PolicyTimer *timer);

/* For the link and the bus: PID 1 is back; one of its jobs is over. */
void timer_calls_on_back(void *userdata);
int timer_calls_on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error);
