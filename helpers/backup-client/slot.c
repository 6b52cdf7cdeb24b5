/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of a chunk (see slot.h).
 */
#include "slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void slot_free(Slot *slot)
{
        slot->state = SLOT_FREE;
        slot->discard = false;
        slot->n_pending = slot->n_faults = 0;
        slot->error = 0;
        slot->sent = slot->zeroed = 0;
}

void slot_done(Slot *slot)
{
        free(slot->buffer);
        slot->buffer = NULL;
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
                uint32_t n = SLOT_READ_BYTES - at % SLOT_READ_BYTES;
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

/* Pieces of a leaf that is not sent as a whole: as far as they reach, zeroes included. */
static int sum_parts(Slot *slot, Epoch *epoch)
{
        const PlanChunk *chunk = &slot->chunk;
        int r = 0;

        for (size_t i = 0; i < chunk->n_segments && r >= 0;) {
                Sum sum = { .kind = SUM_PART };
                uint32_t start = chunk->segments[i].start, end = start;

                while (i < chunk->n_segments && chunk->segments[i].start == end)
                        end += chunk->segments[i++].length;
                sum.offset = chunk->offset + start;
                sum.length = end - start;
                r = block_digest_hash_part(epoch->digest, sum.offset, slot->buffer + start,
                                           end - start, sum.sum);
                if (r >= 0)
                        r = epoch_add_sum(epoch, &sum);
        }
        return r;
}

int slot_sum(Slot *slot, Epoch *epoch)
{
        const PlanChunk *chunk = &slot->chunk;
        Sum sum = { .offset = chunk->offset, .length = chunk->length };
        int r = 0;

        if (!epoch->digest)
                return 0;
        if (!chunk->zero && !chunk->whole)
                return sum_parts(slot, epoch);
        sum.kind = chunk->zero ? SUM_ZEROES : SUM_LEAF;
        if (!chunk->zero)
                r = block_digest_hash_leaf(epoch->digest, slot->buffer, (size_t) chunk->length,
                                           sum.sum);
        return r < 0 ? r : epoch_add_sum(epoch, &sum);
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

int slot_write(Slot *slot, Target *target)
{
        const PlanChunk *chunk = &slot->chunk;
        int r = 0;

        slot->state = SLOT_WRITING;
        slot->n_pending = 1;
        for (size_t i = 0; i < chunk->n_segments && r >= 0; i++) {
                const Segment *segment = chunk->segments + i;

                if (segment->zero)
                        continue;
                slot->n_pending++;
                r = target_write(target, slot->buffer + segment->start, segment->length,
                                 chunk->offset + segment->start, on_written, slot);
                slot->sent += segment->length;
        }
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
