/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks of a VM or of a snapshot, out of its list of devices, and what each is good for. A disk is known
 * by its key and the UUID of its backing; its file and its label may change at any time. Pure.
 */
#pragma once

#include "vsphere/error.h"
#include "vsphere/xml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        DISKS_MAX = 1024, /* that are read */
        DISKS_USABLE_MAX =
                        60, /* of one VM: VMware's own limit on one controller of each kind is near it */
        DISK_TEXT_MAX = 4096,
};

typedef enum DiskVerdict {
        DISK_INCREMENTAL,
        DISK_FULL,
        DISK_NO,
        _DISK_VERDICT_MAX,
        _DISK_VERDICT_INVALID = -22,
} DiskVerdict;

const char *disk_verdict_to_string(DiskVerdict verdict);

typedef struct VSphereDisk {
        uint32_t key;
        char controller[24]; /* "scsi0", "sata1", "nvme0", "ide0" */
        uint32_t controller_key; /* 0: none is told */
        uint32_t unit_number;
        uint64_t capacity_bytes;
        const char *backing_kind; /* "flat", "sesparse", "sparse", "rdm-virtual", "rdm-physical", "raw", "other" */
        bool has_parent; /* its file holds only what was written since a snapshot */
        bool is_shared;
        bool is_encrypted; /* by vSphere, under a key of its own */
        char *label, *backing_uuid, *file_name, *mode, *change_id; /* never NULL */
        char *base_file; /* at the bottom of its chain; file_name when it has no parent. Never NULL */
        DiskVerdict verdict;
        const char *reason; /* why it is not DISK_INCREMENTAL; NULL */
} VSphereDisk;

typedef struct VSphereDisks {
        VSphereDisk *disks; /* by controller and unit number */
        size_t n_disks;
} VSphereDisks;

/* What the verdict depends on besides the disk itself. */
typedef struct DiskPolicy {
        bool is_template;
        bool is_fault_tolerant;
        bool is_bound; /* it runs with a PCI device of its host */
        bool cbt_enabled;
        bool cbt_possible; /* it could be enabled now */
        bool reads_deltas; /* the reader understands files that have a parent, as VDDK does */
        bool is_snapshot; /* the disks are those of a snapshot: a change id must be there */
} DiskPolicy;

/* device: the <val> of config.hardware.device. -EBADMSG with error set: two disks with one key, a disk without
 * a key or capacity, more than DISKS_MAX. */
int disks_read(const XmlNode *device, VSphereDisks *ret_disks, VSphereError *error);
void disks_done(VSphereDisks *disks);

void disks_judge(VSphereDisks *disks, const DiskPolicy *policy);

/* A PCI device of the host's own is passed through. A share of one, as a virtual GPU is, does not count. */
bool devices_are_of_host(const XmlNode *device);

const VSphereDisk *disks_find(const VSphereDisks *disks, uint32_t key); /* or NULL */

/* "scsi", "sata", "nvme", "ide", "other", out of vim25's name of a controller's type. */
const char *controller_kind(const char *type);
