/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "2000:nbd://127.0.0.1:10100/a,2001:nbd://…": which disk goes where, as people write it on a command line. Strict: what
 * is not quite that is refused by the piece that is wrong, because a disk on the wrong target cannot be
 * taken back. Pure.
 */
#pragma once

#include "failure.h"
#include "nbd-uri.h"

#include <stddef.h>
#include <stdint.h>

enum {
        NBD_TARGETS_MAX = 256,
        NBD_TARGETS_SIZE_MAX = 64 * 1024,
};

typedef struct NbdTarget {
        uint32_t disk_key;
        char uri[NBD_URI_SIZE];
} NbdTarget;

typedef struct NbdTargets {
        NbdTarget *list; /* in the order given; no key and no target twice */
        size_t n;
} NbdTargets;

/* -EINVAL with failure set. A comma in the name of an export is written %2C. */
int nbd_targets_parse(const char *text, NbdTargets *ret_targets, Failure *failure);
void nbd_targets_done(NbdTargets *targets);

/* NULL: there is none. */
const char *nbd_targets_find(const NbdTargets *targets, uint32_t disk_key);
