/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots of one VM: made, found by name, removed. Only those of ours are ever touched: a name is exact, or
 * begins with a prefix that only we use. Children of a snapshot are never removed with it.
 */
#pragma once

#include "vsphere/inventory.h"
#include "vsphere/session.h"

#include <stdbool.h>

#define SNAPSHOT_PREFIX "sendense-"

/* "sendense-" and then letters, digits, '.', '_', '-'; at most 80 characters. */
bool snapshot_name_is_ours(const char *name);

/* Which snapshots of the VM a call is about: those of exactly this name, those of a step of it ("NAME.cbt"), and,
 * with a prefix, all that begin with it. */
typedef struct SnapshotChoice {
        const char *name, *prefix; /* each may be NULL */
} SnapshotChoice;
bool snapshot_is_chosen(const SnapshotChoice *choice, const char *name);

/* Asks for one without memory and waits for it. When it fails, or is cancelled, there may be one all the same;
 * snapshot_remove_all() finds it. Faults of quiescing are left in error->fault. */
int snapshot_create(VSphere *v, const VSphereRef *vm, const char *name, const char *description,
                    bool quiesce, VSphereRef *ret_snapshot, VSphereError *error);

/* Waits for the VM's running tasks, then removes every chosen snapshot, youngest first, looks whether any is left,
 * and tries again a few times. One that is gone is a success; so is a VM that is. SnapshotLeft, also of a VM whose
 * snapshots vCenter does not show. ret_count: how many there were. */
int snapshot_remove_all(VSphere *v, const VSphereRef *vm, const SnapshotChoice *choice,
                        unsigned *ret_count, VSphereError *error);

/* Merges what an incomplete removal left, and tells whether that is still needed. Where vCenter's own consolidation does
 * not help and the VM has no snapshot, one of that name is made and removed; without a name this is left out. */
int snapshot_consolidate(VSphere *v, const VSphereRef *vm, const char *name, bool *ret_still_needed,
                         VSphereError *error);

/* Switches change tracking on, and makes and removes a snapshot of the name "NAME.cbt", because only that makes it
 * true of a running VM. */
int snapshot_enable_cbt(VSphere *v, const VSphereRef *vm, const char *name, VSphereError *error);

/* Whether a fault is about quiescing, so that a snapshot without it may work. */
bool snapshot_is_quiesce_fault(const VSphereError *error);
