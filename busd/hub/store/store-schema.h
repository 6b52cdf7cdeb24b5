/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What schema the database has, and what the hub makes of it. Called by the worker when it connects
 * and as its probe, so that a database that is migrated under a running hub is noticed.
 */
#pragma once

#include "store.h"

enum {
        SCHEMA_VERSION_SIZE = 65,
};

typedef struct StoreSchema {
        uint32_t whole; /* newest migration that is whole, 0 for none */
        uint32_t newest; /* newest that was begun */
        char version[SCHEMA_VERSION_SIZE]; /* of the program that began it */
} StoreSchema;

/* Asks. -ENOENT: there is no such database or table. Others as database_query_timeout(). */
int store_schema_read(MYSQL *mysql, uint64_t timeout_usec, StoreSchema *ret_schema);

/* Judges. Pure: fills state, schema and error. */
void store_schema_judge(const StoreSchema *schema, const char *database_name, uint32_t expected,
                        const char *program_version, StoreStatus *ret_status);
