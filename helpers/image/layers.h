/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and removing the files and folders of one backup, step by durable step. Used by prepare, which
 * removes what an earlier attempt left, by undo, and by delete for what nothing builds on any more.
 */
#pragma once

#include "repository.h"

#include <jansson.h>

/* The names that both verbs have from their spec. */
typedef struct BackupPlace {
        const char *instance_uuid, *backup_id;
        const json_t *disk_keys;
} BackupPlace;

/* 1: the backup's record is there, even if its deletion has begun, 0: it is not. */
int layers_committed(const Repository *repository, const BackupPlace *place, Failure *failure);

/* Removes all files of a backup that has no record, last the one that says that it is being deleted, and folders
 * that are empty then. ImageBusy, and nothing
 * is removed, when one of them is open elsewhere. */
int layers_remove(const Repository *repository, const BackupPlace *place, Failure *failure);

/* Makes the folders and an empty file for each disk; none of the files may be there. */
int layers_make(const Repository *repository, const BackupPlace *place, Failure *failure);
