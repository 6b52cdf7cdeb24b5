/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a disk is copied, cut into chunks in the order of their offsets: a chunk is what is to be done within
 * one leaf of 1 MiB (which is also a cluster of our images), or a run of whole leaves of zeroes. Two chunks never share
 * a leaf, so that data and zeroes of one cluster are always in one hand. Pure; where the source knows its
 * zeroes, the caller asks it and hands the answer in.
 */
#pragma once

#include "area.h"
#include "block-digest.h"
#include "extents.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        PLAN_SEGMENTS_MAX = LEAF_BYTES / AREA_GRAIN,
        PLAN_MERGE_BYTES =
                        64 * 1024, /* zeroes shorter than this are read with the data beside them */
};

#define PLAN_WINDOW_BYTES (UINT64_C(1) << 30) /* what a source is asked for at a time */
#define PLAN_ASK_BYTES \
        (UINT64_C(4) << 20) /* areas that hold less of a window are read without a question */

/* Within a leaf. */
typedef struct Segment {
        uint32_t start, length; /* start: from the leaf's beginning */
        bool zero;
} Segment;

typedef struct PlanChunk {
        uint64_t offset; /* a multiple of LEAF_BYTES */
        uint64_t length; /* of the leaf, or of all leaves of zeroes */
        uint64_t bytes; /* of it that are copied, zeroes included */
        bool zero; /* whole leaves of zeroes; no segments */
        bool whole; /* the segments leave nothing out */
        size_t n_segments;
        Segment segments[PLAN_SEGMENTS_MAX];
} PlanChunk;

typedef struct Plan {
        uint64_t capacity_bytes;
        uint64_t zeroes_max; /* length of a chunk of zeroes */
        const AreaList *areas; /* NULL: all of the disk */
        bool rest_is_zero; /* what lies between the areas is zeroes; otherwise it is left alone */
        bool ask; /* extents of the source are asked for; of areas where it is worth it */
        uint64_t position; /* where the next chunk begins to look */
        size_t area; /* the first one that does not end before position */
        Extents extents; /* what is known around position */
        size_t extent; /* the first one that does not end before position */
        uint64_t asked; /* where the last question began */
        uint64_t unasked_start, unasked_end; /* a window of few areas: they are read */
} Plan;

typedef enum PlanOutcome {
        PLAN_END, /* nothing is left */
        PLAN_CHUNK,
        PLAN_ASK, /* fill extents from plan_window() on, then plan_answered() */
} PlanOutcome;

/* The next chunk. */
PlanOutcome plan_next(Plan *plan, PlanChunk *ret_chunk);

/* What to ask for: it goes on where extents end. */
void plan_window(Plan *plan, uint64_t *ret_offset, uint64_t *ret_length);

/* plan->extents were filled, or the source could not say: then the window is taken for data. -ENOMEM. */
int plan_answered(Plan *plan, bool known);

/* Goes back to a position that it had between two chunks. */
void plan_rewind(Plan *plan, uint64_t position);

/* How much is to be copied, as far as that is known at the beginning. */
uint64_t plan_total(const Plan *plan);

void plan_done(Plan *plan);
