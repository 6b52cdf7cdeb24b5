/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of a restored disk from its chain to its target, every byte of which goes through the digests on its
 * way. One thread deals out leaves and tells how far it is, the others read, hash and write them.
 */
#pragma once

#include "announce.h"
#include "chain.h"
#include "restore-target.h"

enum {
        RESTORE_DAMAGED_MAX = 100, /* that are named */
};

typedef struct RestoreRequest {
        const Chain *chain;
        RestoreSource *source;
        RestoreTarget *target;
        bool damaged_ok;
        Announcer *announcer;
        uint32_t disk_key;
} RestoreRequest;

typedef struct RestoreOutcome {
        uint64_t n_damaged;
        json_t *damaged; /* the first of them: {offset, length, backup_id}; the caller's reference */
} RestoreOutcome;

/* BackupDamaged: a part is not what its digest says, and damaged_ok is not set. Nothing is returned on failure. */
int restore_copy(const RestoreRequest *request, RestoreOutcome *ret_outcome, Failure *failure);
