/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs: found by instance UUID or by path, or all of them; what a backup must know of each. A path is for people:
 * names in it are escaped as VMware does it (%2f %5c %25), and datacenters may stand in folders.
 */
#pragma once

#include "vsphere/device.h"
#include "vsphere/session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        SNAPSHOTS_MAX = 512, /* of one VM that are read; VMware allows 32 in a row */
        PATH_DEPTH_MAX = 64,
        VM_PATH_MAX = 4096,
};

typedef struct VSphereSnapshot {
        VSphereRef ref;
        char *name; /* as vCenter has it */
        bool is_quiesced;
} VSphereSnapshot;

typedef struct VSphereVm {
        VSphereRef ref, host; /* host.value is empty when there is none */
        char *name, *path, *datacenter; /* both are inventory paths; datacenter may be empty */
        char *instance_uuid, *bios_uuid, *power_state, *connection_state, *firmware, *version;
        char *unusable; /* of a list: why what vCenter shows of it is none of a VM; NULL when it is */
        bool is_template, is_fault_tolerant, cbt_enabled, cbt_supported, consolidation_needed;
        bool has_host_device; /* a PCI device of its host is passed through to it */
        bool hides_snapshots,
                        hides_devices; /* vCenter does not tell them: that there are none says nothing */
        VSphereSnapshot *snapshots; /* the whole tree, parents first */
        size_t n_snapshots;
        VSphereDisks disks;
} VSphereVm;

/* By the one thing that is another in each VM. VmMissing, VmAmbiguous. */
int inventory_find_uuid(VSphere *v, const char *instance_uuid, VSphereRef *ret_vm,
                        VSphereError *error);

/* The same of a VM that was seen before: moref is what it was then, NULL when that is not known. One of which vCenter has lost
 * sight, because its host or its datastore is away, has no UUID and is there all the same. VmMissing only when its moref is gone, too;
 * VmNotUsable when it is there and cannot be reached. 1: it is there, with another instance UUID. */
int inventory_find_again(VSphere *v, const char *instance_uuid, const char *moref,
                         VSphereRef *ret_vm, VSphereError *error);

/* By path; an unescaped % in it is understood. VmMissing also when there is something else. */
int inventory_find_path(VSphere *v, const char *path, VSphereRef *ret_vm, VSphereError *error);

/* Any object by its path. 1: there is none. */
int inventory_find_object(VSphere *v, const char *path, VSphereRef *ret_ref, VSphereError *error);

/* Everything of one VM. VmMissing when it is gone; VmNotUsable, with its name, when vCenter shows something that cannot be. */
int inventory_read(VSphere *v, const VSphereRef *ref, VSphereVm *ret_vm, VSphereError *error);
void vm_done(VSphereVm *vm);

/* All VMs that the user may see. An odd one, or one whose devices are not told, is in the list with its reason and without snapshots and disks, and takes none of the
 * others along. */
typedef struct VSphereVms {
        VSphereVm *vms;
        size_t n_vms;
} VSphereVms;
int inventory_list(VSphere *v, VSphereVms *ret_vms, VSphereError *error);
void vms_done(VSphereVms *vms);

const VSphereSnapshot *vm_find_snapshot(const VSphereVm *vm, const char *name); /* or NULL */

/* What disks_judge() wants to know of the VM. */
DiskPolicy vm_disk_policy(const VSphereVm *vm, bool reads_deltas);

/* The disks of a snapshot, as they were at its moment, and what the VM was made of then (hardware.h; the caller's reference). */
int inventory_snapshot_config(VSphere *v, const VSphereRef *snapshot, VSphereDisks *ret_disks,
                              json_t **ret_hardware, VSphereError *error);
