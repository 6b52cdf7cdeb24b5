/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM that is to be made anew out of what hardware.h wrote down of an old one: which controllers, disks and cards, and the XML of the
 * VirtualMachineConfigSpec that asks vCenter for it. What cannot come back is named. IDE controllers are not asked for, because every VM
 * has its two; keys are new ones, kinds, bus numbers and unit numbers are the old ones. Pure.
 */
#pragma once

#include "vsphere/soap.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        IMPORT_DISKS_MAX = 256,
        IMPORT_CONTROLLERS_MAX = 64,
        IMPORT_CARDS_MAX = 64,
        IMPORT_TYPE_SIZE = 64,
        IMPORT_WHY_SIZE = 320,
};

typedef struct ImportController {
        uint64_t old_key;
        char type[IMPORT_TYPE_SIZE]; /* vim25's word: letters and digits */
        unsigned bus;
        const char *sharing; /* of a SCSI controller; borrowed */
} ImportController;

typedef struct ImportDisk {
        uint32_t disk_key; /* the old one */
        uint64_t capacity_bytes;
        const char *source; /* the URI that it is read from; borrowed, as mode and datastore */
        const char *datastore; /* NULL: the plan's */
        const ImportController *controller;
        unsigned unit;
        const char *mode;
} ImportDisk;

typedef struct ImportCard {
        char type[IMPORT_TYPE_SIZE];
        const char *mac; /* NULL: vCenter chooses one; borrowed, as what follows */
        const char *network, *portgroup_key; /* the old ones; each may be NULL */

        /* Where it is plugged in now; filled by who looks it up. A distributed port group has a switch. */
        bool is_left_out;
        const char *new_network, *new_portgroup_key, *new_switch;
} ImportCard;

typedef struct ImportPlan {
        const json_t *hardware; /* borrowed, as the texts */
        const char *name, *datastore, *instance_uuid;
        ImportController controllers[IMPORT_CONTROLLERS_MAX];
        size_t n_controllers;
        ImportDisk disks[IMPORT_DISKS_MAX];
        size_t n_disks;
        ImportCard cards[IMPORT_CARDS_MAX];
        size_t n_cards;
        json_t *left_out; /* array of {type, label}: what is not made anew; the plan's */
} ImportPlan;

/* disks: array of {disk_key, capacity_bytes, source, datastore?}. keeps_macs: else vCenter chooses. The members before controllers are the
 * caller's to set. -EINVAL with a line in ret_why, -ENOMEM. To be ended in any case. */
int import_plan_read(ImportPlan *plan, const json_t *hardware, const json_t *disks, bool keeps_macs,
                     char ret_why[static IMPORT_WHY_SIZE]);
void import_plan_done(ImportPlan *plan);

/* The record has the variables of an EFI, and they cannot be put back. -ENOMEM. */
int import_plan_leave_nvram(ImportPlan *plan);

/* The argument "spec" of ImportVApp; the caller's. NULL: no memory. */
char *import_plan_xml(const ImportPlan *plan);

/* What a VMDK's descriptor calls the kind of controller. */
const char *import_disk_adapter(const ImportDisk *disk);

/* "ParaVirtualSCSIController0:3", as a lease of vCenter's ends the names of its disks; buffer of that size. */
enum {
        IMPORT_ADDRESS_SIZE = IMPORT_TYPE_SIZE + 32,
};
void import_disk_address(const ImportDisk *disk, char ret_text[static IMPORT_ADDRESS_SIZE]);
