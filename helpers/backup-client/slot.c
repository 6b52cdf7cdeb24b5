/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of a chunk (see slot.h).
 */
#include "slot.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        SUM_HERE_MAX = 128 *
                       1024, /* bytes: less time than two threads need to hand something over and back */
};

void slot_free(Slot *slot)
{
        if (slot->workers)
                hash_workers_take_back(slot->workers, &slot->job);
        slot->workers = NULL;
        slot->state = SLOT_FREE;
        slot->discard = false;
        slot->n_pending = slot->n_faults = 0;
        slot->error = slot->sum_error = 0;
        slot->sent = slot->zeroed = 0;
        slot->n_sums = 0;
}

void slot_done(Slot *slot)
{
        slot_free(slot);
        free(TAKE(slot->buffer));
        free(TAKE(slot->sums));
        slot->n_sums_allocated = 0;
}

/* The last answer moves the slot on; it may come before all were asked for, hence the one more. */
static void answered(Slot *slot, SlotState next)
{
        if (--slot->n_pending == 0)
                slot->state = next;
}

static void on_read(void *userdata, int error)
{
        Slot *slot = userdata;

        if (error < 0 && slot->error == 0)
                slot->error = error;
        answered(slot, SLOT_READ);
}

static int read_segment(Slot *slot, const Segment *segment, Source *source, uint64_t *bytes_read)
{
        uint32_t at = segment->start, end = segment->start + segment->length;

        while (at < end) {
                uint32_t n = source->read_bytes - at % source->read_bytes;
                int r;

                if (n > end - at)
                        n = end - at;
                slot->n_pending++;
                r = source->ops->read(source, slot->buffer + at, n, slot->chunk.offset + at,
                                      on_read, slot);
                if (r < 0) {
                        slot->n_pending--;
                        return r;
                }
                *bytes_read += n;
                at += n;
        }
        return 0;
}

int slot_read(Slot *slot, Source *source, uint64_t *bytes_read)
{
        const PlanChunk *chunk = &slot->chunk;

        if (!chunk->zero && !slot->buffer)
                slot->buffer = aligned_alloc(4096, LEAF_BYTES);
        if (!chunk->zero && !slot->buffer)
                return -ENOMEM;
        slot->state = SLOT_READING;
        slot->n_pending = 1;
        slot->error = 0;
        for (size_t i = 0; i < chunk->n_segments && slot->error == 0; i++) {
                const Segment *segment = chunk->segments + i;

                if (segment->zero)
                        memset(slot->buffer + segment->start, 0, segment->length);
                else {
                        int r = read_segment(slot, segment, source, bytes_read);

                        if (r < 0 && slot->error == 0)
                                slot->error = r;
                }
        }
        answered(slot, SLOT_READ);
        return 0;
}

static bool is_zero(const uint8_t *data, size_t length)
{
        return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

static void add(PlanChunk *chunk, uint32_t start, uint32_t length, bool zero)
{
        Segment *last = chunk->n_segments > 0 ? chunk->segments + chunk->n_segments - 1 : NULL;

        if (last && last->zero == zero && last->start + last->length == start)
                last->length += length;
        else
                chunk->segments[chunk->n_segments++] =
                                (Segment){ .start = start, .length = length, .zero = zero };
}

/* One thread, one chunk at a time. */
static Segment scratch[PLAN_SEGMENTS_MAX];

void slot_find_zeroes(Slot *slot)
{
        PlanChunk *chunk = &slot->chunk;
        size_t n = chunk->n_segments;

        memcpy(scratch, chunk->segments, n * sizeof(*scratch));
        chunk->n_segments = 0;
        for (size_t i = 0; i < n; i++) {
                uint32_t at = scratch[i].start, end = at + scratch[i].length;

                if (scratch[i].zero) {
                        add(chunk, at, end - at, true);
                        continue;
                }
                while (at < end) {
                        uint32_t next = at - at % SLOT_GRAIN + SLOT_GRAIN;

                        if (next > end)
                                next = end;
                        add(chunk, at, next - at, is_zero(slot->buffer + at, next - at));
                        at = next;
                }
        }
        if (chunk->whole && chunk->n_segments == 1 && chunk->segments[0].zero) {
                chunk->zero = true;
                chunk->n_segments = 0;
        }
}

static int list_sum(Slot *slot, SumKind kind, uint64_t offset, uint64_t length)
{
        if (slot->n_sums == slot->n_sums_allocated) {
                size_t n = slot->n_sums_allocated > 0 ? slot->n_sums_allocated * 2 : 4;
                Sum *more = reallocarray(slot->sums, n, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                slot->sums = more;
                slot->n_sums_allocated = n;
        }
        slot->sums[slot->n_sums++] = (Sum){ .offset = offset, .length = length, .kind = kind };
        return 0;
}

/* Pieces of a leaf that is not sent as a whole: as far as they reach, zeroes included. */
static int list_parts(Slot *slot)
{
        const PlanChunk *chunk = &slot->chunk;
        int r = 0;

        for (size_t i = 0; i < chunk->n_segments && r >= 0;) {
                uint32_t start = chunk->segments[i].start, end = start;

                while (i < chunk->n_segments && chunk->segments[i].start == end)
                        end += chunk->segments[i++].length;
                r = list_sum(slot, SUM_PART, chunk->offset + start, end - start);
        }
        return r;
}

int slot_list_sums(Slot *slot)
{
        const PlanChunk *chunk = &slot->chunk;

        slot->n_sums = 0;
        if (!chunk->zero && !chunk->whole)
                return list_parts(slot);
        return list_sum(slot, chunk->zero ? SUM_ZEROES : SUM_LEAF, chunk->offset, chunk->length);
}

int slot_keep_sums(const Slot *slot, Epoch *epoch)
{
        int r = 0;

        for (size_t i = 0; i < slot->n_sums && r >= 0; i++)
                r = epoch_add_sum(epoch, slot->sums + i);
        return r;
}

static void on_summed(void *userdata, int error)
{
        Slot *slot = userdata;

        slot->workers = NULL;
        slot->sum_error = error;
        answered(slot, SLOT_WRITTEN);
}

static void make_job(Slot *slot)
{
        slot->job = (HashJob){
                .leaf = slot->buffer,
                .sums = slot->sums,
                .n_sums = slot->n_sums,
                .answer = on_summed,
                .userdata = slot,
        };
}

/* Much of it is handed over before it is sent, so that both happens at once. */
static void begin_sums(Slot *slot, HashWorkers *workers)
{
        make_job(slot);
        slot->n_pending++;
        slot->workers = workers;
        hash_workers_add(workers, &slot->job);
}

/* Little of it is summed here, behind the sending, while the server works. */
static void make_sums(Slot *slot, HashWorkers *workers)
{
        make_job(slot);
        slot->sum_error = hash_workers_sum(workers, &slot->job);
}

static void on_written(void *userdata, int error)
{
        Slot *slot = userdata;

        if (error < 0 && slot->error == 0)
                slot->error = error;
        answered(slot, SLOT_WRITTEN);
}

static void on_zeroed(void *userdata, int error)
{
        Slot *slot = userdata;

        if (error < 0 && slot->error == 0)
                slot->error = error;
        answered(slot, SLOT_DONE);
}

int slot_write(Slot *slot, Target *target, HashWorkers *workers)
{
        const PlanChunk *chunk = &slot->chunk;
        bool is_summed = workers && slot->n_sums > 0 && !chunk->zero;
        bool is_little = chunk->bytes <= SUM_HERE_MAX;
        int r = 0;

        slot->state = SLOT_WRITING;
        slot->n_pending = 1;
        if (is_summed && !is_little)
                begin_sums(slot, workers);
        for (size_t i = 0; i < chunk->n_segments && r >= 0; i++) {
                const Segment *segment = chunk->segments + i;

                if (segment->zero)
                        continue;
                slot->n_pending++;
                r = target_write(target, slot->buffer + segment->start, segment->length,
                                 chunk->offset + segment->start, on_written, slot);
                slot->sent += segment->length;
        }
        if (r >= 0 && is_summed && is_little)
                make_sums(slot, workers);
        if (r >= 0)
                answered(slot, SLOT_WRITTEN);
        return r;
}

int slot_zero(Slot *slot, Target *target)
{
        const PlanChunk *chunk = &slot->chunk;
        int r = 0;

        slot->state = SLOT_ZEROING;
        slot->n_pending = 1;
        if (chunk->zero) {
                slot->n_pending++;
                slot->zeroed += chunk->length;
                r = target_zero(target, chunk->length, chunk->offset, on_zeroed, slot);
        }
        for (size_t i = 0; i < chunk->n_segments && r >= 0; i++) {
                const Segment *segment = chunk->segments + i;

                if (!segment->zero)
                        continue;
                slot->n_pending++;
                slot->zeroed += segment->length;
                r = target_zero(target, segment->length, chunk->offset + segment->start, on_zeroed,
                                slot);
        }
        if (r >= 0)
                answered(slot, SLOT_DONE);
        return r;
}
