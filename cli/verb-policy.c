/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl policy set|list|show|remove|run|prune: what is backed up by itself, and how long it is kept.
 */
#include "bus/bus-value.h"
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"
#include "parse.h"
#include "policy-watch.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
        KEEP_MAX = 10000, /* as the hub has it */
        SPAN_MAX_SEC = 3650 * 86400,
};

/* ── Lists ── */

static char *join(const json_t *list)
{
        char *text = strdup("");
        const json_t *value;
        size_t i;

        json_array_foreach (list, i, value) {
                char *longer = text ? text_format("%s%s%s", text, i > 0 ? " " : "",
                                                  json_string_value(value) ?: "?")
                                    : NULL;

                free(text);
                text = longer;
        }
        return text;
}

static char *cell_list(const json_t *object, const char *key)
{
        const json_t *list = json_object_get(object, key);

        return json_array_size(list) > 0 ? join(list) : strdup("-");
}

static char *cell_keep(const json_t *object, const char *key)
{
        static const char *const keeps[][2] = {
                { "KeepLast", "last" },       { "KeepHourly", "hourly" },
                { "KeepDaily", "daily" },     { "KeepWeekly", "weekly" },
                { "KeepMonthly", "monthly" }, { "KeepYearly", "yearly" },
        };
        char *text = strdup("");

        (void) key;
        for (size_t i = 0; i < ELEMENTSOF(keeps) && text; i++) {
                json_int_t n = number_of(object, keeps[i][0]);
                char *longer;

                if (n == 0)
                        continue;
                longer = text_format("%s%s%" JSON_INTEGER_FORMAT " %s", text, *text ? ", " : "", n,
                                     keeps[i][1]);
                free(text);
                text = longer;
        }
        if (text && !*text) {
                free(text);
                return strdup("all");
        }
        return text;
}

static char *cell_calendar(const json_t *object, const char *key)
{
        const char *calendar = text_of(object, key);

        if (!*calendar)
                return strdup("when asked to");
        return json_is_true(json_object_get(object, "Enabled"))
                               ? strdup(calendar)
                               : text_format("%s (switched off)", calendar);
}

static char *cell_last(const json_t *object, const char *key)
{
        (void) key;
        if (number_of(object, "LastRun") == 0)
                return strdup("-");
        return text_format("%s%s%s", text_of(object, "LastRunState"),
                           strcmp(text_of(object, "LastRunCause"), "missed") == 0 ? ", made up"
                                                                                  : "",
                           *text_of(object, "TimerError") ? "; no timer" : "");
}

static char *cell_span(const json_t *object, const char *key)
{
        json_int_t days = number_of(object, key) / (json_int_t) (86400 * USEC_PER_SEC);

        return number_of(object, key) == 0 ? strdup("never by itself")
               : days > 0                  ? text_format("%" JSON_INTEGER_FORMAT " d", days)
                                           : text_format("%" JSON_INTEGER_FORMAT " s",
                                                         number_of(object, key) / (json_int_t) USEC_PER_SEC);
}

static char *cell_yes(const json_t *object, const char *key)
{
        return strdup(json_is_true(json_object_get(object, key)) ? "yes" : "no");
}

ExitStatus verb_policy_list(int argc, char *argv[])
{
        static const Column columns[] = {
                { "POLICY", "Name", cell_text, false },
                { "VMS", "Match", cell_list, false },
                { "CALENDAR", "Calendar", cell_calendar, false },
                { "NEXT RUN", "NextRunUSec", cell_time, false },
                { "LAST RUN", "LastRunUSec", cell_time, false },
                { "", "LastRunState", cell_last, false },
                { "KEEPS", "KeepLast", cell_keep, false },
        };
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListPolicies", false, "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, columns, ELEMENTSOF(columns),
                                       "There is no policy. Make one: sendensectl policy set NAME "
                                       "--vm='*' --calendar=daily --keep-last=14")
                           : s;
}

/* ── One ── */

static const Column policy_columns[] = {
        { "Policy", "Name", cell_text, false },
        { "VMs", "Match", cell_list, false },
        { "But not", "Except", cell_list, false },
        { "Calendar", "Calendar", cell_calendar, false },
        { "Next run", "NextRunUSec", cell_time, false },
        { "Timer", "TimerError", cell_text, false },
        { "Missed runs made up", "Persistent", cell_yes, false },
        { "Repository", "Repository", cell_text, false },
        { "Node", "Node", cell_text, false },
        { "A full every", "FullEveryUSec", cell_span, false },
        { "Keeps", "KeepLast", cell_keep, false },
        { "Set by", "Principal", cell_text, false },
        { "Last success", "LastSuccessUSec", cell_time, false },
};

static const Column run_columns[] = {
        { "RUN", "Id", cell_number, true },
        { "BEGAN", "CreatedUSec", cell_time, false },
        { "ENDED", "FinishedUSec", cell_time, false },
        { "WHY", "Cause", cell_text, false },
        { "KIND", "Kind", cell_text, false },
        { "STATE", "State", cell_text, false },
        { "SUMMARY", "Summary", cell_text, false },
};

static const Column vm_columns[] = {
        { "VM", "Vm", cell_text, false },
        { "STATE", "State", cell_text, false },
        { "BACKUP", "BackupId", cell_text, false },
        { "DELETED", "Deleted", cell_number, true },
        { "BEFORE", "BeforeBytes", cell_bytes, true },
        { "AFTER", "AfterBytes", cell_bytes, true },
        { "REMARK", "Reason", cell_text, false },
};

static ExitStatus print_runs(const json_t *policy)
{
        const json_t *runs = json_object_get(policy, "Runs"), *run;
        size_t i;

        if (json_array_size(runs) == 0) {
                output_line("It has not run yet.");
                return CTL_OK;
        }
        if (columns_print_table(runs, run_columns, ELEMENTSOF(run_columns)) < 0)
                return complain(CTL_FAILED, "Out of memory");
        json_array_foreach (runs, i, run) {
                const json_t *vms = json_object_get(run, "Vms");

                if (json_array_size(vms) == 0)
                        continue;
                (void) putchar('\n');
                output_line("Of run %" JSON_INTEGER_FORMAT ":", number_of(run, "Id"));
                return columns_print_table(vms, vm_columns, ELEMENTSOF(vm_columns)) < 0
                                       ? complain(CTL_FAILED, "Out of memory")
                                       : CTL_OK;
        }
        return CTL_OK;
}

ExitStatus verb_policy_show(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *policy = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("GetPolicy", false, "a{sv}", &policy, "sa{sv}", argv[0], 0);
        if (s == CTL_OK)
                s = show_object(policy, policy_columns, ELEMENTSOF(policy_columns));
        if (s != CTL_OK || arg_json)
                return s;
        (void) putchar('\n');
        return print_runs(policy);
}

/* ── Setting ── */

static int append_texts(sd_bus_message *m, const char *name, Option option)
{
        const char *text;
        int r;

        if (!option_is_given(option))
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        /* An empty one stands for none. */
        for (size_t i = 0; r >= 0 && (text = option_nth(option, i)); i++)
                if (*text)
                        r = sd_bus_message_append(m, "s", text);
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_text(sd_bus_message *m, const char *name, Option option)
{
        const char *text = option_value(option);

        return text ? sd_bus_message_append(m, "{sv}", name, "s", text) : 0;
}

/* -ERANGE: it is no such value, which is complained about. */
static int append_span(sd_bus_message *m, const char *name, Option option, const char *words)
{
        const char *text = option_value(option);
        uint64_t usec = 0;

        if (!text)
                return 0;
        if (strcmp(text, "0") != 0 && strcmp(text, "never") != 0 &&
            parse_span_usec(text, USEC_PER_SEC, SPAN_MAX_SEC * USEC_PER_SEC, &usec) < 0) {
                (void) complain(CTL_USAGE, "--%s=%s: must be a time, such as 30min or 7d, or 0",
                                words, text);
                return -ERANGE;
        }
        return sd_bus_message_append(m, "{sv}", name, "t", usec);
}

static int append_bool(sd_bus_message *m, const char *name, Option option)
{
        const char *text = option_value(option);
        bool value;

        if (!text)
                return 0;
        if (parse_bool(text, &value) < 0) {
                (void) complain(CTL_USAGE, "--%s= must be yes or no", name);
                return -ERANGE;
        }
        return sd_bus_message_append(m, "{sv}", name, "b", (int) value);
}

static int append_keeps(sd_bus_message *m)
{
        static const struct {
                Option option;
                const char *name;
        } keeps[] = {
                { OPTION_KEEP_LAST, "keep_last" },       { OPTION_KEEP_HOURLY, "keep_hourly" },
                { OPTION_KEEP_DAILY, "keep_daily" },     { OPTION_KEEP_WEEKLY, "keep_weekly" },
                { OPTION_KEEP_MONTHLY, "keep_monthly" }, { OPTION_KEEP_YEARLY, "keep_yearly" },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(keeps) && r >= 0; i++) {
                const char *text = option_value(keeps[i].option);
                uint64_t n = 0;

                if (!text)
                        continue;
                if (parse_uint64(text, 0, KEEP_MAX, &n) < 0) {
                        (void) complain(CTL_USAGE, "--keep-%s=%s: must be a number from 0 to %d",
                                        keeps[i].name + strlen("keep_"), text, KEEP_MAX);
                        return -ERANGE;
                }
                r = sd_bus_message_append(m, "{sv}", keeps[i].name, "u", (uint32_t) n);
        }
        return r;
}

static int append_setting(sd_bus_message *m, const char *policy)
{
        int r;

        r = sd_bus_message_append(m, "s", policy);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_texts(m, "match", OPTION_VM);
        if (r >= 0)
                r = append_texts(m, "except", OPTION_EXCEPT);
        if (r >= 0)
                r = append_text(m, "repository", OPTION_REPOSITORY);
        if (r >= 0)
                r = append_text(m, "node", OPTION_THROUGH);
        if (r >= 0)
                r = append_text(m, "calendar", OPTION_CALENDAR);
        if (r >= 0)
                r = append_span(m, "randomized_delay_usec", OPTION_RANDOM_DELAY, "random-delay");
        if (r >= 0)
                r = append_span(m, "full_every_usec", OPTION_FULL_EVERY, "full-every");
        if (r >= 0)
                r = append_bool(m, "persistent", OPTION_PERSISTENT);
        if (r >= 0)
                r = append_bool(m, "enabled", OPTION_ENABLED);
        if (r >= 0)
                r = append_keeps(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

ExitStatus verb_policy_set(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *policy = NULL;
        ExitStatus s;
        int r;

        (void) argc;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "SetPolicy", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_setting(message, argv[0]);
        if (r < 0)
                return r == -ERANGE ? CTL_USAGE : hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "a{sv}", &policy);
        if (s != CTL_OK)
                return s;
        s = show_object(policy, policy_columns, ELEMENTSOF(policy_columns));
        if (s == CTL_OK && *text_of(policy, "TimerError"))
                return complain(CTL_NOT_WELL, "the policy is written down, and has no timer: %s",
                                text_of(policy, "TimerError"));
        return s;
}

ExitStatus verb_policy_remove(int argc, char *argv[])
{
        ExitStatus s;

        (void) argc;
        s = hub_ask("RemovePolicy", true, "", NULL, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_act("Removed", json_string(argv[0]),
                                      "policy %s is removed, and its timer. Its backups stay.",
                                      argv[0])
                           : s;
}

ExitStatus verb_policy_run(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *run = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("RunPolicy", true, "t", &run, "sa{sv}", argv[0], 0);
        if (s == CTL_OK && option_is_given(OPTION_WAIT))
                return policy_watch(argv[0], (uint64_t) json_integer_value(run));
        return s == CTL_OK ? show_act("Run", json_incref(run),
                                      "run %" JSON_INTEGER_FORMAT
                                      ". See it: sendensectl policy show %s",
                                      json_integer_value(run), argv[0])
                           : s;
}

/* ── What goes ── */

static char *cell_stays(const json_t *object, const char *key)
{
        return strdup(json_is_true(json_object_get(object, key)) ? "stays" : "goes");
}

static const Column plan_columns[] = {
        { "VM", "Vm", cell_text, false },
        { "BACKUP", "BackupId", cell_text, false },
        { "MADE", "CreatedUSec", cell_time, false },
        { "HOLDS", "SizeBytes", cell_bytes, true },
        { "", "Stays", cell_stays, false },
        { "WHY", "Reason", cell_text, false },
};

static ExitStatus ask_plan(const char *policy, bool is_dry, json_t **ret_plan, uint64_t *ret_run)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        const char *vm = option_value(OPTION_VM);
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "Prune", true, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_append(message, "s", policy);
        if (r >= 0)
                r = vm ? sd_bus_message_append(message, "a{sv}", 2, "dry_run", "b", (int) is_dry,
                                               "vm", "s", vm)
                       : sd_bus_message_append(message, "a{sv}", 1, "dry_run", "b", (int) is_dry);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s != CTL_OK)
                return s;
        if (!sd_bus_message_has_signature(reply, "taa{sv}") ||
            sd_bus_message_read(reply, "t", ret_run) < 0 || bus_value_read(reply, ret_plan) < 0)
                return complain(CTL_FAILED, "the hub's answer cannot be read. Compare: sendensectl "
                                            "version");
        return CTL_OK;
}

ExitStatus verb_policy_prune(int argc, char *argv[])
{
        bool is_dry = option_is_given(OPTION_DRY_RUN);
        bool waits = !is_dry && option_is_given(OPTION_WAIT);
        CLEANUP(json_decref_p) json_t *plan = NULL;
        uint64_t run = 0;
        ExitStatus s;

        (void) argc;
        s = ask_plan(argv[0], is_dry, &plan, &run);
        if (s == CTL_OK && (!waits || !arg_json))
                s = show_list(plan, plan_columns, ELEMENTSOF(plan_columns),
                              "There is no backup of the VMs that the policy is for.");
        if (s == CTL_OK && waits)
                return policy_watch(argv[0], run);
        if (s == CTL_OK && !is_dry && !arg_json)
                output_line("Run %" PRIu64
                            " deletes them, one after the other. See it: sendensectl "
                            "policy show %s",
                            run, argv[0]);
        return s;
}
