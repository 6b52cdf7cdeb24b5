/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks of diagnose.h. Each is a few lines that end in one row; those that need an answer from
 * another service are asked together.
 */
#include "diagnose.h"

#include "bus/bus-json.h"
#include "cleanup.h"
#include "hub-config.h"
#include "job/export-watch.h"
#include "job/jobs.h"
#include "job/sweep.h"
#include "manager.h"
#include "node/nodes.h"
#include "parse.h"
#include "policy-types.h"
#include "policy/policies.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#define ASK_TIMEOUT_USEC (3 * USEC_PER_SEC)

typedef struct Diagnosis {
        Manager *manager;
        json_t *rows;
        unsigned n_open; /* questions */
        DiagnoseDone done;
        void *userdata;
} Diagnosis;

typedef enum Verdict {
        VERDICT_OK,
        VERDICT_WARNING,
        VERDICT_BAD,
} Verdict;

static const char *const verdict_words[] = { "ok", "warning", "bad" };

static void add(Diagnosis *d, const char *check, Verdict verdict, const char *remedy,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
static void add(Diagnosis *d, const char *check, Verdict verdict, const char *remedy,
                const char *format, ...)
{
        char text[768];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) json_array_append_new(d->rows,
                                     json_pack("{s:s, s:s, s:s, s:s*}", "Check", check, "Verdict",
                                               verdict_words[verdict], "Text", text, "Remedy",
                                               verdict == VERDICT_OK ? NULL : remedy));
}

static void check_database(Diagnosis *d)
{
        const StoreStatus *status = &d->manager->database;

        if (status->state == DATABASE_READY)
                add(d, "database", VERDICT_OK, NULL, "ready, schema %" PRIu32, status->schema);
        else
                add(d, "database", VERDICT_BAD,
                    "systemctl status mariadb sendense-migrate; the hub goes on by itself",
                    "%s: %s", database_state_to_string(status->state), status->error);
}

static void check_key(Diagnosis *d)
{
        if (nodes_key(d->manager->nodes))
                add(d, "master key", VERDICT_OK, NULL, "secrets of nodes can be sealed");
        else
                add(d, "master key", VERDICT_WARNING,
                    "systemctl start sendense-key, then systemctl restart sendense-hub", "%s",
                    nodes_key_error(d->manager->nodes));
}

static bool is_leased(const Jobs *jobs, uint16_t port)
{
        for (size_t i = 0; i < jobs->n_all; i++)
                for (size_t j = 0; j < jobs->all[i]->n_disks; j++)
                        if (jobs->all[i]->disks[j].port == port)
                                return true;
        return false;
}

static void check_ports(Diagnosis *d)
{
        const PortRange *range = &d->manager->config->export_ports;
        unsigned n_leased = 0, n_taken = 0, first_taken = 0,
                 n = (unsigned) range->last - range->first + 1;

        for (unsigned port = range->first; port <= range->last; port++) {
                if (is_leased(d->manager->jobs, (uint16_t) port))
                        n_leased++;
                else if (export_port_is_free((uint16_t) port) < 0 && n_taken++ == 0)
                        first_taken = port;
        }
        if (n_taken == 0)
                add(d, "ports", VERDICT_OK, NULL, "%u of %u for exports are free, %u leased",
                    n - n_leased, n, n_leased);
        else
                add(d, "ports", n_taken + n_leased < n ? VERDICT_WARNING : VERDICT_BAD,
                    "ss -ltnp shows who has them; end it, or choose another [Exports] Ports=",
                    "%u of %u are in use by programs that are not ours, the first is %u", n_taken,
                    n, first_taken);
}

static void check_repositories(Diagnosis *d, const json_t *repositories)
{
        uint64_t reserve = d->manager->config->repository_reserve_bytes;
        json_t *row;
        size_t i;

        json_array_foreach (repositories, i, row) {
                const char *name = json_string_value(json_object_get(row, "Name")) ?: "?";
                const char *state = json_string_value(json_object_get(row, "State")) ?: "unknown";
                uint64_t free_bytes =
                                (uint64_t) json_integer_value(json_object_get(row, "FreeBytes"));
                char check[96];

                (void) snprintf(check, sizeof(check), "repository %s", name);
                if (strcmp(state, "failed") == 0)
                        add(d, check, VERDICT_BAD,
                            "sendensectl repository check tells when it is good", "%s",
                            json_string_value(json_object_get(row, "Error")));
                else if (strcmp(state, "ok") != 0)
                        add(d, check, VERDICT_WARNING, "sendensectl repository check looks now",
                            "not looked at yet");
                else if (free_bytes < reserve)
                        add(d, check, VERDICT_BAD, "make room, or lower [Repositories] MinFree=",
                            "%" PRIu64 " MiB are free, and [Repositories] MinFree= wants %" PRIu64,
                            free_bytes >> 20, reserve >> 20);
                else
                        add(d, check, VERDICT_OK, NULL, "%" PRIu64 " GiB are free",
                            free_bytes >> 30);
        }
}

static bool run_is_bad(const json_t *policy)
{
        const char *word = json_string_value(json_object_get(policy, "LastRunState"));
        PolicyRunState state = policy_run_state_from_string(word ?: "");

        return state == POLICY_RUN_FAILED || state == POLICY_RUN_SKIPPED;
}

static void check_policies(Diagnosis *d, const json_t *policies)
{
        size_t i, n_bad = 0;
        json_t *policy;

        json_array_foreach (policies, i, policy) {
                const char *name = json_string_value(json_object_get(policy, "Name")) ?: "?";
                const char *problem = policies_timer_error(d->manager->policies, name);
                char check[96], remedy[128];

                (void) snprintf(check, sizeof(check), "policy %s", name);
                (void) snprintf(remedy, sizeof(remedy), "sendensectl policy show %s", name);
                if (*problem)
                        add(d, check, VERDICT_BAD,
                            "mend what it says, then systemctl restart sendense-hub",
                            "has no timer: %s", problem);
                else if (run_is_bad(policy))
                        add(d, check, VERDICT_WARNING, remedy, "its last run %s: %s",
                            json_string_value(json_object_get(policy, "LastRunState")),
                            json_string_value(json_object_get(policy, "LastRunSummary")) ?: "");
                else
                        continue;
                n_bad++;
        }
        if (json_array_size(policies) > 0 && n_bad == 0)
                add(d, "policies", VERDICT_OK, NULL, "%zu, none of whose last runs failed",
                    json_array_size(policies));
}

static void check_jobs(Diagnosis *d)
{
        unsigned n = sweeper_n_open(d->manager->sweeper);

        if (!d->manager->jobs->is_loaded)
                add(d, "jobs", VERDICT_BAD, "see database and systemd",
                    "the hub has not taken up its open jobs yet");
        else if (n > 0)
                add(d, "obligations", VERDICT_WARNING,
                    "sendensectl obligation list shows them, sendensectl cleanup tries now",
                    "%u things of earlier jobs could not be undone yet", n);
        else
                add(d, "obligations", VERDICT_OK, NULL, "nothing is owed");
}

static void check_clock(Diagnosis *d)
{
        struct timex state = {};

        if (time(NULL) < 1704067200) /* the year 2024: backups are named by time */
                add(d, "clock", VERDICT_BAD, "timedatectl set-ntp true",
                    "the clock is before 2024");
        else if (adjtimex(&state) >= 0 && (state.status & STA_UNSYNC))
                add(d, "clock", VERDICT_WARNING, "timedatectl set-ntp true",
                    "the clock is not synchronised");
        else
                add(d, "clock", VERDICT_OK, NULL, "synchronised");
}

static void end_question(Diagnosis *d)
{
        if (--d->n_open > 0)
                return;
        d->done(d->rows, d->userdata);
        json_decref(d->rows);
        free(d);
}

static int on_polkit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Diagnosis *d = userdata;

        (void) error;
        if (sd_bus_message_is_method_error(m, NULL))
                add(d, "polkit", VERDICT_BAD, "systemctl status polkit",
                    "does not answer (%s): the hub may start no unit, and only root may call it",
                    sd_bus_message_get_error(m)->message ?: "");
        else
                add(d, "polkit", VERDICT_OK, NULL, "answers");
        end_question(d);
        return 0;
}

static int on_template(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Diagnosis *d = userdata;
        const char *state = "";

        (void) error;
        if (sd_bus_message_is_method_error(m, NULL))
                add(d, "units", VERDICT_BAD,
                    "systemctl daemon-reload; is all of the package installed?",
                    "systemd does not know sendense-job@.target: %s",
                    sd_bus_message_get_error(m)->message ?: "");
        else if (sd_bus_message_read(m, "s", &state) >= 0)
                add(d, "units", VERDICT_OK, NULL, "systemd knows the units of jobs (%s)", state);
        end_question(d);
        return 0;
}

static void ask(Diagnosis *d)
{
        sd_bus *bus = d->manager->bus;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *polkit = NULL, *template = NULL;
        int r;

        d->n_open++;
        r = sd_bus_message_new_method_call(bus, &polkit, "org.freedesktop.PolicyKit1",
                                           "/org/freedesktop/PolicyKit1/Authority",
                                           "org.freedesktop.DBus.Peer", "Ping");
        if (r < 0 || sd_bus_call_async(bus, NULL, polkit, on_polkit, d, ASK_TIMEOUT_USEC) < 0)
                d->n_open--;
        d->n_open++;
        r = sd_bus_message_new_method_call(bus, &template, "org.freedesktop.systemd1",
                                           "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", "GetUnitFileState");
        if (r >= 0)
                r = sd_bus_message_append(template, "s", "sendense-job@.target");
        if (r < 0 || sd_bus_call_async(bus, NULL, template, on_template, d, ASK_TIMEOUT_USEC) < 0)
                d->n_open--;
}

int diagnose(Manager *manager, const json_t *repositories, const json_t *policies,
             DiagnoseDone done, void *userdata)
{
        Diagnosis *d = malloc(sizeof(Diagnosis));

        if (d)
                *d = (Diagnosis){
                        .manager = manager,
                        .rows = json_array(),
                        .n_open = 1, /* ours, so that no early answer ends it */
                        .done = done,
                        .userdata = userdata,
                };
        if (!d || !d->rows) {
                free(d);
                return -ENOMEM;
        }
        check_database(d);
        check_key(d);
        check_jobs(d);
        check_ports(d);
        check_repositories(d, repositories);
        check_policies(d, policies);
        check_clock(d);
        ask(d);
        end_question(d);
        return 0;
}
