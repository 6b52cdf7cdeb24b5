/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The timers of policies at PID 1: sendense-policy@<name>.timer, transient, made of the policy's row, and gone with it. What they start is
 * the packaged sendense-policy@<name>.service, which asks the hub for a run. They end with the hub (PartOf=) and are made again by the
 * next one: what was due in between is then due at once, because systemd keeps the time of the last run (Persistent=). Asynchronous;
 * does not log.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct PolicyTimers PolicyTimers;

enum {
        POLICY_NAME_MAX = 64,
        POLICY_CALENDAR_MAX = 255,
};

/* What PID 1 says of a timer. */
typedef struct PolicyTimer {
        bool is_there;
        uint64_t last_usec, next_usec; /* CLOCK_REALTIME; 0: none */
        bool is_made; /* by this very call */
        bool is_late; /* made, and due at once: it was to run while it was not there */
} PolicyTimer;

/* 0, or a negative errno with one line. timer is borrowed, and NULL on failure. */
typedef void (*PolicyTimerDone)(int error, const char *text, const PolicyTimer *timer,
                                void *userdata);

typedef void (*PolicyTimersListed)(int error, const json_t *names, void *userdata);

bool policy_name_is_valid(const char *name);

int policy_timers_new(sd_bus *bus, PolicyTimers **ret_timers);

/* Open calls are answered with -ECANCELED before it returns. NULL. */
PolicyTimers *policy_timers_free(PolicyTimers *timers);

/* Has systemd read the calendar, and makes nothing. -EINVAL with systemd's words when it cannot. */
int policy_timers_check(PolicyTimers *timers, const char *calendar, PolicyTimerDone done,
                        void *userdata);

/* Makes the timer as the policy's row says, or sees to it that there is none. One that is there and as it should be is left
 * alone. */
int policy_timers_apply(PolicyTimers *timers, const json_t *policy, PolicyTimerDone done,
                        void *userdata);

/* Ends the timer and what it has started, and forgets when it last ran. */
int policy_timers_remove(PolicyTimers *timers, const char *name, PolicyTimerDone done,
                         void *userdata);

/* How it stands. */
int policy_timers_ask(PolicyTimers *timers, const char *name, PolicyTimerDone done, void *userdata);

/* The names of the policies that have one. */
int policy_timers_list(PolicyTimers *timers, PolicyTimersListed done, void *userdata);
