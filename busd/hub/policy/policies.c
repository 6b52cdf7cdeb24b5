/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of policies (see policies.h).
 */
#include "policy/policies.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "job/jobs.h"
#include "log.h"
#include "parse.h"
#include "policy-types.h"
#include "policy/policy-plan.h"
#include "policy/policy-run.h"
#include "repository/repositories.h"
#include "store/store-policy-run.h"
#include "store/store-policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_USEC (5 * USEC_PER_SEC) /* while a run is open; what ends is looked at at once */

struct Policies {
        Jobs *jobs;
        Repositories *repositories;
        PolicyTimers *timers;
        sd_event_source *tick;

        json_t *rows; /* whose timers are being made; NULL: none are */
        size_t next;
        bool wants_timers; /* meanwhile the rows were to be looked at again */
        json_t *errors, *late; /* by the name of the policy */

        bool is_looking, wants_look, is_changed;
        bool has_runs; /* open ones, at the last look */
        unsigned n_open; /* steps that are under way, and one for the look itself */
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

PolicyTimers *policies_timers(const Policies *policies)
{
        return policies->timers;
}

static bool may_work(const Policies *policies)
{
        const Jobs *jobs = policies->jobs;

        return jobs->is_loaded && !jobs->is_going_down &&
               store_status(jobs->store)->state == DATABASE_READY;
}

/* ── Timers ── */

const char *policies_timer_error(const Policies *policies, const char *name)
{
        return text_of(policies->errors, name);
}

void policies_timer_told(Policies *policies, const char *name, int error, const char *text)
{
        if (error >= 0) {
                (void) json_object_del(policies->errors, name);
                return;
        }
        (void) log_warning(0, "Policy %s has no timer: %s", name, text);
        (void) json_object_set_new(policies->errors, name, json_string(text));
}

bool policies_take_late(Policies *policies, const char *name)
{
        return json_object_del(policies->late, name) == 0;
}

static void on_missed(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        (void) out, (void) name, (void) userdata;
        if (error < 0 && error != -ENOTCONN && error != -ECANCELED)
                (void) log_warning(error, "A run that was missed cannot begin: %s", text);
}

static void on_heard(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        (void) error, (void) out, (void) name, (void) text, (void) userdata;
}

/* The first one that it has: that systemd notes its beginning is no run. */
static void note_first(Policies *policies, const json_t *policy)
{
        (void) store_call(policies->jobs->store, store_policy_heard,
                          json_pack("{s:O, s:I}", "Id", json_object_get(policy, "Id"), "NowUSec",
                                    (json_int_t) clock_realtime_usec()),
                          on_heard, NULL);
}

/* Its timer told before the hub ended, or the machine, and nobody heard it. What a timer tells at once is on its way. */
static void make_up(Policies *policies, const json_t *policy, const PolicyTimer *timer)
{
        uint64_t heard_usec = (uint64_t) json_integer_value(json_object_get(policy, "HeardUSec"));
        CLEANUP(json_decrefp) json_t *request = NULL;

        if (timer->is_made && timer->last_usec == 0)
                note_first(policies, policy);
        if (timer->is_late)
                (void) json_object_set_new(policies->late, text_of(policy, "Name"), json_true());
        if (!timer->is_made || timer->is_late || timer->last_usec <= heard_usec ||
            !json_is_true(json_object_get(policy, "Persistent")))
                return;
        request = json_pack("{s:O, s:s, s:s, s:s}", "Policy", json_object_get(policy, "Name"),
                            "Kind", policy_run_kind_to_string(POLICY_RUN_BACKUP), "Cause",
                            policy_run_cause_to_string(POLICY_CAUSE_MISSED), "Principal", "hub");
        if (request)
                (void) policies_run(policies, request, on_missed, NULL);
}

static void apply_next(Policies *policies);

static void on_applied(int error, const char *text, const PolicyTimer *timer, void *userdata)
{
        Policies *policies = userdata;
        const json_t *policy = json_array_get(policies->rows, policies->next - 1);

        policies_timer_told(policies, text_of(policy, "Name"), error, text);
        if (timer)
                make_up(policies, policy, timer);
        apply_next(policies);
}

static void on_strayed(int error, const char *text, const PolicyTimer *timer, void *userdata)
{
        (void) timer, (void) userdata;
        if (error < 0)
                (void) log_warning(error, "A timer of no policy cannot be ended: %s", text);
}

static bool is_known(const Policies *policies, const char *name)
{
        const json_t *row;
        size_t i;

        json_array_foreach (policies->rows, i, row)
                if (strcmp(text_of(row, "Name"), name) == 0)
                        return true;
        return false;
}

static void on_listed(int error, const json_t *names, void *userdata)
{
        Policies *policies = userdata;
        const json_t *name;
        size_t i;

        (void) error;
        /* Rows that are older than a change know nothing of a policy that is new. */
        json_array_foreach (policies->wants_timers ? NULL : names, i, name)
                if (policy_name_is_valid(json_string_value(name)) &&
                    !is_known(policies, json_string_value(name)))
                        (void) policy_timers_remove(policies->timers, json_string_value(name),
                                                    on_strayed, NULL);
        json_decref(TAKE(policies->rows));
        if (policies->wants_timers)
                policies_database_ready(policies);
}

/* One after the other; then those that are nobody's are ended. */
static void apply_next(Policies *policies)
{
        const json_t *row;

        while ((row = json_array_get(policies->rows, policies->next++)))
                if (policy_timers_apply(policies->timers, row, on_applied, policies) >= 0)
                        return;
        if (policy_timers_list(policies->timers, on_listed, policies) < 0)
                json_decref(TAKE(policies->rows));
}

static void on_policies(int error, const json_t *out, const char *name, const char *text,
                        void *userdata)
{
        Policies *policies = userdata;

        (void) name;
        if (error < 0) {
                if (error != -ENOTCONN && error != -ECANCELED && error != -ETIMEDOUT)
                        (void) log_warning(error, "Cannot look which policies there are: %s", text);
                return;
        }
        if (policies->rows) {
                policies->wants_timers = true;
                return;
        }
        policies->wants_timers = false;
        policies->rows = json_deep_copy(json_object_get(out, "Policies"));
        policies->next = 0;
        apply_next(policies);
}

void policies_changed(Policies *policies)
{
        if (policies->rows)
                policies->wants_timers = true;
}

void policies_database_ready(Policies *policies)
{
        (void) store_call(policies->jobs->store, store_policy_list, json_object(), on_policies,
                          policies);
        policies->has_runs = true; /* there may be */
        policies_look(policies);
}

/* ── Runs ── */

typedef struct Begin {
        Policies *policies;
        json_t *request;
        StoreAnswer done;
        void *userdata;
} Begin;

static void on_begun(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        Begin *begin = userdata;
        const LogContext context = { .principal = text_of(begin->request, "Principal") };

        if (error >= 0 && json_is_true(json_object_get(out, "Skipped")))
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_POLICY_RUN_SKIPPED,
                                 "Policy %s is not run: %s", text_of(out, "Policy"),
                                 text_of(out, "Summary"));
        else if (error >= 0)
                (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE,
                                 "Run %" JSON_INTEGER_FORMAT " of policy %s (%s, %s) begins for "
                                 "%" JSON_INTEGER_FORMAT " VMs, asked for by %s",
                                 json_integer_value(json_object_get(out, "Run")),
                                 text_of(out, "Policy"), text_of(begin->request, "Kind"),
                                 text_of(begin->request, "Cause"),
                                 json_integer_value(json_object_get(out, "Vms")),
                                 context.principal);
        begin->policies->has_runs = true;
        policies_look(begin->policies);
        begin->done(error, out, name, text, begin->userdata);
        json_decref(begin->request);
        free(begin);
}

int policies_run(Policies *policies, json_t *request, StoreAnswer done, void *userdata)
{
        Begin *begin = malloc(sizeof(*begin));
        int r;

        if (!begin)
                return -ENOMEM;
        *begin = (Begin){ policies, json_incref(request), done, userdata };
        r = json_object_set_new(request, "NowUSec",
                                json_integer((json_int_t) clock_realtime_usec())) < 0
                            ? -ENOMEM
                            : store_call(policies->jobs->store, store_policy_run_begin,
                                         json_deep_copy(request), on_begun, begin);
        if (r < 0) {
                json_decref(begin->request);
                free(begin);
        }
        return r;
}

int policies_plan(const Policies *policies, const json_t *vm, json_t **ret_rows)
{
        CLEANUP(json_decrefp)
        json_t *place = json_pack("{s:O}", "Id", json_object_get(vm, "RepositoryId"));

        if (!place)
                return -ENOMEM;
        repositories_add_health(policies->repositories, place);
        return policy_plan(vm, text_of(place, "State"), clock_realtime_usec(), ret_rows);
}

/* ── Looking ── */

static void one_ended(Policies *policies)
{
        if (--policies->n_open > 0)
                return;
        policies->is_looking = false;
        if (policies->wants_look || policies->is_changed)
                policies_look(policies);
}

static void on_step(bool is_changed, void *userdata)
{
        Policies *policies = userdata;

        policies->is_changed = policies->is_changed || is_changed;
        one_ended(policies);
}

static void on_run_ended(int error, const json_t *out, const char *name, const char *text,
                         void *userdata)
{
        bool is_bad = strcmp(text_of(out, "State"),
                             policy_run_state_to_string(POLICY_RUN_COMPLETED)) != 0;
        Policies *policies = userdata;

        (void) name;
        if (error >= 0)
                (void) log_event(is_bad ? LOG_WARNING : LOG_NOTICE, 0, NULL,
                                 is_bad ? MESSAGE_POLICY_RUN_FAILED : MESSAGE_NONE,
                                 "The run of policy %s is %s: %s", text_of(out, "Policy"),
                                 text_of(out, "State"), text_of(out, "Summary"));
        else if (error != -ESTALE && error != -ENOTCONN && error != -ECANCELED)
                (void) log_warning(error, "The end of a run cannot be written down: %s", text);
        one_ended(policies);
}

static void look_at_run(Policies *policies, const json_t *run)
{
        const PolicyStepper stepper = { policies->jobs, policies, on_step, policies };
        const json_t *vms = json_object_get(run, "Vms"), *vm;
        size_t i;

        if (json_array_size(vms) == 0) {
                policies->n_open++;
                if (store_call(policies->jobs->store, store_policy_run_end,
                               json_pack("{s:O, s:I}", "Run", json_object_get(run, "Id"), "NowUSec",
                                         (json_int_t) clock_realtime_usec()),
                               on_run_ended, policies) < 0)
                        policies->n_open--;
        }
        json_array_foreach (vms, i, vm) {
                policies->n_open++;
                if (policy_step(&stepper, run, vm) == 0)
                        policies->n_open--;
        }
}

static void on_loaded(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        Policies *policies = userdata;
        const json_t *run;
        size_t i;

        (void) name;
        if (error < 0 && error != -ENOTCONN && error != -ECANCELED && error != -ETIMEDOUT)
                (void) log_warning(error, "Cannot look how the runs of policies stand: %s", text);
        if (error >= 0)
                policies->has_runs = json_array_size(json_object_get(out, "Runs")) > 0;
        json_array_foreach (json_object_get(out, "Runs"), i, run)
                if (may_work(policies))
                        look_at_run(policies, run);
        one_ended(policies);
}

void policies_look(Policies *policies)
{
        if (policies->is_looking) {
                policies->wants_look = true;
                return;
        }
        policies->wants_look = policies->is_changed = false;
        if (!policies->has_runs || !may_work(policies))
                return; /* the tick */
        policies->is_looking = true;
        policies->n_open = 1;
        if (store_call(policies->jobs->store, store_policy_run_load, json_object(), on_loaded,
                       policies) < 0)
                policies->is_looking = false;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) usec;
        policies_look(userdata);
        (void) sd_event_source_set_time_relative(source, LOOK_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

DEFINE_CLEANUP(Policies *, policies_free)

int policies_new(sd_bus *bus, Jobs *jobs, Repositories *repositories, Policies **ret_policies)
{
        CLEANUP(policies_free_p) Policies *policies = calloc(1, sizeof(*policies));
        int r;

        if (!policies)
                return -ENOMEM;
        policies->jobs = jobs;
        policies->repositories = repositories;
        policies->errors = json_object();
        policies->late = json_object();
        r = policies->errors && policies->late ? policy_timers_new(bus, &policies->timers)
                                               : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_time_relative(jobs->event, &policies->tick, CLOCK_MONOTONIC,
                                               LOOK_USEC, USEC_PER_SEC, on_tick, policies);
        if (r < 0)
                return r;
        *ret_policies = TAKE(policies);
        return 0;
}

void policies_going_down(Policies *policies)
{
        if (policies)
                policies->timers = policy_timers_free(policies->timers);
}

Policies *policies_free(Policies *policies)
{
        if (!policies)
                return NULL;
        sd_event_source_disable_unref(policies->tick);
        policy_timers_free(policies->timers);
        json_decref(policies->rows);
        json_decref(policies->errors);
        json_decref(policies->late);
        free(policies);
        return NULL;
}
