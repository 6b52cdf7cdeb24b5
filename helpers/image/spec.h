/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fields that the specs of several verbs have, and their reading with a failure that says what is wrong.
 */
#pragma once

#include "failure.h"
#include "json-fields.h"
#include "manifest.h"
#include "names.h"

#include <stdbool.h>

enum {
        SPEC_SIZE_MAX = 4 * 1024 *
                        1024, /* a commit's holds a record and all manifests but their digests */
        SPEC_PATH_MAX = 1200, /* a repository of 512, and a file in it of as many */
};

/* Absolute, without "//", "." and "..", and not "/" itself. */
bool spec_path_is_valid(const char *path);

/* "backup-….qcow2". */
bool spec_backing_is_valid(const char *name);

#define SPEC_PATH(name)                                                                 \
        {                                                                               \
                .key = (name), .kind = JSON_FIELD_TEXT, .min = 2, .max = SPEC_PATH_MAX, \
                .is_valid = spec_path_is_valid,                                         \
                .must = "an absolute path without ."                                    \
                        " and .."                                                       \
        }
#define SPEC_UUID(name, may_miss)                                                          \
        {                                                                                  \
                .key = (name), .kind = JSON_FIELD_TEXT, .optional = (may_miss), .max = 36, \
                .is_valid = manifest_uuid_is_valid,                                        \
                .must = "a UUID of 36 characters in "                                      \
                        "lower case"                                                       \
        }
#define SPEC_BACKUP_ID                                                              \
        {                                                                           \
                .key = "backup_id", .kind = JSON_FIELD_TEXT, .max = BACKUP_ID_SIZE, \
                .is_valid = backup_id_is_valid, .must = "the id of a backup"        \
        }
#define SPEC_DISK_KEYS                                                                            \
        {                                                                                         \
                .key = "disk_keys", .kind = JSON_FIELD_ARRAY, .min = 1, .max = MANIFEST_DISKS_MAX \
        }
#define SPEC_CAPACITY                                                           \
        {                                                                       \
                .key = "capacity_bytes", .kind = JSON_FIELD_NUMBER, .min = 512, \
                .max = MANIFEST_CAPACITY_MAX                                    \
        }
#define SPEC_BACKING                                                          \
        {                                                                     \
                .key = "backing", .kind = JSON_FIELD_TEXT, .optional = true,  \
                .max = BACKUP_ID_SIZE + 8, .is_valid = spec_backing_is_valid, \
                .must = "<backup id>.qcow2"                                   \
        }

/* 0, or InvalidArgument. */
int spec_check(const json_t *spec, const JsonField *fields, size_t n_fields, Failure *failure);

/* Checks each element of disk_keys too. */
int spec_check_keys(const json_t *spec, Failure *failure);
