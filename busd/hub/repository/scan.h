/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bringing what a repository's files say into the catalog: a unit reads the commit records, the store
 * adopts them in small transactions. Called by ScanRepository.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct Store Store;
typedef struct Units Units;
typedef struct sd_event sd_event;

/* answer: {Backups, Added, Known, Problems, Strays}, NULL when it failed, and then why. */
typedef void (*ScanDone)(const json_t *answer, const char *name, const char *text, void *userdata);

/* row is of repository_list. done is called once when this returned 0. */
int repository_scan(Units *units, Store *store, const json_t *row, uint64_t step_usec,
                    ScanDone done, void *userdata);

/* What every task about a repository begins with, from a row of repository_list. NULL: no memory. */
json_t *repository_place(const json_t *row);
