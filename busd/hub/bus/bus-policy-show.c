/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies on the bus: listed, shown, and which backups they would delete. When the next run is due is asked of systemd.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-json.h"
#include "bus/bus-methods.h"
#include "bus/bus-policy.h"
#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "policy-types.h"
#include "policy/policies.h"
#include "policy/policy-match.h"
#include "store/store-policy-run.h"
#include "store/store-policy.h"

#include <errno.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* ── Those there are ── */

typedef struct Asking {
        BusWait *wait;
        json_t *policies;
        size_t next;
        bool is_one;
} Asking;

static void ask_next(Asking *asking);

static void answer(Asking *asking)
{
        int r = asking->is_one ? bus_reply_dict(asking->wait->call,
                                                json_array_get(asking->policies, 0))
                               : bus_reply_dicts(asking->wait->call, asking->policies);

        if (r < 0)
                (void) log_warning(r, "Cannot answer which policies there are: %m");
        bus_wait_free(asking->wait);
        json_decref(asking->policies);
        free(asking);
}

static void on_timer(int error, const char *text, const PolicyTimer *timer, void *userdata)
{
        Asking *asking = userdata;
        json_t *policy = json_array_get(asking->policies, asking->next - 1);
        const char *problem = policies_timer_error(asking->wait->manager->policies,
                                                   text_of(policy, "Name"));

        if (error < 0)
                (void) json_object_set_new(policy, "TimerError", json_string(text));
        else if (*problem)
                (void) json_object_set_new(policy, "TimerError", json_string(problem));
        else if (timer->next_usec > 0)
                (void) json_object_set_new(policy, "NextRunUSec",
                                           json_integer((json_int_t) timer->next_usec));
        ask_next(asking);
}

static void ask_next(Asking *asking)
{
        const PolicyTimer none = {};
        json_t *policy = json_array_get(asking->policies, asking->next++);

        if (!policy) {
                answer(asking);
                return;
        }
        (void) json_object_del(policy, "HeardUSec");
        if (!json_object_get(policy, "Calendar") ||
            policy_timers_ask(policies_timers(asking->wait->manager->policies),
                              text_of(policy, "Name"), on_timer, asking) < 0)
                on_timer(0, NULL, &none, asking);
}

static void on_rows(int error, const json_t *out, const char *name, const char *text,
                    void *userdata)
{
        Asking *asking = userdata;

        if (error < 0) {
                bus_wait_fail(asking->wait, name, text);
                free(asking);
                return;
        }
        asking->policies = asking->is_one ? json_pack("[o]", json_deep_copy(out))
                                          : json_deep_copy(json_object_get(out, "Policies"));
        ask_next(asking);
}

static int act_show(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        Asking *asking = calloc(1, sizeof(*asking));
        int r;

        (void) principal;
        if (!asking)
                return -ENOMEM;
        asking->is_one = json_object_get(request, "Policy") != NULL;
        asking->wait = bus_wait_new(manager, call, request);
        r = asking->wait ? store_call(manager->store,
                                      asking->is_one ? store_policy_get : store_policy_list,
                                      json_deep_copy(request), on_rows, asking)
                         : -ENOMEM;
        if (r >= 0)
                return 0;
        bus_wait_free(asking->wait);
        free(asking);
        return bus_refuse_store(manager, r, error);
}

int method_list_policies(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, json_object(), act_show,
                                      error);
}

int method_get_policy(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r;

        r = bus_policy_read_name(call, &name, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT,
                                      json_pack("{s:s}", "Policy", name), act_show, error);
}

/* ── What goes ── */

static int reply_plan(sd_bus_message *call, uint64_t run, const json_t *rows)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "t", run);
        if (r >= 0)
                r = bus_json_append_dicts(reply, rows);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static void answer_plan(BusWait *wait, uint64_t run)
{
        int r = reply_plan(wait->call, run, json_object_get(wait->request, "Plan"));

        if (r < 0)
                (void) log_warning(r, "Cannot answer Prune: %m");
        bus_wait_free(wait);
}

static void on_run(int error, const json_t *out, const char *name, const char *text, void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0)
                bus_wait_fail(wait, name, text);
        else
                answer_plan(wait, (uint64_t) json_integer_value(json_object_get(out, "Run")));
}

static int make_plan(const Manager *manager, const json_t *vms, json_t *plan)
{
        const json_t *vm;
        size_t i;

        json_array_foreach (vms, i, vm) {
                CLEANUP(json_decrefp) json_t *rows = NULL;
                int r = policies_plan(manager->policies, vm, &rows);

                if (r < 0 || json_array_extend(plan, rows) < 0)
                        return r < 0 ? r : -ENOMEM;
        }
        return 0;
}

static void on_looked(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        CLEANUP(json_decrefp) json_t *request = NULL;
        json_t *plan = json_array();
        BusWait *wait = userdata;

        if (error < 0) {
                json_decref(plan);
                bus_wait_fail(wait, name, text);
                return;
        }
        if (!plan || make_plan(wait->manager, json_object_get(out, "Vms"), plan) < 0 ||
            json_object_set_new(wait->request, "Plan", plan) < 0) {
                bus_wait_fail(wait, BUS_ERROR_FAILED, "The plan cannot be made");
                return;
        }
        if (json_is_true(json_object_get(wait->request, "DryRun"))) {
                answer_plan(wait, 0);
                return;
        }
        request = json_pack("{s:O, s:s, s:s, s:O}", "Policy",
                            json_object_get(wait->request, "Policy"), "Kind",
                            policy_run_kind_to_string(POLICY_RUN_PRUNE), "Cause",
                            policy_run_cause_to_string(POLICY_CAUSE_ASKED), "Principal",
                            json_object_get(wait->request, "Principal"));
        if (!request || policies_run(wait->manager->policies, request, on_run, wait) < 0)
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "The run cannot be written down; try again");
}

static int act_prune(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        int r = request_add_text(request, "Principal", principal);
        BusWait *wait = r >= 0 ? bus_wait_new(manager, call, request) : NULL;

        if (!wait)
                return -ENOMEM;
        r = store_call(manager->store, store_policy_look, json_deep_copy(request), on_looked, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

int method_prune(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name, *vm = NULL;
        bool is_dry = false;
        const BusOption options[] = {
                { "dry_run", BUS_OPTION_BOOL, 0, &is_dry, NULL },
                { "vm", BUS_OPTION_STRING, POLICY_PATTERN_MAX, &vm, NULL },
        };
        int r;

        r = bus_policy_read_name(call, &name, error);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (vm && !is_dry)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option vm goes with dry_run: a policy prunes all its VMs");
        return bus_call_check(
                        userdata, call, is_dry ? ACTION_INSPECT : ACTION_DELETE,
                        json_pack("{s:s, s:b, s:s*}", "Policy", name, "DryRun", is_dry, "Vm", vm),
                        act_prune, error);
}
