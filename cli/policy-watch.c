/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for a run (see policy-watch.h). The hub tells of the jobs of a run as they end, and not of the run: it is looked at after
 * each, and now and then, since a run may have no job. A hub that is restarted goes on with the run, so it is waited for, too.
 */
#include "policy-watch.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "columns.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "names.h"
#include "output.h"
#include "parse.h"
#include "policy-types.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LOOK_USEC (2 * USEC_PER_SEC)

typedef struct PolicyWatch {
        sd_bus *bus;
        const char *policy;
        uint64_t run;
        bool has_news, is_away;
} PolicyWatch;

static int on_news(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
        PolicyWatch *watch = userdata;

        (void) signal, (void) unused;
        watch->has_news = true;
        return 0;
}

static int add_matches(PolicyWatch *watch)
{
        int r;

        r = sd_bus_match_signal(watch->bus, NULL, HUB_BUS_NAME, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                                "JobRemoved", on_news, watch);
        return r < 0 ? r
                     : sd_bus_add_match(watch->bus, NULL,
                                        "type='signal',sender='org.freedesktop.DBus',"
                                        "path='/org/freedesktop/DBus',"
                                        "interface='org.freedesktop.DBus',"
                                        "member='NameOwnerChanged',arg0='" HUB_BUS_NAME "'",
                                        on_news, watch);
}

/* Until a signal comes, or for so long. */
static int wait_for_news(PolicyWatch *watch)
{
        int r;

        watch->has_news = false;
        do
                r = sd_bus_process(watch->bus, NULL);
        while (r > 0);
        if (r < 0 || watch->has_news)
                return r;
        r = sd_bus_wait(watch->bus, LOOK_USEC);
        return r == -EINTR ? 0 : r;
}

/* What ends by itself, when it was well before. */
static bool passes(const sd_bus_error *error)
{
        static const char *const names[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_NO_REPLY,
                SD_BUS_ERROR_TIMEOUT,         BUS_ERROR_DATABASE_UNAVAILABLE, BUS_ERROR_BUSY,
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (sd_bus_error_has_name(error, names[i]))
                        return true;
        return false;
}

/* The row of the run, NULL: the hub cannot say at the moment. */
static ExitStatus look(PolicyWatch *watch, json_t **ret_run)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(json_decref_p) json_t *policy = NULL;
        json_t *run;
        ExitStatus s;
        size_t i;
        int r;

        *ret_run = NULL;
        s = hub_new_call(watch->bus, "GetPolicy", false, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_append(message, "sa{sv}", watch->policy, 0);
        if (r < 0)
                return hub_complain_arguments(r);
        r = sd_bus_call(watch->bus, message, hub_call_timeout_usec(message), &error, &reply);
        if (r < 0 && !passes(&error))
                return hub_explain(&error, "GetPolicy");
        if (r < 0) {
                if (!watch->is_away)
                        (void) complain(CTL_OK,
                                        "the hub does not answer; waiting for it. Ctrl-C ends the "
                                        "waiting, not the run");
                watch->is_away = true;
                return CTL_OK;
        }
        watch->is_away = false;
        s = hub_read_answer(reply, "a{sv}", &policy);
        if (s != CTL_OK)
                return s;
        json_array_foreach (json_object_get(policy, "Runs"), i, run)
                if ((uint64_t) number_of(run, "Id") == watch->run) {
                        *ret_run = json_incref(run);
                        return CTL_OK;
                }
        return complain(CTL_FAILED, "run %" PRIu64 " is not among the last of policy %s",
                        watch->run, watch->policy);
}

static ExitStatus tell_end(const PolicyWatch *watch, PolicyRunState state, const json_t *run)
{
        if (arg_json && output_json(run) < 0)
                return complain(CTL_FAILED, "Out of memory");
        if (state != POLICY_RUN_COMPLETED)
                return complain(CTL_FAILED,
                                "run %" PRIu64 " of policy %s %s: %s. All of it: sendensectl "
                                "policy show %s",
                                watch->run, watch->policy, text_of(run, "State"),
                                text_of(run, "Summary"), watch->policy);
        if (!arg_json)
                output_line("run %" PRIu64 ": %s: %s", watch->run, text_of(run, "State"),
                            text_of(run, "Summary"));
        return CTL_OK;
}

static ExitStatus watch_to_end(PolicyWatch *watch)
{
        for (;;) {
                CLEANUP(json_decref_p) json_t *run = NULL;
                PolicyRunState state;
                ExitStatus s;
                int r;

                s = look(watch, &run);
                if (s != CTL_OK)
                        return s;
                state = run ? policy_run_state_from_string(text_of(run, "State"))
                            : POLICY_RUN_RUNNING;
                if (state != POLICY_RUN_RUNNING)
                        return tell_end(watch, state, run);
                r = wait_for_news(watch);
                if (r < 0)
                        return complain(CTL_UNAVAILABLE, "Cannot wait for run %" PRIu64 ": %s",
                                        watch->run, strerror(-r));
        }
}

ExitStatus policy_watch(const char *policy, uint64_t run)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        PolicyWatch watch = { .policy = policy, .run = run };
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s != CTL_OK)
                return s;
        watch.bus = bus;
        r = add_matches(&watch);
        return r < 0 ? complain(CTL_FAILED, "Cannot wait for run %" PRIu64 ": %s", run,
                                strerror(-r))
                     : watch_to_end(&watch);
}
