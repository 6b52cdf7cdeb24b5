/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts over the whole database, for whoever watches the hub. store_… is StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* {} -> {JobCounts: [{State, ErrorName, Count}], VmFigures: [{Vm, ContextId, Backups, LastBackup?, LastBackupUSec?}], StoredBytes,
 * LeasesUsed, ObligationsOwed, OldestObligationUSec}: owed is what is of jobs that are over; 0 when there is none. */
int store_figures(MYSQL *database, void *request);
