/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which backups of a VM stay and which go, and why: a rule says how many, hours, days … of the past shall each have one.
 * Pure but for the time zone, in which a day begins. Deletes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        RETENTION_KEEP_MAX = 10000, /* of each kind */
        RETENTION_REASON_SIZE = 64,
};

typedef enum RetentionPeriod {
        RETENTION_LAST, /* each backup is a period of its own */
        RETENTION_HOURLY,
        RETENTION_DAILY,
        RETENTION_WEEKLY, /* from Monday on, as ISO 8601 counts */
        RETENTION_MONTHLY,
        RETENTION_YEARLY,
        _RETENTION_PERIOD_MAX,
        RETENTION_PERIOD_INVALID = -22, /* -EINVAL */
} RetentionPeriod;

typedef struct Retention {
        uint64_t keep[_RETENTION_PERIOD_MAX]; /* 0: none by this; all 0: everything stays */
} Retention;

typedef struct RetentionBackup {
        uint64_t created_usec;
        bool is_damaged;
        bool is_partial; /* a disk was left out of which another backup has a copy */
        bool stays; /* decided */
        char reason[RETENTION_REASON_SIZE]; /* decided: "3 of 7 daily", "not in any of the periods" */
} RetentionBackup;

/* "last", "hourly", …: what follows "keep-". */
const char *retention_period_to_string(RetentionPeriod period);
RetentionPeriod retention_period_from_string(const char *word);

/* Decides for all backups of one VM, the newest first. Of each period the newest sound one stays. The kinds are asked in
 * their order; a period of which one stays already is served and takes nothing of the kind's number. A period without a
 * backup does not count. The newest sound one always stays, and so do damaged ones, which serve no period: that
 * something is damaged is for a person to look at. A partial one serves a period in which there is no complete one, and takes
 * nothing of the number; it stays until a complete one is newer. -EINVAL: they are not in that order. */
int retention_decide(const Retention *rule, RetentionBackup *backups, size_t n_backups);
