/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan of a pruning (see policy-plan.h).
 */
#include "policy/policy-plan.h"

#include "cleanup.h"
#include "job/retention.h"
#include "parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        DOUBT_SIZE = 256,
        REASON_SIZE = 384,
};

/* Clocks of hubs that follow each other may differ by so much. */
#define CLOCK_SLACK_USEC (UINT64_C(300) * USEC_PER_SEC)

#define HINDERED "no period needs it, but "

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static Retention rule_of(const json_t *policy)
{
        static const char *const keys[_RETENTION_PERIOD_MAX] = {
                [RETENTION_LAST] = "KeepLast",       [RETENTION_HOURLY] = "KeepHourly",
                [RETENTION_DAILY] = "KeepDaily",     [RETENTION_WEEKLY] = "KeepWeekly",
                [RETENTION_MONTHLY] = "KeepMonthly", [RETENTION_YEARLY] = "KeepYearly",
        };
        Retention rule = {};

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                rule.keep[i] = (uint64_t) json_integer_value(json_object_get(policy, keys[i]));
        return rule;
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

/* The backup that this run made. */
static bool is_own(const json_t *vm, const json_t *backup)
{
        json_int_t own = number_of(vm, "BackupJob");

        return own > 0 && number_of(backup, "Job") == own;
}

/* Backups are kept by their times, so the clock must not have jumped between them. "" when it has not. */
static void find_wrong_time(const json_t *vm, uint64_t now_usec, char ret_text[static DOUBT_SIZE])
{
        const json_t *backups = json_object_get(vm, "Backups"), *backup;
        json_int_t own = number_of(vm, "BackupJob"), own_usec = 0;
        size_t i;

        ret_text[0] = '\0';
        json_array_foreach (backups, i, backup) {
                if (is_own(vm, backup))
                        own_usec = number_of(backup, "CreatedUSec");
                if ((uint64_t) number_of(backup, "CreatedUSec") <= now_usec + CLOCK_SLACK_USEC)
                        continue;
                (void) snprintf(ret_text, DOUBT_SIZE,
                                "%s is of a time to come; set the clock, or delete that backup",
                                text_of(backup, "BackupId"));
                return;
        }
        /* Jobs are numbered as they are made: an earlier one is not newer. */
        json_array_foreach (backups, i, backup)
                if (own_usec > 0 && number_of(backup, "Job") < own &&
                    number_of(backup, "CreatedUSec") > own_usec) {
                        (void) snprintf(ret_text, DOUBT_SIZE,
                                        "the clock went back: %s is older and has a later time",
                                        text_of(backup, "BackupId"));
                        return;
                }
}

/* "" when there is none. */
static void find_doubt(const json_t *vm, const char *state, uint64_t now_usec,
                       char ret_text[static DOUBT_SIZE])
{
        const json_t *backup;
        size_t i;

        ret_text[0] = '\0';
        if (strcmp(state, "ok") != 0) {
                (void) snprintf(ret_text, DOUBT_SIZE, "repository %s is %s",
                                text_of(vm, "Repository"),
                                strcmp(state, "unknown") == 0 ? "not looked at yet" : "not well");
                return;
        }
        if (json_integer_value(json_object_get(vm, "Owed")) > 0) {
                (void) snprintf(ret_text, DOUBT_SIZE, "an earlier deletion is not at its end");
                return;
        }
        json_array_foreach (json_object_get(vm, "Backups"), i, backup)
                if (json_is_true(json_object_get(backup, "Damaged"))) {
                        (void) snprintf(ret_text, DOUBT_SIZE, "%s is damaged",
                                        text_of(backup, "BackupId"));
                        return;
                }
        find_wrong_time(vm, now_usec, ret_text);
}

static json_t *new_row(const json_t *vm, const json_t *backup)
{
        return json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:b, s:s}", "Vm",
                         json_object_get(vm, "Name"), "ContextId", json_object_get(vm, "ContextId"),
                         "BackupId", json_object_get(backup, "BackupId"), "CreatedUSec",
                         json_object_get(backup, "CreatedUSec"), "SizeBytes",
                         json_object_get(backup, "SizeBytes"), "Damaged",
                         json_object_get(backup, "Damaged"), "Stays", 0, "Reason",
                         "no period needs it");
}

static int set_stays(json_t *row, const char *reason)
{
        return json_object_set_new(row, "Stays", json_true()) < 0 ||
                                               json_object_set_new(row, "Reason",
                                                                   json_string(reason)) < 0
                               ? -ENOMEM
                               : 0;
}

/* What this policy keeps stays, by the first that does. */
static int apply_policy(const json_t *policy, bool is_alone, const json_t *backups, json_t *rows)
{
        const Retention rule = rule_of(policy);
        size_t n = json_array_size(backups);
        _cleanup_free_ RetentionBackup *list = calloc(n + 1, sizeof(RetentionBackup));
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                const json_t *backup = json_array_get(backups, i);

                list[i].created_usec = (uint64_t) json_integer_value(
                                json_object_get(backup, "CreatedUSec"));
                list[i].is_damaged = json_is_true(json_object_get(backup, "Damaged"));
                list[i].is_partial = json_integer_value(json_object_get(backup, "IsPartial")) > 0;
        }
        if (r >= 0)
                r = retention_decide(&rule, list, n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                json_t *row = json_array_get(rows, i);
                char reason[REASON_SIZE];

                if (!list[i].stays || json_is_true(json_object_get(row, "Stays")))
                        continue;
                if (is_alone)
                        (void) snprintf(reason, sizeof(reason), "%s", list[i].reason);
                else
                        (void) snprintf(reason, sizeof(reason), "%s: %s", text_of(policy, "Name"),
                                        list[i].reason);
                r = set_stays(row, reason);
        }
        return r;
}

static int hold_back(json_t *rows, const char *why)
{
        char reason[REASON_SIZE];
        json_t *row;
        size_t i;
        int r = 0;

        (void) snprintf(reason, sizeof(reason), HINDERED "%s", why);
        json_array_foreach (rows, i, row)
                if (r >= 0 && !json_is_true(json_object_get(row, "Stays")))
                        r = set_stays(row, reason);
        return r;
}

/* What a run has just made it does not delete, whatever the rule says. */
static int keep_own(const json_t *vm, json_t *rows)
{
        const json_t *backup;
        size_t i;
        int r = 0;

        json_array_foreach (json_object_get(vm, "Backups"), i, backup)
                if (r >= 0 && is_own(vm, backup) &&
                    !json_is_true(json_object_get(json_array_get(rows, i), "Stays")))
                        r = set_stays(json_array_get(rows, i), "made by this run");
        return r;
}

int policy_plan(const json_t *vm, const char *repository_state, uint64_t now_usec,
                json_t **ret_rows)
{
        const json_t *backups = json_object_get(vm, "Backups");
        const json_t *policies = json_object_get(vm, "Policies"), *policy, *backup;
        CLEANUP(json_decrefp) json_t *rows = json_array();
        char doubt[DOUBT_SIZE];
        size_t i;
        int r = rows ? 0 : -ENOMEM;

        json_array_foreach (backups, i, backup)
                if (json_array_append_new(rows, new_row(vm, backup)) < 0)
                        r = -ENOMEM;
        json_array_foreach (policies, i, policy)
                if (r >= 0)
                        r = apply_policy(policy, json_array_size(policies) == 1, backups, rows);
        if (r >= 0)
                r = keep_own(vm, rows);
        if (r >= 0 && json_array_size(policies) == 0)
                r = hold_back(rows, "no policy is for it any more");
        find_doubt(vm, repository_state, now_usec, doubt);
        if (r >= 0 && *doubt)
                r = hold_back(rows, doubt);
        if (r >= 0)
                *ret_rows = TAKE(rows);
        return r;
}

const json_t *policy_plan_next(const json_t *rows)
{
        for (size_t i = json_array_size(rows); i-- > 0;)
                if (!json_is_true(json_object_get(json_array_get(rows, i), "Stays")))
                        return json_array_get(rows, i);
        return NULL;
}

const char *policy_plan_hindrance(const json_t *rows)
{
        const json_t *row;
        size_t i;

        json_array_foreach (rows, i, row) {
                const char *reason = text_of(row, "Reason");

                if (strncmp(reason, HINDERED, strlen(HINDERED)) == 0)
                        return reason + strlen(HINDERED);
        }
        return NULL;
}
