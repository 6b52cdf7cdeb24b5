/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of the verb snapshot: what is looked at and put in order before anything is made (prepare.c), and the
 * snapshot itself (take.c). Whoever fails after take_snapshot() was called owes a removal.
 */
#pragma once

#include "vsphere/inventory.h"

#include <jansson.h>

enum {
        QUIESCE_TRIES_MAX = 10,
        QUIESCE_WAIT_MSEC = 5000,
};

typedef enum Quiesce {
        QUIESCE_AUTO,
        QUIESCE_REQUIRED,
        QUIESCE_NO,
} Quiesce;

typedef struct Take {
        const char *name, *leftover_prefix, *description;
        const json_t *wanted; /* array of disks; NULL: all */
        Quiesce quiesce;
        unsigned quiesce_tries;
        unsigned quiesce_wait_msec;
        bool enable_cbt, reads_deltas;

        VSphereVm vm; /* as it was just before the snapshot */
        bool was_asked; /* vCenter was asked for a snapshot: there may be one */
        VSphereRef snapshot;
        VSphereDisks disks; /* of the snapshot */
        json_t *hardware; /* of the VM at the snapshot */
        bool is_quiesced;
        unsigned n_leftovers;
        json_t *warnings;
} Take;

void take_done(Take *take);

/* Removes leftovers, consolidates, judges the disks, switches tracking on. Refuses what cannot be backed up. */
int take_prepare(VSphere *v, const VSphereRef *vm, Take *take, VSphereError *error);

bool take_is_wanted(const Take *take, uint32_t disk_key);

int take_snapshot(VSphere *v, Take *take, VSphereError *error);

/* Reads the snapshot's own disks, and makes sure that none of the wanted is missing. */
int take_read_disks(VSphere *v, Take *take, VSphereError *error);

/* The variables of its EFI go into hardware, or a warning says why they do not. */
int take_nvram(VSphere *v, Take *take, VSphereError *error);

json_t *take_result(const Take *take);
