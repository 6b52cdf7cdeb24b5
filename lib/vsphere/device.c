/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks out of lists of devices, and their verdicts (see device.h).
 */
#include "vsphere/device.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A part of the type's name tells a controller's kind; VMware adds types now and then. */
static const struct {
        const char *part, *kind;
} controllers[] = {
        { "NVME", "nvme" },     { "AHCI", "sata" },     { "SATA", "sata" }, { "IDE", "ide" },
        { "LsiLogic", "scsi" }, { "BusLogic", "scsi" }, { "SCSI", "scsi" },
};

static const struct {
        const char *type, *kind;
} backings[] = {
        { "VirtualDiskFlatVer1BackingInfo", "flat" },
        { "VirtualDiskFlatVer2BackingInfo", "flat" },
        { "VirtualDiskSeSparseBackingInfo", "sesparse" },
        { "VirtualDiskSparseVer1BackingInfo", "sparse" },
        { "VirtualDiskSparseVer2BackingInfo", "sparse" },
        { "VirtualDiskRawDiskVer2BackingInfo", "raw" },
        { "VirtualDiskPartitionedRawDiskVer2BackingInfo", "raw" },
};

const char *disk_verdict_to_string(DiskVerdict verdict)
{
        static const char *const words[] = { "incremental", "full", "no" };

        return words[verdict];
}

static void free_disk(VSphereDisk *disk)
{
        free(disk->label);
        free(disk->backing_uuid);
        free(disk->file_name);
        free(disk->mode);
        free(disk->change_id);
        free(disk->base_file);
}

void disks_done(VSphereDisks *disks)
{
        for (size_t i = 0; i < disks->n_disks; i++)
                free_disk(&disks->disks[i]);
        free(disks->disks);
        *disks = (VSphereDisks){};
}

const VSphereDisk *disks_find(const VSphereDisks *disks, uint32_t key)
{
        for (size_t i = 0; i < disks->n_disks; i++)
                if (disks->disks[i].key == key)
                        return &disks->disks[i];
        return NULL;
}

static const char *kind_of_backing(const XmlNode *backing)
{
        const char *type = xml_type(backing);

        if (strcmp(type, "VirtualDiskRawDiskMappingVer1BackingInfo") == 0) {
                const char *mode = xml_text_at(backing, "compatibilityMode");

                return mode && strcmp(mode, "virtualMode") == 0 ? "rdm-virtual" : "rdm-physical";
        }
        for (size_t i = 0; i < ELEMENTSOF(backings); i++)
                if (strcmp(type, backings[i].type) == 0)
                        return backings[i].kind;
        return "other";
}

static const XmlNode *find_device(const XmlNode *device, uint64_t key)
{
        for (const XmlNode *d = xml_child(device, NULL); d; d = xml_next(d, NULL)) {
                uint64_t its;

                if (xml_uint64_at(d, "key", INT32_MAX, &its) >= 0 && its == key)
                        return d;
        }
        return NULL;
}

const char *controller_kind(const char *type)
{
        for (size_t i = ELEMENTSOF(controllers); i > 0; i--)
                if (strstr(type, controllers[i - 1].part))
                        return controllers[i - 1].kind;
        return "other";
}

static void name_controller(const XmlNode *device, const XmlNode *disk, VSphereDisk *ret_disk)
{
        const XmlNode *controller;
        uint64_t key = 0, bus = 0;
        const char *sharing;

        controller = xml_uint64_at(disk, "controllerKey", INT32_MAX, &key) < 0
                                     ? NULL
                                     : find_device(device, key);
        (void) xml_uint64_at(controller, "busNumber", 1000, &bus);
        ret_disk->controller_key = (uint32_t) key;
        (void) snprintf(ret_disk->controller, sizeof(ret_disk->controller), "%s%" PRIu64,
                        controller ? controller_kind(xml_type(controller)) : "other", bus);
        sharing = xml_text_at(controller, "sharedBus");
        if (sharing && *sharing && strcmp(sharing, "noSharing") != 0)
                ret_disk->is_shared = true;
}

static int copy_text(const XmlNode *node, const char *path, char **ret_text)
{
        const char *text = xml_text_at(node, path);
        char *copy = strndup(text ? text : "", DISK_TEXT_MAX);

        if (!copy)
                return -ENOMEM;
        utf8_make_line(copy);
        *ret_text = copy;
        return 0;
}

/* fileName and uuid of the backing itself: those of its parents stand deeper. */
static int read_texts(const XmlNode *node, VSphereDisk *disk)
{
        const XmlNode *backing = xml_child(node, "backing"), *base = backing;
        int r;

        while (xml_child(base, "parent"))
                base = xml_child(base, "parent");
        r = copy_text(node, "deviceInfo/label", &disk->label);
        if (r >= 0)
                r = copy_text(base, "fileName", &disk->base_file);
        if (r >= 0)
                r = copy_text(backing, "uuid", &disk->backing_uuid);
        if (r >= 0)
                r = copy_text(backing, "fileName", &disk->file_name);
        if (r >= 0)
                r = copy_text(backing, "diskMode", &disk->mode);
        if (r >= 0)
                r = copy_text(backing, "changeId", &disk->change_id);
        return r;
}

static int read_capacity(const XmlNode *node, uint64_t *ret_capacity)
{
        uint64_t bytes;

        if (xml_uint64_at(node, "capacityInBytes", INT64_MAX, &bytes) < 0 || bytes == 0) {
                if (xml_uint64_at(node, "capacityInKB", INT64_MAX / 1024, &bytes) < 0)
                        return -EBADMSG;
                bytes *= 1024;
        }
        *ret_capacity = bytes;
        return bytes > 0 ? 0 : -EBADMSG;
}

static int read_disk(const XmlNode *device, const XmlNode *node, VSphereDisk *disk,
                     VSphereError *error)
{
        const XmlNode *backing = xml_child(node, "backing");
        uint64_t key, unit = 0;
        const char *sharing;

        if (xml_uint64_at(node, "key", INT32_MAX, &key) < 0 || key == 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter shows a disk without a key");
        disk->key = (uint32_t) key;
        if (read_capacity(node, &disk->capacity_bytes) < 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter shows disk %" PRIu64 " without a capacity", key);
        (void) xml_uint64_at(node, "unitNumber", 100000, &unit);
        disk->unit_number = (uint32_t) unit;
        disk->backing_kind = kind_of_backing(backing);
        disk->has_parent =
                        xml_child(backing, "parent") || strcmp(disk->backing_kind, "sesparse") == 0;
        disk->is_encrypted = xml_child(backing, "keyId");
        sharing = xml_text_at(backing, "sharing");
        disk->is_shared = sharing && strcmp(sharing, "sharingMultiWriter") == 0;
        name_controller(device, node, disk);
        return read_texts(node, disk) < 0
                               ? vsphere_error_errno(error, -ENOMEM, "Cannot read a disk")
                               : 0;
}

bool devices_are_of_host(const XmlNode *device)
{
        static const char *const backings_of_host[] = {
                "VirtualPCIPassthroughDeviceBackingInfo",
                "VirtualPCIPassthroughDynamicBackingInfo",
        };

        for (const XmlNode *d = xml_child(device, NULL); d; d = xml_next(d, NULL)) {
                const char *type = xml_type(xml_child(d, "backing"));

                for (size_t i = 0; i < ELEMENTSOF(backings_of_host); i++)
                        if (strcmp(type, backings_of_host[i]) == 0)
                                return true;
        }
        return false;
}

static int compare_disks(const void *a, const void *b)
{
        const VSphereDisk *one = a, *other = b;
        int order = strcmp(one->controller, other->controller);

        if (order != 0)
                return order;
        return (one->unit_number > other->unit_number) - (one->unit_number < other->unit_number);
}

int disks_read(const XmlNode *device, VSphereDisks *ret_disks, VSphereError *error)
{
        CLEANUP(disks_done) VSphereDisks disks = {};
        size_t n = 0;
        int r;

        for (const XmlNode *d = xml_child(device, NULL); d; d = xml_next(d, NULL))
                if (strcmp(xml_type(d), "VirtualDisk") == 0)
                        n++;
        if (n > DISKS_MAX)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter shows %zu disks of one VM", n);
        disks.disks = calloc(n > 0 ? n : 1, sizeof(VSphereDisk));
        if (!disks.disks)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read the disks");
        for (const XmlNode *d = xml_child(device, NULL); d; d = xml_next(d, NULL)) {
                VSphereDisk *disk = &disks.disks[disks.n_disks];

                if (strcmp(xml_type(d), "VirtualDisk") != 0)
                        continue;
                disks.n_disks++;
                r = read_disk(device, d, disk, error);
                if (r < 0)
                        return r;
                if (disks_find(&disks, disk->key) != disk)
                        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                                 "vCenter shows two disks with the key %" PRIu32,
                                                 disk->key);
        }
        qsort(disks.disks, disks.n_disks, sizeof(VSphereDisk), compare_disks);
        *ret_disks = disks;
        disks = (VSphereDisks){};
        return 0;
}

/* Why a disk cannot be backed up at all, NULL when it can. */
static const char *why_not(const VSphereDisk *disk, const DiskPolicy *policy)
{
        if (policy->is_template)
                return "the VM is a template, and no template has snapshots";
        if (policy->is_fault_tolerant)
                return "the VM is fault tolerant, and Sendense does not support backups of such a "
                       "VM; "
                       "turn Fault Tolerance off for its backup, or back up inside its guest";
        if (policy->is_bound)
                return "the VM runs with a PCI device of its host, and such a VM has no snapshots; "
                       "switch it off for its backup, or take the device out";
        if (strcmp(disk->backing_kind, "rdm-physical") == 0 ||
            strcmp(disk->backing_kind, "raw") == 0)
                return "it is a physical raw device, which is never in a snapshot";
        if (strncmp(disk->mode, "independent", strlen("independent")) == 0)
                return "it is independent, and an independent disk is never in a snapshot";
        if (disk->is_shared)
                return "it is shared with other VMs, and a shared disk has no snapshots";
        if (disk->capacity_bytes % 512 != 0)
                return "its capacity is no whole number of sectors";
        if (disk->has_parent && !policy->reads_deltas)
                return "its file holds only what was written since a snapshot, which needs VDDK; "
                       "remove "
                       "the VM's snapshots, or read it with VDDK";
        return NULL;
}

static const char *why_full(const VSphereDisk *disk, const DiskPolicy *policy)
{
        if (policy->is_snapshot)
                return *disk->change_id ? NULL : "its changes are not tracked";
        if (policy->cbt_enabled)
                return NULL;
        return policy->cbt_possible
                               ? "changes are not tracked yet; the next backup can be incremental"
                               : "changes are not tracked, and cannot be at present";
}

void disks_judge(VSphereDisks *disks, const DiskPolicy *policy)
{
        for (size_t i = 0; i < disks->n_disks; i++) {
                VSphereDisk *disk = &disks->disks[i];
                const char *no = why_not(disk, policy), *full = why_full(disk, policy);

                disk->verdict = no ? DISK_NO : full ? DISK_FULL : DISK_INCREMENTAL;
                disk->reason = no ? no : full;
        }
}
