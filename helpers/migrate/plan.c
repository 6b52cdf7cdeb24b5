/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The decision (see plan.h).
 */
#include "plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void plan_refuse(Plan *plan, PlanOutcome outcome,
                                                              const char *format, ...)
{
        va_list ap;

        plan->outcome = outcome;
        va_start(ap, format);
        (void) vsnprintf(plan->error, sizeof(plan->error), format, ap);
        va_end(ap);
}

static void refuse_newer(Plan *plan, const Record *newest, size_t n_known,
                         const char *program_version)
{
        plan_refuse(plan, PLAN_NEWER,
                    "the database has schema %" PRIu32 " of version %s, this program knows schema "
                    "%zu and is version %s; install version %s or newer",
                    newest->number, newest->program_version, n_known - 1, program_version,
                    newest->program_version);
}

static void refuse_changed(Plan *plan, const Migration *known, const Record *record,
                           const char *program_version)
{
        plan_refuse(plan, PLAN_CHANGED,
                    "%04" PRIu32 "-%s.sql is not the %04" PRIu32 "-%s.sql that version %s applied "
                    "to this database, so this program (version %s) cannot know what is in it; "
                    "install a released version",
                    known->number, known->name, record->number, record->name,
                    record->program_version, program_version);
}

static int is_same(const Migration *known, const Record *record)
{
        char sha256[MIGRATION_SHA256_SIZE];

        migration_sha256(known, sha256);
        return strcmp(known->name, record->name) == 0 && strcmp(sha256, record->sha256) == 0;
}

void plan_make(Plan *plan, const Migration *known, size_t n_known, const Record *records,
               size_t n_records, const char *program_version)
{
        *plan = (Plan){ .outcome = PLAN_NOTHING };

        for (size_t i = 0; i < n_records; i++)
                if (records[i].number >= n_known) {
                        refuse_newer(plan, &records[n_records - 1], n_known, program_version);
                        return;
                }

        for (uint32_t number = 1; number < n_known; number++) {
                const Record *record = number <= n_records ? &records[number - 1] : NULL;

                if (record && record->number != number) {
                        plan_refuse(plan, PLAN_CHANGED,
                                    "the database has migration %04" PRIu32 " but not %04" PRIu32
                                    "; its table schema_migrations was "
                                    "changed by hand, restore it from a dump",
                                    record->number, number);
                        return;
                }
                if (record && !is_same(&known[number], record)) {
                        refuse_changed(plan, &known[number], record, program_version);
                        return;
                }
                if (record && record->statements_done >= record->statements) {
                        plan->found = number;
                        continue;
                }
                if (plan->outcome == PLAN_NOTHING) {
                        plan->outcome = PLAN_APPLY;
                        plan->first = number;
                        plan->begun = record != NULL;
                        plan->statements_done = record ? record->statements_done : 0;
                }
        }
}
