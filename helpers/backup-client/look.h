/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Can these disks be read over HTTPS, and are their targets there? Asked of the VMDK descriptors of disks that are still in
 * use, so that what cannot be copied is refused before there is a snapshot. Used by the verbs check and migrate.
 */
#pragma once

#include "failure.h"

#include <jansson.h>

/* disks: as `sendense-vsphere discover` shows them; those with the verdict "no" are passed over. The datacenter is
 * each disk's. 0, or negative with failure set, which names the disk. */
int look_at_disks(const json_t *vcenter, const json_t *disks, int signal_fd, Failure *failure);

/* Of those of the same disks that name a "target": each answers and has the size of its disk. */
int look_at_targets(const json_t *disks, int signal_fd, Failure *failure);
