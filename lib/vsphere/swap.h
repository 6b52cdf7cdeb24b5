/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of a VM that are exchanged for others at the same places. A reconfiguration is done as a whole or not at all, and which of the
 * two each place has is read from the VM itself, so that whoever comes after a crash knows. No file is removed by it. Pure.
 */
#pragma once

#include "vsphere/device.h"
#include "vsphere/import-plan.h"

#include <jansson.h>

typedef struct SwapDisk {
        uint32_t disk_key; /* in the backup */
        uint32_t controller_key, unit_number; /* the place, at the VM */
        const char *mode; /* borrowed, as the files: "[datastore] folder/name.vmdk" */
        const char *old_file; /* NULL: the place was empty */
        const char *new_file;
        const char *staged_file; /* where it was before it became new_file; NULL: nobody knows it yet */
} SwapDisk;

typedef struct Swap {
        SwapDisk disks[IMPORT_DISKS_MAX];
        size_t n_disks;
} Swap;

/* disks: array of {disk_key, controller_key, unit_number, mode?, old_file?, new_file, staged_file?}. -EINVAL with a line in ret_why. */
int swap_read(Swap *swap, const json_t *disks, char ret_why[static IMPORT_WHY_SIZE]);

/* What counts is the file at the bottom of a chain: a snapshot may have been made since. */
typedef enum SwapState {
        SWAP_OLD, /* every place has what it had */
        SWAP_NEW, /* every place has the new one */
        SWAP_OTHER, /* somebody else has changed it */
} SwapState;
SwapState swap_state(const Swap *swap, const VSphereDisks *now);

/* Whether any new file hangs at it, and whether this one does. */
bool swap_is_any_new(const Swap *swap, const VSphereDisks *now);
bool swap_has(const VSphereDisks *now, const char *file);

/* The argument "spec" of ReconfigVM_Task, for free(); NULL: no memory. change_version may be NULL: vCenter refuses when the
 * configuration is not the one that was looked at. */
char *swap_xml(const Swap *swap, const VSphereDisks *now, bool to_new, const char *change_version);

/* The same: every disk is taken off, and all files stay. */
char *swap_detach_xml(const VSphereDisks *now);
