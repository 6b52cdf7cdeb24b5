/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs and disks as JSON, alike in every verb. What stands in them was cleaned when it was read. Pure.
 */
#pragma once

#include "vsphere/inventory.h"

#include <jansson.h>

json_t *show_vm(const VSphereVm *vm);
json_t *show_disk(const VSphereDisk *disk, const char *datacenter);
