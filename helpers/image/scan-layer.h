/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What scan holds against one backup: its record compared with the files that it names. Reads manifests and
 * the first bytes of images; writes nothing.
 */
#pragma once

#include <jansson.h>

/* Appends a line to the list. Out of memory is not told apart: the line is missing then. */
void scan_problem(json_t *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* vm is the folder that the record was found below, name that of its file. Files that belong to the backup
 * become members of known, by their path below vm. deleting has the ids of backups whose deletion has begun: a disk that
 * builds on one is between two states, both of which read the same, and is not judged. */
void scan_backup(int vm, const char *vm_name, const char *name, const json_t *record,
                 const json_t *deleting, json_t *problems, json_t *known);

/* Files of a backup whose deletion has begun, as far as they are there. */
void scan_deleting(const json_t *record, json_t *known);
