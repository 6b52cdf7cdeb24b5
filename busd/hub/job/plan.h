/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a backup will do with each disk of its VM: leave it out, read all of it, or read it into a layer
 * above the newest one. Pure; when in doubt about a disk, that disk alone is read as a full, and says
 * why. Called by the store within the transaction that makes the job.
 */
#pragma once

#include "job-types.h"

#include <jansson.h>
#include <stddef.h>

/* Why a disk is read whole though its changes were asked for. */
typedef enum FullReason {
        FULL_FIRST,
        FULL_DAMAGED,
        FULL_RESTORED,
        FULL_CAPACITY,
        FULL_NO_UUID,
        FULL_OTHER_DISK,
        FULL_NO_CHANGE_ID,
        FULL_AT_NODE, /* its node found one, in its own words */
        FULL_REASON_MAX,
} FullReason;

/* The word of metrics; and the reason that a disk's text is. */
const char *full_reason_to_string(FullReason reason);
FullReason full_reason_of_text(const char *text);

typedef struct PlanRequest {
        BackupType type; /* as asked for */
        const json_t *disks; /* rows of vm_disks that are present */
        const json_t *layers; /* newest completed layer of each: {Key, Id, BackupId, CapacityBytes,
                                 BackingUuid?, ChangeId?, IsDamaged?, IsRestored?}; damaged: it, or one that it builds on;
                                 restored: the VM got other disks since, by a restore in place */
        const json_t *sources; /* {"2000": uri}; NULL: the VM itself, whose changes must then be known */
        const json_t *exclude; /* {"2001": reason}; NULL: none */
} PlanRequest;

/* *ret_disks: [{Key, State "pending|excluded", BackupType, Reason?, CapacityBytes, BackingUuid?,
 * ChangeId?, ParentId?, ParentBackupId?, SourceUri?}], the caller's. -EINVAL with one line in error
 * when the request does not fit the disks. */
int job_plan(const PlanRequest *request, json_t **ret_disks, char *error, size_t error_size);
