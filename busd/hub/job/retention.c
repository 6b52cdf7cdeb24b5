/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The decision (see retention.h). Backups come in the order of time, so the periods do, too, and each is compared with the
 * one before it.
 */
#include "job/retention.h"

#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
        PERIOD_NAME_SIZE = 32,
};

#define PARTIAL "lacks a disk that another one has"

static const char *const words[_RETENTION_PERIOD_MAX] = {
        [RETENTION_LAST] = "last",       [RETENTION_HOURLY] = "hourly",
        [RETENTION_DAILY] = "daily",     [RETENTION_WEEKLY] = "weekly",
        [RETENTION_MONTHLY] = "monthly", [RETENTION_YEARLY] = "yearly",
};

const char *retention_period_to_string(RetentionPeriod period)
{
        return period >= 0 && period < _RETENTION_PERIOD_MAX ? words[period] : NULL;
}

RetentionPeriod retention_period_from_string(const char *word)
{
        for (int i = 0; i < _RETENTION_PERIOD_MAX; i++)
                if (strcmp(words[i], word) == 0)
                        return (RetentionPeriod) i;
        return RETENTION_PERIOD_INVALID;
}

static size_t print_period(RetentionPeriod period, const struct tm *local,
                           char ret_name[static PERIOD_NAME_SIZE])
{
        switch (period) {
        case RETENTION_HOURLY:
                /* The offset parts the two hours of the same name when the clocks go back. */
                return strftime(ret_name, PERIOD_NAME_SIZE, "%F %H %z", local);
        case RETENTION_DAILY:
                return strftime(ret_name, PERIOD_NAME_SIZE, "%F", local);
        case RETENTION_WEEKLY:
                return strftime(ret_name, PERIOD_NAME_SIZE, "%G-W%V", local);
        case RETENTION_MONTHLY:
                return strftime(ret_name, PERIOD_NAME_SIZE, "%Y-%m", local);
        case RETENTION_YEARLY:
                return strftime(ret_name, PERIOD_NAME_SIZE, "%Y", local);
        case RETENTION_LAST:
        case _RETENTION_PERIOD_MAX:
        case RETENTION_PERIOD_INVALID:
                break;
        }
        return 0;
}

/* Backups of one period have one name. */
static int period_name(RetentionPeriod period, const RetentionBackup *backup,
                       char ret_name[static PERIOD_NAME_SIZE])
{
        time_t seconds = (time_t) (backup->created_usec / 1000000);
        struct tm local;

        return localtime_r(&seconds, &local) && print_period(period, &local, ret_name) > 0
                               ? 0
                               : -EINVAL;
}

/* From first on, how many backups are of its period. */
static int period_length(RetentionPeriod period, const RetentionBackup *backups, size_t n_backups,
                         size_t *ret_n)
{
        char first[PERIOD_NAME_SIZE], name[PERIOD_NAME_SIZE];
        size_t n = 1;
        int r;

        if (period == RETENTION_LAST) {
                *ret_n = 1;
                return 0;
        }
        r = period_name(period, backups, first);
        for (; r >= 0 && n < n_backups; n++) {
                r = period_name(period, backups + n, name);
                if (r >= 0 && strcmp(first, name) != 0)
                        break;
        }
        *ret_n = n;
        return r;
}

static void stay(RetentionBackup *backup, const char *reason)
{
        backup->stays = true;
        (void) snprintf(backup->reason, sizeof(backup->reason), "%s", reason);
}

/* The newest sound backup of a period, unless one of it stays already. A partial one only where there is no complete one. */
static RetentionBackup *find_server(RetentionBackup *backups, size_t n_backups)
{
        RetentionBackup *complete = NULL, *partial = NULL;
        bool has_partial = false;

        for (size_t i = 0; i < n_backups; i++) {
                RetentionBackup *backup = backups + i;

                if (backup->is_damaged)
                        continue;
                if (backup->is_partial) {
                        has_partial = has_partial || backup->stays;
                        partial = partial ?: backup;
                        continue;
                }
                if (backup->stays)
                        return NULL;
                complete = complete ?: backup;
        }
        return complete || has_partial ? complete : partial;
}

static int decide_kind(RetentionPeriod period, uint64_t n_keep, RetentionBackup *backups,
                       size_t n_backups)
{
        uint64_t n_kept = 0;
        size_t n;

        for (size_t i = 0; i < n_backups && n_kept < n_keep; i += n) {
                int r = period_length(period, backups + i, n_backups - i, &n);
                RetentionBackup *server;
                char reason[RETENTION_REASON_SIZE];

                if (r < 0)
                        return r;
                server = find_server(backups + i, n);
                if (!server)
                        continue;
                if (server->is_partial) {
                        /* It takes nothing of the number, or partial ones would drive out the complete ones. */
                        stay(server, PARTIAL);
                        continue;
                }
                (void) snprintf(reason, sizeof(reason), "%" PRIu64 " of %" PRIu64 " %s", ++n_kept,
                                n_keep, words[period]);
                stay(server, reason);
        }
        return 0;
}

static bool rule_is_empty(const Retention *rule)
{
        for (size_t i = 0; i < ELEMENTSOF(rule->keep); i++)
                if (rule->keep[i] > 0)
                        return false;
        return true;
}

static bool is_whole(const RetentionBackup *backup)
{
        return !backup->is_damaged && !backup->is_partial;
}

static void decide_rest(const Retention *rule, RetentionBackup *backups, size_t n_backups)
{
        bool sound_stays = false, is_newer_whole = false;

        for (size_t i = 0; i < n_backups; i++)
                sound_stays = sound_stays || (backups[i].stays && is_whole(backups + i));
        for (size_t i = 0; i < n_backups; i++) {
                bool was_newer_whole = is_newer_whole;

                is_newer_whole = is_newer_whole || is_whole(backups + i);
                if (backups[i].stays)
                        continue;
                if (backups[i].is_damaged)
                        stay(backups + i, "damaged, serves no period");
                else if (rule_is_empty(rule))
                        stay(backups + i, "no rule");
                else if (backups[i].is_partial && !was_newer_whole)
                        /* It may have the only copy of a disk, too. */
                        stay(backups + i, PARTIAL);
                else if (!sound_stays) {
                        stay(backups + i, "the newest sound one");
                        sound_stays = true;
                } else
                        (void) snprintf(backups[i].reason, sizeof(backups[i].reason),
                                        "no period needs it");
        }
}

int retention_decide(const Retention *rule, RetentionBackup *backups, size_t n_backups)
{
        int r;

        for (size_t i = 0; i < n_backups; i++) {
                if (i > 0 && backups[i].created_usec > backups[i - 1].created_usec)
                        return -EINVAL;
                backups[i].stays = false;
                backups[i].reason[0] = '\0';
        }
        for (RetentionPeriod period = 0; period < _RETENTION_PERIOD_MAX; period++) {
                r = decide_kind(period, rule->keep[period], backups, n_backups);
                if (r < 0)
                        return r;
        }
        decide_rest(rule, backups, n_backups);
        return 0;
}
