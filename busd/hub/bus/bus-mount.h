/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts on the bus, and the calls that wait for one: until it serves, or until it has ended.
 */
#pragma once

#include "job/jobs.h"

typedef struct Manager Manager;
typedef struct MountWaits MountWaits;

/* NULL: no memory. */
MountWaits *mount_waits_new(void);

/* The hub ends: nobody is answered any more. NULL. */
MountWaits *mount_waits_free(MountWaits *waits);

/* News of any job: who waits for it is answered. */
void bus_mount_on_news(Manager *manager, const Job *job, JobNews news);
