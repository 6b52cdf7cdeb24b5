/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells a node that the hub has a backup, or gave it up, and follows it until nothing of the job is owed at vCenter any more.
 * Used when a job releases, when one is undone, and for what is owed from earlier.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct NodeLinks NodeLinks;
typedef struct NodeRelease NodeRelease;
typedef struct Secret Secret;
typedef struct Store Store;
typedef struct sd_event sd_event;

/* 0: nothing is owed; of a restore the text is then a warning, or empty; 1: it belongs to the error of the job. Else a negative errno and, in one line, why it still is: -ETIMEDOUT when the node was at it for limit_usec,
 * -EHOSTDOWN when it did not answer, -ENODATA when it has lost the job,
 * -EINPROGRESS when it may get to know it. */
typedef void (*NodeReleased)(int error, const char *text, void *userdata);

typedef struct NodeReleaseTask {
        sd_event *event;
        NodeLinks *links;
        Store *store;
        const Secret *key; /* NULL: the node gets no login, and has its own */
        uint64_t node_id, job;
        uint64_t credential_id; /* 0: none */
        bool is_committed; /* else abandoned */
        bool may_come; /* its start has no answer: a node that does not know the job may get it yet, and it stays owed */
        bool is_restore; /* it is a VM that may be owed, and no snapshot */
        uint64_t attempt; /* node_attempt(): which job of this number is meant, unless the node has accepted it */
        bool was_accepted; /* the node knew the job: one that does not any more has lost it, and what it owes */
        uint64_t limit_usec; /* for all of it */
        uint64_t away_usec; /* that the node may be silent */
        NodeReleased done; /* once, later, unless it is cancelled before */
        void *userdata;
} NodeReleaseTask;

/* All of the task is borrowed, and the links must outlive it, or answer it when they end. */
int node_release_begin(const NodeReleaseTask *task, NodeRelease **ret_release);

/* done is not called any more. NULL in, NULL out. */
NodeRelease *node_release_cancel(NodeRelease *release);
