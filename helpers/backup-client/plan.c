/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cutting a disk into chunks (see plan.h).
 */
#include "plan.h"

#include <errno.h>

typedef enum RunKind {
        RUN_DATA,
        RUN_ZERO,
        RUN_NOTHING, /* left alone */
        RUN_UNKNOWN, /* the source must be asked */
} RunKind;

typedef struct Run {
        RunKind kind;
        uint64_t end;
} Run;

static uint64_t min64(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* After position went back. */
static void go_back(Plan *plan)
{
        while (plan->area > 0 &&
               plan->areas->list[plan->area - 1].offset + plan->areas->list[plan->area - 1].length >
                               plan->position)
                plan->area--;
        while (plan->extent > 0 && plan->extents.list[plan->extent - 1].end > plan->position)
                plan->extent--;
}

static Run run_of_areas(Plan *plan, uint64_t position)
{
        RunKind between = plan->rest_is_zero ? RUN_ZERO : RUN_NOTHING;
        const Area *area;

        while (plan->area < plan->areas->n &&
               plan->areas->list[plan->area].offset + plan->areas->list[plan->area].length <=
                               position)
                plan->area++;
        if (plan->area == plan->areas->n)
                return (Run){ between, plan->capacity_bytes };
        area = plan->areas->list + plan->area;
        if (area->offset <= position)
                return (Run){ RUN_DATA, area->offset + area->length };
        return (Run){ between, area->offset };
}

/* A source tells of bytes, targets want sectors: a sector with a byte of data is data. */
static Run run_of_extents(Plan *plan, uint64_t position)
{
        const Extents *extents = &plan->extents;
        uint64_t end;

        if (position < extents->start || position >= extents->end)
                return (Run){ RUN_UNKNOWN, position };
        while (extents->list[plan->extent].end <= position)
                plan->extent++;
        end = min64(extents->list[plan->extent].end, plan->capacity_bytes);
        if (extents->list[plan->extent].zero &&
            (end == plan->capacity_bytes || end - end % AREA_GRAIN > position))
                return (Run){ RUN_ZERO,
                              end == plan->capacity_bytes ? end : end - end % AREA_GRAIN };
        end += (AREA_GRAIN - end % AREA_GRAIN) % AREA_GRAIN;
        return (Run){ RUN_DATA, min64(end, plan->capacity_bytes) };
}

/* A question takes the source as long as some reads do. The area at position is plan->area. */
static bool is_worth_asking(Plan *plan, uint64_t position)
{
        uint64_t end = min64(position + PLAN_WINDOW_BYTES, plan->capacity_bytes), bytes = 0;

        if (position >= plan->unasked_start && position < plan->unasked_end)
                return false;
        if (position >= plan->extents.start && position < plan->extents.end)
                return true;
        for (size_t i = plan->area; i < plan->areas->n && bytes < PLAN_ASK_BYTES; i++) {
                const Area *area = plan->areas->list + i;

                if (area->offset >= end)
                        break;
                bytes += min64(area->offset + area->length, end) -
                         (area->offset > position ? area->offset : position);
        }
        if (bytes >= PLAN_ASK_BYTES)
                return true;
        plan->unasked_start = position;
        plan->unasked_end = end;
        return false;
}

/* Of what is to be copied, zeroes that the source knows are not read. */
static Run run_of_both(Plan *plan, uint64_t position)
{
        Run run = run_of_areas(plan, position), known;

        if (run.kind != RUN_DATA || !plan->ask || !is_worth_asking(plan, position))
                return run;
        known = run_of_extents(plan, position);
        known.end = min64(known.end, run.end);
        return known;
}

static Run run_at(Plan *plan, uint64_t position)
{
        if (plan->areas)
                return run_of_both(plan, position);
        if (plan->ask)
                return run_of_extents(plan, position);
        return (Run){ RUN_DATA, plan->capacity_bytes };
}

static uint64_t leaf_end(const Plan *plan, uint64_t position)
{
        return min64(position - position % LEAF_BYTES + LEAF_BYTES, plan->capacity_bytes);
}

/* Runs of whole leaves of zeroes, from a leaf's beginning on. false: there is none. */
static bool take_zeroes(Plan *plan, Run run, PlanChunk *ret_chunk)
{
        uint64_t start = plan->position, end = run.end;

        if (run.kind != RUN_ZERO || start % LEAF_BYTES != 0)
                return false;
        end = min64(end, start + plan->zeroes_max);
        if (end != plan->capacity_bytes)
                end -= end % LEAF_BYTES;
        if (end <= start)
                return false;
        ret_chunk->offset = start;
        ret_chunk->length = ret_chunk->bytes = end - start;
        ret_chunk->zero = ret_chunk->whole = true;
        ret_chunk->n_segments = 0;
        plan->position = end;
        return true;
}

/* Zeroes too short to be worth a request of their own become part of the data beside them. */
static void add_segment(PlanChunk *chunk, Segment segment)
{
        Segment *last = chunk->n_segments > 0 ? chunk->segments + chunk->n_segments - 1 : NULL;

        chunk->bytes += segment.length;
        if (!last || last->start + last->length != segment.start) {
                chunk->segments[chunk->n_segments++] = segment;
                return;
        }
        if (last->zero && !segment.zero && last->length < PLAN_MERGE_BYTES)
                last->zero = false;
        else if (segment.zero && !last->zero && segment.length < PLAN_MERGE_BYTES)
                segment.zero = false;
        if (last->zero == segment.zero) {
                last->length += segment.length;
                /* What it was merged into may now reach the data before it. */
                if (chunk->n_segments > 1 && last[-1].zero == last->zero &&
                    last[-1].start + last[-1].length == last->start) {
                        last[-1].length += last->length;
                        chunk->n_segments--;
                }
        } else
                chunk->segments[chunk->n_segments++] = segment;
}

/* All runs of one leaf. PLAN_ASK: not all of it is known, nothing was taken. */
static PlanOutcome take_leaf(Plan *plan, PlanChunk *chunk)
{
        uint64_t leaf = plan->position - plan->position % LEAF_BYTES;
        uint64_t end = leaf_end(plan, plan->position);

        *chunk = (PlanChunk){ .offset = leaf, .length = end - leaf };
        for (uint64_t at = plan->position; at < end;) {
                Run run = run_at(plan, at);

                if (run.kind == RUN_UNKNOWN)
                        return PLAN_ASK;
                run.end = min64(run.end, end);
                if (run.kind != RUN_NOTHING)
                        add_segment(chunk, (Segment){ .start = (uint32_t) (at - leaf),
                                                      .length = (uint32_t) (run.end - at),
                                                      .zero = run.kind == RUN_ZERO });
                at = run.end;
        }
        chunk->whole = chunk->bytes == chunk->length;
        plan->position = end;
        return PLAN_CHUNK;
}

PlanOutcome plan_next(Plan *plan, PlanChunk *ret_chunk)
{
        while (plan->position < plan->capacity_bytes) {
                Run run = run_at(plan, plan->position);

                if (run.kind == RUN_UNKNOWN)
                        return PLAN_ASK;
                if (run.kind == RUN_NOTHING) {
                        plan->position = run.end;
                        continue;
                }
                if (take_zeroes(plan, run, ret_chunk))
                        return PLAN_CHUNK;
                /* A leaf is seen from its beginning, also after what was left alone in it. */
                plan->position -= plan->position % LEAF_BYTES;
                go_back(plan);
                return take_leaf(plan, ret_chunk);
        }
        return PLAN_END;
}

void plan_window(Plan *plan, uint64_t *ret_offset, uint64_t *ret_length)
{
        Extents *extents = &plan->extents;

        if (plan->position < extents->start || plan->position >= extents->end) {
                extents_begin(extents, plan->position);
                plan->extent = 0;
        }
        /* What is behind is forgotten, so that there is room. */
        go_back(plan);
        while (plan->extent < extents->n && extents->list[plan->extent].end <= plan->position)
                plan->extent++;
        extents->n -= plan->extent;
        for (size_t i = 0; i < extents->n; i++)
                extents->list[i] = extents->list[plan->extent + i];
        plan->extent = 0;
        if (extents->n > 0)
                extents->start = plan->position;
        *ret_offset = extents->end;
        *ret_length = min64(PLAN_WINDOW_BYTES, plan->capacity_bytes - extents->end);
        plan->asked = extents->end;
}

int plan_answered(Plan *plan, bool known)
{
        int r;

        if (known && plan->extents.end > plan->asked)
                return 0;
        if (plan->extents.n >= EXTENTS_MAX / 2) {
                /* A leaf of that many pieces is data. */
                extents_begin(&plan->extents, plan->position);
                plan->asked = plan->position;
        }
        r = extents_add(&plan->extents,
                        min64(PLAN_WINDOW_BYTES, plan->capacity_bytes - plan->extents.end), false);
        return r < 0 ? r : 0;
}

void plan_rewind(Plan *plan, uint64_t position)
{
        plan->position = position;
        go_back(plan);
        extents_begin(&plan->extents, position);
        plan->extent = 0;
}

uint64_t plan_total(const Plan *plan)
{
        return plan->areas && !plan->rest_is_zero ? plan->areas->bytes : plan->capacity_bytes;
}

void plan_done(Plan *plan)
{
        extents_done(&plan->extents);
}
