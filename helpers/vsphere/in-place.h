/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs in-place-look, in-place-swap and in-place-end have in common: a VM that is there, whose disks are exchanged. Whatever is
 * begun can be asked for again: how far it is stands at vCenter, and the names of all files in the spec.
 */
#pragma once

#include "spec.h"
#include "vsphere/inventory.h"
#include "vsphere/place.h"
#include "vsphere/swap.h"

typedef struct InPlace {
        const Task *task;
        LoginSpec login;
        VSphere *v;
        Swap swap;
        VSphereVm vm; /* as it was when it was looked at last */
        VSphereVms all; /* VMs of the vCenter; in_place_list() */
        VSphereRef datacenter; /* of the VM, and of the files; its value is empty when it is not known */
        json_t *warnings;
} InPlace;

/* Members of every spec of theirs. */
#define IN_PLACE_FIELDS                                                                            \
        { .key = "vcenter", .kind = JSON_FIELD_OBJECT },                                           \
                        { .key = "instance_uuid", .kind = JSON_FIELD_TEXT, .min = 36, .max = 36 }, \
                        { .key = "vm_moref",                                                       \
                          .kind = JSON_FIELD_TEXT,                                                 \
                          .optional = true,                                                        \
                          .min = 1,                                                                \
                          .max = VSPHERE_MOREF_SIZE - 1 },                                         \
        {                                                                                          \
                .key = "disks", .kind = JSON_FIELD_ARRAY, .max = IMPORT_DISKS_MAX                  \
        }

/* Of the VM that the import has made: what an exchange, and its end, are told. */
#define IN_PLACE_STAGING_FIELDS                                                              \
        { .key = "staging_uuid", .kind = JSON_FIELD_TEXT, .min = 36, .max = 36 },            \
        {                                                                                    \
                .key = "staging_moref", .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, \
                .max = VSPHERE_MOREF_SIZE - 1                                                \
        }

/* Checks the spec, reads its disks if it has them as a swap, and logs in. To be ended in any case. */
int in_place_open(InPlace *place, const Task *task, const JsonField *fields, size_t n_fields,
                  bool is_swap, VSphereError *error);
void in_place_done(InPlace *place);

/* Finds the VM, waits until none of its tasks runs, and reads it. VmMissing; VmNotUsable when it is there and cannot be reached. */
int in_place_find(InPlace *place, VSphereError *error);

/* Refuses a VM that somebody uses: one that is not switched off, or has snapshots, or is a template, and so on. */
int in_place_check_unused(const InPlace *place, VSphereError *error);

/* Refuses one of which vCenter may not show what it has. */
int in_place_check_connected(const InPlace *place, VSphereError *error);

/* How somebody uses it, in words: it runs, is suspended, or has snapshots. NULL: in none of these ways. */
const char *in_place_use(const InPlace *place);

/* What its configuration is now, for free(); NULL where vCenter does not say. Another one after each change, and after it was used. */
int in_place_version(const InPlace *place, char **ret_version, VSphereError *error);

/* Brings the new disks to their places, or the old ones back, in one reconfiguration, and looks whether they are there. The VM must
 * have been found, and be in neither state but the other. 0 only when it is in the wanted state. */
int in_place_exchange(InPlace *place, bool to_new, VSphereError *error);

/* Reads all VMs anew, for in_place_holder(): the path of one that has the file, or may have it, because vCenter does not tell of its
 * disks; NULL when there is none. Equal names in two datacenters may be one file. */
int in_place_list(InPlace *place, VSphereError *error);
const char *in_place_holder(const InPlace *place, const char *file);

/* The VM of the import goes (import_undo()). */
int in_place_undo_staging(InPlace *place, bool may_appear, VSphereError *error);

/* Moves or removes a file that hangs at no VM. 1: there is no such file. */
int in_place_move(InPlace *place, const char *from, const char *to, VSphereError *error);
int in_place_remove(InPlace *place, const char *file, VSphereError *error);
