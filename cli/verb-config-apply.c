/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl config apply: settings that changed come into force. Reads and checks the files as "config check" does, compares
 * them with those that it applied last, which it keeps in a folder of root's, and has systemd restart or reload what
 * runs by the old ones (apply-plan.h). Asks nobody but systemd.
 */
#include "apply-plan.h"
#include "cleanup.h"
#include "columns.h"
#include "config-files.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"
#include "parse.h"
#include "small-file.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLIED_FOLDER SENDENSE_STATE_DIR "-applied"

enum {
        APPLIED_SIZE_MAX = 64 * 1024,
        JOB_SEC = 120, /* more than any unit of ours may take to start */
};

/* Of one daemon. */
typedef struct Part {
        const Daemon *daemon; /* NULL: not meant, or not installed */
        Settings settings;
        bool is_known; /* what was applied before */
        json_t *applied; /* the values now: "[Section] Key=" to text */
} Part;

typedef struct Apply {
        sd_bus *bus;
        Part parts[DAEMONS];
        json_t *files, *changed, *steps; /* for --json, and to be printed */
        unsigned concerns;
        ApplyNow now;
        ApplyPlan plan;
} Apply;

static void apply_done(Apply *apply)
{
        for (size_t i = 0; i < DAEMONS; i++) {
                settings_done(&apply->parts[i].settings);
                json_decref(apply->parts[i].applied);
        }
        json_decref(apply->files);
        json_decref(apply->changed);
        json_decref(apply->steps);
        sd_bus_flush_close_unref(apply->bus);
}

static char *applied_path(const Daemon *daemon)
{
        return text_format(APPLIED_FOLDER "/%s.json", daemon->name);
}

/* NULL when nothing was applied, or nothing that can be read. */
static json_t *read_applied(const Daemon *daemon)
{
        _cleanup_free_ char *path = applied_path(daemon), *data = NULL;
        json_t *applied;
        size_t size;

        if (!path || small_file_read(path, APPLIED_SIZE_MAX, &data, &size) < 0)
                return NULL;
        applied = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(applied))
                return applied;
        json_decref(applied);
        return NULL;
}

static int write_applied(const Part *part)
{
        _cleanup_free_ char *path = applied_path(part->daemon);
        _cleanup_free_ char *text = json_dumps(part->applied, JSON_INDENT(2));

        if (!path || !text)
                return -ENOMEM;
        if (mkdir(APPLIED_FOLDER, 0755) < 0 && errno != EEXIST)
                return -errno;
        return small_file_write(path, 0644, text, strlen(text));
}

static int compare_setting(Apply *apply, Part *part, const json_t *before, size_t i)
{
        const Config *config = part->settings.config;
        const ConfigKey *key = config->keys + i;
        const char *value = config_value(config, i), *was;
        _cleanup_free_ char *name = text_format("[%s] %s=", key->section, key->name);
        bool is_node = part->daemon == daemons + DAEMON_NODE;

        if (!name || json_object_set_new(part->applied, name, json_string(value)) < 0)
                return -ENOMEM;
        /* One that a newer version knows. */
        was = json_string_value(json_object_get(before, name)) ?: key->fallback;
        if (!before || strcmp(was, value) == 0)
                return 0;
        apply->concerns |= apply_concerns(is_node, key->section, key->name);
        return json_array_append_new(apply->changed,
                                     json_pack("{s:s, s:s, s:s, s:s}", "daemon", part->daemon->name,
                                               "setting", name, "was", was, "is", value));
}

static int compare(Apply *apply, Part *part)
{
        CLEANUP(json_decref_p) json_t *before = read_applied(part->daemon);
        int r = 0;

        part->is_known = before != NULL;
        part->applied = json_object();
        if (!part->applied)
                return -ENOMEM;
        for (size_t i = 0; i < part->settings.config->n_keys && r >= 0; i++)
                r = compare_setting(apply, part, before, i);
        if (!part->is_known)
                apply->concerns |= apply_all_concerns(part->daemon == daemons + DAEMON_NODE);
        return r;
}

/* Which daemons are here, and are their settings good? Nothing is done unless all are. */
static ExitStatus read_parts(Apply *apply)
{
        ExitStatus s = CTL_OK;
        size_t n = 0;

        /* Before they are read: what changes while this runs is seen the next time. */
        apply->now.hub_usec = settings_changed_usec(daemons + DAEMON_HUB);
        apply->now.node_usec = settings_changed_usec(daemons + DAEMON_NODE);
        for (size_t i = option_is_given(OPTION_NODE) ? DAEMON_NODE : 0; i < DAEMONS; i++) {
                SystemdUnit unit;
                ExitStatus of_one;
                int r = systemd_look(apply->bus, daemons[i].unit, &unit);

                if (r < 0)
                        return complain(CTL_UNAVAILABLE, "systemd does not say how %s stands: %s",
                                        daemons[i].unit, strerror(-r));
                if (!unit.is_loaded)
                        continue;
                n++;
                apply->parts[i].daemon = daemons + i;
                of_one = settings_check(daemons + i, &apply->parts[i].settings, NULL, apply->files);
                if (of_one == CTL_FAILED)
                        return of_one;
                s = s == CTL_OK ? of_one : s;
        }
        return n > 0 ? s
                     : complain(CTL_FAILED, "%s installed here",
                                option_is_given(OPTION_NODE) ? "No node is"
                                                             : "Neither hub nor node is");
}

static ExitStatus make_plan(Apply *apply)
{
        ApplyNow *now = &apply->now;
        int r = 0;

        for (size_t i = 0; i < DAEMONS && r >= 0; i++)
                if (apply->parts[i].daemon)
                        r = compare(apply, apply->parts + i);
        if (r < 0)
                return complain(CTL_FAILED, "Out of memory");
        now->has_tls = apply->parts[DAEMON_HUB].daemon &&
                       *apply->parts[DAEMON_HUB].settings.hub.api_listen;
        now->has_hub = apply->parts[DAEMON_NODE].daemon &&
                       *apply->parts[DAEMON_NODE].settings.node.tunnel_hub;
        for (ApplyUnit unit = 0; unit < APPLY_UNIT_MAX; unit++) {
                r = systemd_look(apply->bus, apply_unit_name(unit), now->units + unit);
                if (r < 0)
                        return complain(CTL_UNAVAILABLE, "systemd does not say how %s stands: %s",
                                        apply_unit_name(unit), strerror(-r));
        }
        apply_plan(now, apply->concerns, &apply->plan);
        return CTL_OK;
}

static ExitStatus show_changes(const Apply *apply)
{
        CLEANUP(json_decref_p)
        json_t *rows = json_pack("[[s, s, s, s]]", "DAEMON", "SETTING", "WAS", "IS");
        const json_t *change;
        size_t i;

        for (i = 0; i < DAEMONS; i++)
                if (apply->parts[i].daemon && !apply->parts[i].is_known)
                        output_line("Which settings of the %s changed is not known: nothing was "
                                    "applied before. What runs since before its files changed "
                                    "is started anew, this once.",
                                    apply->parts[i].daemon->name);
        json_array_foreach (apply->changed, i, change)
                if (json_array_append_new(rows, json_pack("[s, s, s, s]", text_of(change, "daemon"),
                                                          text_of(change, "setting"),
                                                          text_of(change, "was"),
                                                          text_of(change, "is"))) < 0)
                        return complain(CTL_FAILED, "Out of memory");
        if (json_array_size(apply->changed) > 0 && output_table(rows, 0) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

typedef struct Words {
        const char *method, *would, *done;
} Words;

static const Words *words_of(const char *method)
{
        static const Words words[] = {
                { "StopUnit", "would be stopped", "stopped" },
                { "StartUnit", "would be started", "started" },
                { "RestartUnit", "would be restarted", "restarted" },
                { "ReloadOrRestartUnit", "would be reloaded", "reloaded" },
                { "ReloadOrTryRestartUnit", "would be reloaded", "reloaded" },
                { "Reload", "would read its units anew", "has read its units anew" },
        };
        const Words *w = words;

        while (strcmp(w->method, method) != 0)
                w++;
        return w;
}

static const char *reason_of(int r)
{
        switch (-r) {
        case EIO:
                return "it does not come up";
        case ENOENT:
                return "there is no such unit";
        case ETIMEDOUT:
                return "it takes too long";
        default:
                return strerror(-r);
        }
}

static int take_step(Apply *apply, const ApplyStep *step)
{
        const char *unit = apply_unit_name(step->unit);
        bool is_dry = option_is_given(OPTION_DRY_RUN);
        int r = 0;

        if (!is_dry && step->unit == APPLY_UNIT_SYSTEMD)
                r = sd_bus_call_method(apply->bus, SYSTEMD_MANAGER, step->method, NULL, NULL, NULL);
        else if (!is_dry)
                r = systemd_job(apply->bus, step->method, unit, JOB_SEC * USEC_PER_SEC);
        if (r < 0)
                (void) complain(CTL_FAILED, "%s: %s: %s. Look at it: systemctl status %s", unit,
                                step->method, reason_of(r), unit);
        else if (!arg_json)
                output_line("%s: %s", unit,
                            is_dry ? words_of(step->method)->would : words_of(step->method)->done);
        return json_array_append_new(apply->steps,
                                     json_pack("{s:s, s:s, s:b}", "unit", unit, "method",
                                               step->method, "done", !is_dry && r >= 0)) < 0
                               ? -ENOMEM
                               : r;
}

/* Those after one that fails are taken, too: what was stopped must come back. So nobody ends it in between: each step has its time. */
static ExitStatus take_steps(Apply *apply)
{
        ExitStatus s = CTL_OK;
        sigset_t all;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_BLOCK, &all, NULL);

        for (size_t i = 0; i < apply->plan.n_steps; i++)
                if (take_step(apply, apply->plan.steps + i) < 0)
                        s = CTL_FAILED;
        return s;
}

static void show_others(const Apply *apply)
{
        for (ApplyUnit unit = 0; unit < APPLY_UNIT_MAX; unit++) {
                if ((apply->plan.not_running & 1U << unit) && apply->now.units[unit].is_loaded)
                        output_line("%s: does not run, and reads its settings when it is started",
                                    apply_unit_name(unit));
                if (apply->plan.has_read & 1U << unit)
                        output_line("%s: has begun since, and runs by these settings",
                                    apply_unit_name(unit));
        }
        if (apply->plan.n_steps == 0)
                output_line("Nothing is to be done.");
}

static ExitStatus keep_applied(const Apply *apply)
{
        for (size_t i = 0; i < DAEMONS; i++) {
                int r = apply->parts[i].daemon ? write_applied(apply->parts + i) : 0;

                if (r < 0)
                        return complain(CTL_FAILED,
                                        "What was applied cannot be kept in %s, for the next "
                                        "time: %s",
                                        APPLIED_FOLDER, strerror(-r));
        }
        return CTL_OK;
}

static ExitStatus apply_all(Apply *apply)
{
        ExitStatus s = make_plan(apply);

        if (s == CTL_OK && !arg_json)
                s = show_changes(apply);
        if (s == CTL_OK)
                s = take_steps(apply);
        if (s == CTL_OK && !arg_json)
                show_others(apply);
        if (s == CTL_OK && !option_is_given(OPTION_DRY_RUN))
                s = keep_applied(apply);
        return s;
}

ExitStatus verb_config_apply(int argc, char *argv[])
{
        CLEANUP(apply_done)
        Apply apply = { .files = json_array(), .changed = json_array(), .steps = json_array() };
        CLEANUP(json_decref_p) json_t *answer = NULL;
        ExitStatus s;
        int r;

        (void) argc, (void) argv;
        if (geteuid() != 0 && !option_is_given(OPTION_DRY_RUN))
                return complain(CTL_DENIED, "Units are restarted by root alone; --dry-run shows "
                                            "what would be done");
        s = hub_connect(&apply.bus);
        if (s != CTL_OK)
                return s;
        r = sd_bus_call_method(apply.bus, SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
        if (r < 0)
                return complain(CTL_UNAVAILABLE, "systemd does not answer: %s", strerror(-r));
        s = read_parts(&apply);
        if (s == CTL_OK)
                s = apply_all(&apply);
        if (!arg_json)
                return s;
        answer = json_pack("{s:O, s:O, s:O}", "files", apply.files, "changed", apply.changed,
                           "steps", apply.steps);
        if (!answer || output_json(answer) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return s;
}
