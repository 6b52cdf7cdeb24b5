/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the migrations of this program with what the database says was applied, and decides what
 * is to do. Pure; the run and --status both ask it.
 */
#pragma once

#include "migration.h"

#include <stdbool.h>

enum {
        RECORDS_MAX = 10000,
        RECORD_NAME_SIZE = 129,
        RECORD_VERSION_SIZE = 65,
        PLAN_ERROR_SIZE = 512,
};

/* A row of schema_migrations. */
typedef struct Record {
        uint32_t number;
        uint32_t statements;
        uint32_t statements_done;
        char name[RECORD_NAME_SIZE];
        char sha256[MIGRATION_SHA256_SIZE];
        char program_version[RECORD_VERSION_SIZE];
} Record;

typedef enum PlanOutcome {
        PLAN_NOTHING, /* all is done */
        PLAN_APPLY, /* go on at `first` */
        PLAN_NEWER, /* the database was made by a newer program */
        PLAN_CHANGED, /* a file that was applied is not the file of this program */
        PLAN_OUTCOME_MAX,
        PLAN_OUTCOME_INVALID = -22,
} PlanOutcome;

typedef struct Plan {
        PlanOutcome outcome;
        uint32_t first; /* number to go on with, for PLAN_APPLY */
        uint32_t statements_done; /* of it */
        bool begun; /* it has a row already */
        uint32_t found; /* newest number that is whole in the database, 0 for none */
        char error[PLAN_ERROR_SIZE]; /* for the last two: one line, both versions named */
} Plan;

/* known must begin with number 0 and have no gaps; records must be in order of their numbers. */
void plan_make(Plan *plan, const Migration *known, size_t n_known, const Record *records,
               size_t n_records, const char *program_version);
