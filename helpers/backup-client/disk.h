/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of one disk: its plan, its source, its target and what is between them. Moved on by the loop, never
 * waits. Faults of source and target are its business until they last too long.
 */
#pragma once

#include "announce.h"
#include "epoch.h"
#include "plan.h"
#include "slot.h"
#include "source.h"
#include "spec.h"
#include "target.h"

enum {
        DISK_SLOTS_MAX = 16, /* and as many MiB of buffers */
        DISK_FDS_MAX = SOURCE_FDS_MAX + TARGET_CONNECTIONS_MAX,
        DISK_FAULTS_MAX = 6, /* answers with an error at one place, before it is called broken */
};

typedef enum DiskState {
        DISK_WAITING,
        DISK_RUNNING,
        DISK_DONE,
        DISK_STATE_MAX,
        DISK_STATE_INVALID = -22,
} DiskState;

/* When to try again, and how long that has been going on. */
typedef struct Retry {
        uint64_t since_usec; /* of the first fault; 0: there is none */
        uint64_t next_usec, delay_usec;
} Retry;

typedef enum SourceState {
        SOURCE_CLOSED,
        SOURCE_OPENING,
        SOURCE_OPEN,
        SOURCE_BROKEN, /* to be closed */
} SourceState;

typedef struct Disk {
        const CopySpec *spec;
        const DiskSpec *disk;
        Failure *failure; /* shared by all */
        DiskState state;
        Plan plan;
        bool plan_ended, rewind;
        bool asking, ask_pending; /* for extents; an answer is to be taken */
        int ask_error;
        Source *source;
        SourceState source_state;
        int source_error;
        bool source_opened; /* and not looked at yet */
        bool source_seen; /* it was open once */
        uint64_t source_opening_usec;
        Target target;
        bool writes_zeroes; /* where the source has them */
        Retry source_retry, target_retry;
        uint64_t target_first_loss_usec; /* since the last commit; 0: none */
        unsigned n_target_faults; /* answers with an error since the last commit */
        BlockDigest *digest;
        HashWorkers *workers; /* borrowed; NULL: no digests */
        Epoch epoch;
        int flush_error;
        uint64_t now_usec; /* of this step */
        bool again; /* another step is wanted at once */
        size_t n_source_fds, n_target_fds; /* of the last poll */
        Announced announced;
        uint64_t bytes_read, n_areas, n_reconnects, begun_usec;
        json_t *digest_json;
        size_t n_slots;
        Slot slots[DISK_SLOTS_MAX];
} Disk;

/* Ready to be started; its source is made, but closed. */
int disk_init(Disk *disk, const CopySpec *spec, const DiskSpec *what, Failure *failure);
void disk_done(Disk *disk);

/* Somebody has opened its source already, and looked at it. */
void disk_has_source(Disk *disk);

/* Begins, with that much of the budget; a target that somebody has opened has its connections. workers are needed when there are to be digests. */
int disk_start(Disk *disk, unsigned n_connections, size_t n_slots, HashWorkers *workers);

/* Does what can be done now. Negative: it failed, failure is set. */
int disk_step(Disk *disk, uint64_t now_usec);

/* For the loop: fds has room for DISK_FDS_MAX. */
size_t disk_poll(Disk *disk, struct pollfd *fds, uint64_t *deadline_usec);
void disk_dispatch(Disk *disk, const struct pollfd *fds, size_t n_fds);

/* How far it is. */
uint64_t disk_bytes_total(const Disk *disk);
uint64_t disk_bytes_done(const Disk *disk);

/* Of a disk that is done: its part of the result. NULL: out of memory. */
json_t *disk_result(const Disk *disk);
