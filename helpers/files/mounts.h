/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file systems of an installed system, each where the system has it; and what of it could not be mounted, because a place that is
 * empty for that reason looks like an empty folder.
 */
#pragma once

#include "guest.h"

/* A place that is empty here and not in the guest. */
typedef struct Unmounted {
        char *place; /* as bytes */
        Failure why;
} Unmounted;

typedef struct Mounts {
        Unmounted *unmounted;
        size_t n;
} Mounts;

/* One file system, read-only. */
int mounts_add(Guest *guest, const char *device, const char *place, Failure *failure);

/* What the guest's fstab mounts below the root, which is mounted: pairs of places and devices are mounted, the outer ones first; what
 * cannot be, or is in no pair, is kept in mounts. Fails when the appliance or the memory does. */
int mounts_add_system(Mounts *mounts, Guest *guest, char **pairs, Failure *failure);

/* Each is also true of the path itself. */
bool unmounted_is_above(const Unmounted *unmounted, const char *path);
bool unmounted_is_below(const Unmounted *unmounted, const char *path);

void mounts_done(Mounts *mounts);
