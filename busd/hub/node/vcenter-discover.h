/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a vCenter says of its VMs, as the hub's rows: one that is known, before it is backed up, and those that are found. The
 * answers come from a node and are looked at as a stranger's.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct Nodes Nodes;
typedef struct Store Store;

/* 0, and the disks of the VM that cannot be backed up whatever is done: [{Key, Reason}], borrowed. Or a negative errno with a name of the bus
 * and one line. */
typedef void (*VcenterRefreshed)(int error, const char *name, const char *text,
                                 const json_t *unusable, void *userdata);

/* Looks at one VM, by its instance UUID and with the login of its vCenter, and brings its rows up to date in one transaction: name,
 * path, disks. vm as store_vm_get() takes it; node: which is to look, 0: the one of the VM or of its vCenter, or any. NotAllowed
 * for a VM of no vCenter. Errors as store_call(); then done is not called. All is borrowed until done. */
int vcenter_refresh_vm(Store *store, const Nodes *nodes, const char *vm, uint64_t node,
                       VcenterRefreshed done, void *userdata);

/* A VM of a node's answer as store_vm_set() takes it, without NowUSec. NULL: it cannot be entered, *ret_reason (static) says
 * why; NULL there, too, when out of memory. */
json_t *vcenter_vm_row(const json_t *vm, const char **ret_reason);

/* The disks of it that cannot be backed up at all, as above (a new reference). */
json_t *vcenter_vm_unusable(const json_t *vm);
