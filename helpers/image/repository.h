/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A repository's folder as a verb works in it: opened once, compared with what it should be, and everything
 * below it reached from its descriptor, without following a link. Called by all verbs but create and
 * finish, which get the path of one file.
 */
#pragma once

#include "failure.h"
#include "names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum {
        REPOSITORY_NAME_SIZE = BACKUP_ID_SIZE + 24, /* of a file in it, with its NUL */
        REPOSITORY_FOLDER_MODE = 02750,
        REPOSITORY_PARTIAL_MODE = 0660,
        REPOSITORY_SEALED_MODE = 0440,
};

#define REPOSITORY_BACKUPS "backups"
#define REPOSITORY_DELETING_SUFFIX \
        ".deleting" /* of a record, once the deletion of its backup has begun */
#define REPOSITORY_MERGE_SUFFIX ".qcow2.merge.partial"

typedef enum RepositoryUse {
        REPOSITORY_LOOK, /* as REPOSITORY_READ, by anybody who may read it */
        REPOSITORY_READ, /* may be read-only */
        REPOSITORY_WRITE,
        REPOSITORY_MARK, /* written to, and an empty one becomes a repository */
} RepositoryUse;

typedef struct Repository {
        const char *path; /* borrowed, for messages */
        int folder;
        char uuid[40];
        uint64_t free_bytes, size_bytes;
} Repository;

/* What a layer of a backup is called in the folder of its disk, and the record in that of the VM. */
typedef struct LayerNames {
        char image[REPOSITORY_NAME_SIZE];
        char partial[REPOSITORY_NAME_SIZE];
        char manifest[REPOSITORY_NAME_SIZE]; /* the record's name too */
        char manifest_partial[REPOSITORY_NAME_SIZE];
        char merge[REPOSITORY_NAME_SIZE]; /* a copy that will take the place of the image */
        char deleting[REPOSITORY_NAME_SIZE]; /* the record, when its deletion has begun */
} LayerNames;

/* Opens it and checks what can be: that it is there, is the one with this uuid (NULL: any), and belongs to
 * us with the right mode. Nothing stays open on failure. */
int repository_open(Repository *repository, const char *path, const char *uuid, RepositoryUse use,
                    Failure *failure);
void repository_done(Repository *repository);

/* Held by who makes or removes folders, until the descriptor is closed. */
int repository_lock(const Repository *repository, Failure *failure);

/* A folder below; *ret_fd is the caller's. 1 when it is not there, and then *ret_fd is untouched. */
int repository_open_folder(const Repository *repository, int parent, const char *name, int *ret_fd,
                           Failure *failure);

void layer_names(const char *backup_id, LayerNames *ret_names);

/* What a file takes up, without its holes: an image of scattered data is about twice as long. */
int64_t layer_stored_bytes(const struct stat *st);

/* Whether another process has a lock on an open image, as qemu takes them. */
bool image_is_locked(int fd);

/* 0, or ImageBusy. */
int image_check_unlocked(int fd, const char *path, Failure *failure);
