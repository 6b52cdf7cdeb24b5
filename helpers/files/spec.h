/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a job about files is asked to do: the disks of one backup, the file system, and the paths in it.
 */
#pragma once

#include "failure.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        SPEC_DISKS_MAX = 256,
        SPEC_PATHS_MAX = 256,
        SPEC_PATH_MAX = 4096,
};

typedef enum FilesWhat {
        FILES_LIST, /* files, as lines of JSON */
        FILES_GET, /* the same, as a tar stream */
        FILES_FILESYSTEMS, /* a list of these */
        FILES_WHAT_MAX,
} FilesWhat;

typedef struct FilesSpec {
        json_t *json;
        uint64_t job;
        char *disks[SPEC_DISKS_MAX]; /* paths of the topmost images, in the order of their keys */
        size_t n_disks;
        char *paths[SPEC_PATHS_MAX]; /* as bytes, absolute, without '.', '..' and '//' */
        size_t n_paths;
        const char *filesystem; /* NULL: the one there is, or that of the system in it */
        const char *accel;
        FilesWhat what;
        bool recursive; /* of a list */
} FilesSpec;

/* Takes json. */
int files_spec_read(FilesSpec *spec, json_t *json, Failure *failure);
void files_spec_done(FilesSpec *spec);
