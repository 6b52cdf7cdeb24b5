/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of the health of layers: written down when a verification is done, and asked for when a backup is planned, listed
 * or shown. Damage stands in the row of the layer that has it; whatever builds on that layer is found by its links.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct st_mysql MYSQL;

/* A WorkRows of store-job-work.c: the layers that were read back are verified, damaged, or as they were. */
int job_verify_rows(MYSQL *database, const json_t *in);

/* {BeforeUSec, Vm?, Repository?, Limit} -> {Backups: [id]}: the backups whose chains, verified whole, cover every layer that was not
 * verified since then. Those that are being verified are left out. StoreWork. */
int store_verify_due(MYSQL *database, void *request);

/* Adds to rows of backups, by their member Job: Damaged (boolean), and VerifiedUSec when all their layers are. */
int backups_add_health(MYSQL *database, json_t *rows);

/* Adds Damaged to one backup, and Problems, a list of what was found in its layers and those below. */
int backup_add_damage(MYSQL *database, uint64_t job_id, json_t *backup);
