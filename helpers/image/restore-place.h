/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a restored file comes to stand. It is made under its own name in a folder beside its place,
 * ".NAME.sendense-JOB.partial", which nobody else can enter, and moved out of it when it is complete: so it is there as a
 * whole or not at all, and what a killed restore leaves is found by the job's number.
 */
#pragma once

#include "failure.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        RESTORE_NAME_MAX = 200, /* so that the partial folder's name is none too long */
        RESTORE_NOTE_MAX = 256 * 1024, /* bytes */
};

typedef struct RestorePlace {
        const char *path; /* borrowed */
        const char *name; /* in it */
        bool force;
        int folder;
        int partial; /* -1: not made, or removed */
        int file; /* the new one in it */
        char partial_name[NAME_MAX + 1];
        char note_name[NAME_MAX +
                       1]; /* in the partial folder: {inode, note}, before the file goes */
} RestorePlace;

/* Exists: something is there, and force is not given, or it is no plain file. TargetTooSmall: less than that many bytes are
 * free. */
int restore_place_open(RestorePlace *place, const char *path, uint64_t job, bool force,
                       uint64_t needed_bytes, Failure *failure);

/* Makes the partial folder and in it the file, which is empty; what an earlier run of the job left is removed. TargetFailed: somebody
 * has put another folder there; or, without force, the file system cannot put a file in its place without replacing another. */
int restore_place_make(RestorePlace *place, Failure *failure);

/* Moves the file, which is durable, to its place, durably. The partial folder goes last, and until then keeps the note, with which a
 * run after that one finds that nothing is left to do. */
int restore_place_publish(RestorePlace *place, const json_t *note, Failure *failure);

/* Did an earlier run of the job publish its file? 1: the file is there, now durably, and its note the caller's reference. 0: no. */
int restore_place_find(const char *path, uint64_t job, json_t **ret_note, Failure *failure);

/* Removes the partial folder, if there is one. *ret_removed may be NULL. */
int restore_place_remove(RestorePlace *place, bool *ret_removed, Failure *failure);

/* Removes what a run of the job that was killed left beside that path. */
int restore_place_undo(const char *path, uint64_t job, bool *ret_removed, Failure *failure);

/* Only closes. */
void restore_place_done(RestorePlace *place);

/* For a system call on a target that failed. */
int restore_target_errno(Failure *failure, int error, const char *what, const char *path);
