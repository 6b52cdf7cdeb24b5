/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table and the JSON of --status (see status.h).
 */
#include "status.h"

#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const outcomes[PLAN_OUTCOME_MAX] = {
        [PLAN_NOTHING] = "current",
        [PLAN_APPLY] = "older",
        [PLAN_NEWER] = "newer",
        [PLAN_CHANGED] = "changed",
};

static void json_free_p(json_t **value)
{
        json_decref(*value);
}

/* known or record may be NULL, not both. */
static const char *word_for(const Migration *known, const Record *record)
{
        char sha256[MIGRATION_SHA256_SIZE];

        if (!record)
                return "missing";
        if (!known)
                return "newer";
        migration_sha256(known, sha256);
        if (strcmp(sha256, record->sha256) != 0 || strcmp(known->name, record->name) != 0)
                return "changed";
        return record->statements_done < record->statements ? "begun" : "applied";
}

static const Record *record_of(const Record *records, size_t n_records, uint32_t number)
{
        for (size_t i = 0; i < n_records; i++)
                if (records[i].number == number)
                        return &records[i];
        return NULL;
}

/* One more than the largest number that either side has. */
static uint32_t numbers_end(const Record *records, size_t n_records)
{
        uint32_t end = (uint32_t) n_migrations;

        if (n_records > 0 && records[n_records - 1].number >= end)
                end = records[n_records - 1].number + 1;
        return end;
}

static void print_text(const Plan *plan, const Record *records, size_t n_records,
                       const char *database_name, const char *program_version)
{
        (void) printf("Database %s: %s; schema %" PRIu32
                      ", this program (version %s) knows %zu\n\n",
                      database_name, outcomes[plan->outcome], plan->found, program_version,
                      n_migrations - 1);
        (void) printf("%-6s  %-8s  %-10s  %-10s  %s\n", "NUMBER", "STATE", "STATEMENTS", "VERSION",
                      "NAME");
        for (uint32_t number = 1; number < numbers_end(records, n_records); number++) {
                const Migration *known = number < n_migrations ? &migrations[number] : NULL;
                const Record *record = record_of(records, n_records, number);
                char done[32] = "-";

                if (!known && !record)
                        continue;
                if (record)
                        (void) snprintf(done, sizeof(done), "%" PRIu32 "/%" PRIu32,
                                        record->statements_done, record->statements);
                (void) printf("%04" PRIu32 "    %-8s  %-10s  %-10s  %s\n", number,
                              word_for(known, record), done, record ? record->program_version : "-",
                              known ? known->name : record->name);
        }
        if (*plan->error)
                (void) printf("\nRefused: %s\n", plan->error);
}

static json_t *json_entry(uint32_t number, const Migration *known, const Record *record)
{
        return json_pack("{s:I, s:s, s:s, s:I, s:I, s:s?}", "number", (json_int_t) number, "name",
                         known ? known->name : record->name, "state", word_for(known, record),
                         "statements", (json_int_t) (record ? record->statements : 0),
                         "statements_done", (json_int_t) (record ? record->statements_done : 0),
                         "program_version", record ? record->program_version : NULL);
}

static int print_json(const Plan *plan, const Record *records, size_t n_records,
                      const char *database_name, const char *program_version)
{
        CLEANUP(json_free_p) json_t *root = NULL;
        json_t *list = json_array();

        root = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s?, s:o}", "database", database_name, "state",
                         outcomes[plan->outcome], "schema", (json_int_t) plan->found,
                         "schema_expected", (json_int_t) (n_migrations - 1), "program_version",
                         program_version, "error", *plan->error ? plan->error : NULL, "migrations",
                         list);
        if (!root)
                return -ENOMEM;
        for (uint32_t number = 1; number < numbers_end(records, n_records); number++) {
                const Migration *known = number < n_migrations ? &migrations[number] : NULL;
                const Record *record = record_of(records, n_records, number);

                if ((known || record) &&
                    json_array_append_new(list, json_entry(number, known, record)) < 0)
                        return -ENOMEM;
        }
        if (json_dumpf(root, stdout, JSON_COMPACT) < 0)
                return -EIO;
        (void) putchar('\n');
        return 0;
}

int status_print(const Plan *plan, const Record *records, size_t n_records,
                 const char *database_name, const char *program_version, bool json)
{
        int r = 0;

        if (json)
                r = print_json(plan, records, n_records, database_name, program_version);
        else
                print_text(plan, records, n_records, database_name, program_version);
        if (fflush(stdout) != 0)
                return -EIO;
        return r;
}
