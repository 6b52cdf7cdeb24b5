/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk over a mounted file system: each file and folder below a path, a folder before what is in it, in the order of the names. Links
 * are shown and never followed. What cannot be read is left out, and the walk goes on: it is for the end to say so.
 */
#pragma once

#include "guest.h"
#include "mounts.h"

typedef struct WalkEntry {
        const char *path; /* absolute, bytes */
        const struct guestfs_statns *stat;
        const char *target; /* of a symbolic link */
        const struct guestfs_xattr *xattrs;
        size_t n_xattrs;
} WalkEntry;

/* Negative errno and a failure ends the walk. */
typedef int (*WalkVisit)(void *userdata, const WalkEntry *entry, Failure *failure);

/* What is in the backup, and could not be read. */
typedef struct LeftOut {
        uint64_t n;
        Failure first; /* why, of the first of them */
} LeftOut;

typedef struct Walk {
        guestfs_h *guest;
        WalkVisit visit;
        void *userdata;
        bool recursive; /* else a folder's children alone */
        bool wants_xattrs;
        bool skips_top; /* a folder that was asked for is not shown itself */
        uint64_t n_entries;
        LeftOut *left_out;
        const Mounts *mounts;
} Walk;

/* NotFound when there is no such path. What the guest mounts at the path, above or below it, and is not mounted, is left out. */
int walk_path(Walk *walk, const char *path, Failure *failure);

/* One thing more that failed, and that the caller goes on without: takes the failure. Gives error back when the appliance itself is gone, for
 * then nothing can be read. */
int left_out_add(LeftOut *left_out, guestfs_h *guest, int error, Failure *failure);

/* At the end: fails when anything was left out. */
int left_out_check(const LeftOut *left_out, Failure *failure);
