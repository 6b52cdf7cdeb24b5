/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VM is made of, out of its configuration at a snapshot, as one JSON object: what a restore needs to build it again. Names of
 * types are vim25's own, so that a kind of controller or card that nobody here has heard of comes back as what it was. Pure.
 */
#pragma once

#include "vsphere/xml.h"

#include <jansson.h>

enum {
        HARDWARE_DEVICES_MAX = 1000,
        HARDWARE_TEXT_MAX = 512, /* bytes of one text */
};

/* Where the parts of it stand: elements of config, each may be NULL. */
typedef struct HardwareConfig {
        const char *version, *guest_id, *firmware;
        const XmlNode *boot_options; /* config.bootOptions */
        const XmlNode *hardware; /* config.hardware */
        const XmlNode *key_id; /* config.keyId: its own files are encrypted, NVRAM among them */
} HardwareConfig;

/* {version, guest_id, firmware, secure_boot, encrypted?, cpus, cores_per_socket, memory_mb, controllers: [{key, type, bus_number, sharing?}],
 * disks: [{key, controller_key, unit_number, label, mode, encrypted?}], networks: [{key, type, network?, portgroup_key?, mac, mac_type}],
 * others: [{type, label}]}; what vCenter did not tell is not there. NULL: no memory. */
json_t *hardware_show(const HardwareConfig *config);
