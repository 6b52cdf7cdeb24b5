/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs of type mount: what the bus asks of them. What they are made of stands in work-mount.c.
 */
#pragma once

#include "job/work.h"

enum {
        MOUNT_EXPIRES_DEFAULT_SEC = 8 * 60 * 60,
        MOUNT_EXPIRES_MAX_SEC = 30 * 24 * 60 * 60,
};

extern const WorkKind work_mount;

/* What was asked, as its row keeps it. keys: disks, NULL for all. NULL: no memory. */
json_t *mount_work(const json_t *keys, bool is_writable, bool wants_port, uint32_t uid,
                   uint64_t until_usec);

/* Whether all its disks can be read, and that is written down. */
bool mount_is_served(const Job *job);

/* {Job, BackupId, Vm, Principal, Served, Writable, CreatedUSec, ExpiresUSec, Disks: [{Key, CapacityBytes, ExportName, Uri, Socket |
 * Port}]}, from memory. NULL: no memory. */
json_t *mount_describe(const Job *job);

/* Of jobs that read what they mount: their steps come between these. Serves all disks of mount_load(), anew; takes up those that the row
 * says are served, of this boot; both go on with the mount's served(). A server that dies for good fails the job. */
void mount_serve(Job *job);
void mount_take_up(Job *job);
void mount_stop(Job *job, void (*then)(Job *job));
void mount_on_unit(Job *job, const UnitName *name, const char *unit, const void *state);

/* Why mount_load() failed; ends the job. */
void mount_fail_load(Job *job, int error);

/* Ends it; the job completes. -EALREADY when it is ending or has ended; -EAGAIN while it is being made. */
int mount_end(Job *job, const char *principal);
