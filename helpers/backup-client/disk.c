/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of one disk (see disk.h): fills slots from the plan, moves them on, commits.
 */
#include "disk-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "parse.h"
#include "result-file.h"

/* What it may tell of its pieces beside the digests of all disks. */
static size_t pieces_max(const CopySpec *spec)
{
        size_t digests = spec->n_disks * DIGEST_TEXT_MAX, left;

        left = digests < RESULT_COPY_MAX ? (RESULT_COPY_MAX - digests) / spec->n_disks : 0;
        return left < PIECES_TEXT_MAX ? left : PIECES_TEXT_MAX;
}

int disk_init(Disk *disk, const CopySpec *spec, const DiskSpec *what, Failure *failure)
{
        /* Too large for a literal on the stack. */
        memset(disk, 0, sizeof(*disk));
        disk->spec = spec;
        disk->disk = what;
        disk->failure = failure;
        disk->plan = (Plan){ .capacity_bytes = what->capacity_bytes,
                             .areas = what->has_areas ? &what->areas : NULL,
                             .rest_is_zero = what->rest_is_zero };
        disk->writes_zeroes = what->parent;
        return source_make(spec, what, &disk->source, failure);
}

void disk_done(Disk *disk)
{
        /* First what writes into the buffers. */
        target_close(&disk->target);
        disk->source = source_free(disk->source);
        for (size_t i = 0; i < DISK_SLOTS_MAX; i++)
                slot_done(&disk->slots[i]);
        plan_done(&disk->plan);
        epoch_done(&disk->epoch);
        disk->digest = block_digest_free(disk->digest);
        json_decref(disk->digest_json);
        disk->digest_json = NULL;
}

int disk_start(Disk *disk, unsigned n_connections, size_t n_slots, HashWorkers *workers)
{
        uint64_t now = clock_monotonic_usec();
        int r;

        if (disk->spec->digests) {
                r = block_digest_new(disk->disk->capacity_bytes, &disk->digest);
                if (r < 0)
                        return disk_fail(disk, r, FAILURE_OTHER, "cannot prepare its digests: %s",
                                         strerror(-r));
                block_digest_limit_pieces(disk->digest, pieces_max(disk->spec));
        }
        disk->workers = workers;
        if (disk->target.state != TARGET_OPEN)
                target_init(&disk->target, &disk->disk->target_uri, disk->disk->capacity_bytes,
                            n_connections);
        epoch_init(&disk->epoch, disk->digest, now);
        disk->n_slots = n_slots < DISK_SLOTS_MAX ? n_slots : DISK_SLOTS_MAX;
        disk->plan.zeroes_max = disk->writes_zeroes ? DISK_ZEROES_MAX : UINT64_MAX / 2;
        disk->begun_usec = now;
        disk->state = DISK_RUNNING;
        return 0;
}

static Slot *find_slot(Disk *disk, SlotState state)
{
        for (size_t i = 0; i < disk->n_slots; i++)
                if (disk->slots[i].state == state)
                        return &disk->slots[i];
        return NULL;
}

/* Reads under way. */
static unsigned count_reads(const Disk *disk)
{
        unsigned n = 0;

        for (size_t i = 0; i < disk->n_slots; i++)
                if (disk->slots[i].state == SLOT_READING)
                        n += disk->slots[i].n_pending;
        return n;
}

static void on_extents(void *userdata, int error)
{
        Disk *disk = userdata;

        disk->ask_error = error;
        disk->asking = false;
}

/* What the source knows about its zeroes beyond what was asked so far. */
static int ask(Disk *disk)
{
        uint64_t offset, length;
        int r;

        plan_window(&disk->plan, &offset, &length);
        disk->asking = true;
        disk->ask_pending = true;
        r = disk->source->ops->ask_extents(disk->source, offset, length, &disk->plan.extents,
                                           on_extents, disk);
        if (r < 0)
                on_extents(disk, r);
        return 0;
}

/* An answer about extents has come, or none was asked for. 0: not yet. */
static int take_extents(Disk *disk)
{
        int r;

        if (!disk->ask_pending)
                return 1;
        if (disk->asking)
                return 0;
        disk->ask_pending = false;
        if (disk_is_loss(disk->ask_error)) {
                disk_break_source(disk, disk->ask_error);
                return 0;
        }
        r = plan_answered(&disk->plan, disk->ask_error >= 0);
        return r < 0 ? disk_fail(disk, r, FAILURE_OTHER, "%s", strerror(-r)) : 1;
}

static int list_sums(Disk *disk, Slot *slot)
{
        int r = disk->digest ? slot_list_sums(slot) : 0;

        return r < 0 ? disk_fail(disk, r, FAILURE_OTHER, "out of memory") : 0;
}

static int finish_slot(Disk *disk, Slot *slot)
{
        int r = slot->sum_error;

        if (r >= 0)
                r = slot_keep_sums(slot, &disk->epoch);
        disk->epoch.bytes += slot->sent + slot->zeroed;
        disk->epoch.now.done += slot->chunk.bytes;
        disk->epoch.now.sent += slot->sent;
        disk->epoch.now.zeroed += slot->zeroed;
        slot_free(slot);
        return r < 0 ? disk_fail(disk, r, FAILURE_OTHER, "its digests: %s", strerror(-r)) : 0;
}

/* Zeroes that nobody needs to write are done as soon as they are known. */
static int pass_zeroes(Disk *disk, Slot *slot)
{
        int r;

        r = list_sums(disk, slot);
        return r < 0 ? r : finish_slot(disk, slot);
}

/* Fills free slots. */
static int plan_more(Disk *disk)
{
        Slot *slot;
        int r;

        /* Only an open source says whether it knows its zeroes. */
        while (disk->source_seen && !disk->plan_ended && !disk->rewind &&
               (slot = find_slot(disk, SLOT_FREE))) {
                r = take_extents(disk);
                if (r <= 0)
                        return r;
                switch (plan_next(&disk->plan, &slot->chunk)) {
                case PLAN_END:
                        disk->plan_ended = true;
                        break;
                case PLAN_ASK:
                        if (disk->source_state != SOURCE_OPEN)
                                return 0;
                        r = ask(disk);
                        break;
                case PLAN_CHUNK:
                default:
                        disk->n_areas++;
                        /* What lies behind a commit that is under way counts after it, so it has to wait. */
                        if (slot->chunk.zero && !disk->writes_zeroes &&
                            disk->epoch.barrier == UINT64_MAX)
                                r = pass_zeroes(disk, slot);
                        else
                                slot->state = slot->chunk.zero ? SLOT_READ : SLOT_PLANNED;
                        break;
                }
                if (r < 0)
                        return r;
                if (epoch_is_due(&disk->epoch, disk->now_usec))
                        return 0;
        }
        return 0;
}

/* In the order of the disk: it is quicker, and a commit waits for the lowest one. */
static Slot *next_planned(Disk *disk)
{
        Slot *best = NULL;

        for (size_t i = 0; i < disk->n_slots; i++) {
                Slot *slot = &disk->slots[i];

                if (slot->state == SLOT_PLANNED &&
                    (!best || slot->chunk.offset < best->chunk.offset))
                        best = slot;
        }
        return best;
}

static int read_more(Disk *disk)
{
        Slot *slot;

        while (disk->source_state == SOURCE_OPEN && count_reads(disk) < disk->source->n_reads &&
               (slot = next_planned(disk)))
                if (slot_read(slot, disk->source, &disk->bytes_read) < 0)
                        return disk_fail(disk, -ENOMEM, FAILURE_OTHER, "out of memory");
        return 0;
}

/* A read has ended: an error breaks the source, and the chunk is read again. */
static int take_read(Disk *disk, Slot *slot)
{
        if (slot->discard) {
                slot_free(slot);
                return 0;
        }
        if (slot->error < 0) {
                int error = slot->error;

                slot->state = SLOT_PLANNED;
                slot->error = 0;
                if (!disk_is_loss(error) && ++slot->n_faults >= DISK_FAULTS_MAX)
                        return disk_fail(disk, error, disk->source->error_name ?: FAILURE_SOURCE,
                                         "cannot read the source at offset %" PRIu64 ": %s",
                                         slot->chunk.offset + slot->chunk.segments[0].start,
                                         disk->source->error);
                disk_break_source(disk, error);
                return 0;
        }
        if (!slot->chunk.zero) {
                disk->source_retry = (Retry){};
                slot_find_zeroes(slot);
        }
        return 1;
}

/* Of a write that could not even begin: the target is lost, and its state says so, or there is no memory. */
static int not_begun(Disk *disk, int error)
{
        return error == -ENOMEM && disk->target.state == TARGET_OPEN
                               ? disk_fail(disk, error, FAILURE_OTHER, "out of memory")
                               : 0;
}

/* Sends what was read, while the workers sum it. */
static int write_slot(Disk *disk, Slot *slot)
{
        int r;

        r = take_read(disk, slot);
        if (r <= 0)
                return r;
        r = list_sums(disk, slot);
        if (r < 0)
                return r;
        r = slot_write(slot, &disk->target, disk->workers);
        return r < 0 ? not_begun(disk, r) : 0;
}

/* The target has answered a slot with an error. */
static int take_write_error(Disk *disk, const Slot *slot)
{
        if (slot->error == -ENOSPC || slot->error == -EDQUOT)
                return disk_fail(disk, slot->error, FAILURE_FULL,
                                 "no space is left in its target at offset %" PRIu64
                                 "; make room in the repository and start again",
                                 slot->chunk.offset);
        if (!disk_is_loss(slot->error) && ++disk->n_target_faults >= DISK_FAULTS_MAX)
                return disk_fail(disk, slot->error, FAILURE_TARGET,
                                 "cannot write the target at offset %" PRIu64 ": %s",
                                 slot->chunk.offset, strerror(-slot->error));
        (void) snprintf(disk->target.error, sizeof(disk->target.error),
                        "write at offset %" PRIu64 ": %s", slot->chunk.offset,
                        strerror(-slot->error));
        disk->target.state = TARGET_LOST;
        disk->target.errnum = -ENOTCONN;
        return 0;
}

/* Moves one slot on. */
static int step_slot(Disk *disk, Slot *slot)
{
        bool open = disk->target.state == TARGET_OPEN;

        if (slot->state == SLOT_READ && (slot->discard || slot->error < 0))
                return take_read(disk, slot);
        if (!open)
                return 0;
        if (slot->state == SLOT_READ && slot->chunk.offset < disk->epoch.barrier) {
                int r = write_slot(disk, slot);

                if (r < 0 || disk->target.state != TARGET_OPEN)
                        return r;
        }
        if ((slot->state == SLOT_WRITTEN || slot->state == SLOT_DONE) && slot->error < 0)
                return take_write_error(disk, slot);
        if (slot->state == SLOT_WRITTEN && disk->writes_zeroes) {
                int r = slot_zero(slot, &disk->target);

                if (r < 0)
                        return not_begun(disk, r);
        } else if (slot->state == SLOT_WRITTEN)
                slot->state = SLOT_DONE;
        if (slot->state != SLOT_DONE || slot->error < 0)
                return 0;
        if (slot->sent + slot->zeroed > 0)
                disk_target_is_back(disk);
        return finish_slot(disk, slot);
}

/* Something can go on without an event: a source in memory answers at once, and a step may have made possible
 * what had its turn before. */
static bool wants_again(const Disk *disk)
{
        bool open = disk->target.state == TARGET_OPEN;
        bool can_plan = !disk->plan_ended && !disk->asking && !disk->rewind &&
                        disk->source_state == SOURCE_OPEN;

        if (disk->target.state == TARGET_LOST || disk_source_is_over(disk) ||
            (disk->rewind && !disk->asking))
                return true;
        for (size_t i = 0; i < disk->n_slots; i++) {
                const Slot *slot = &disk->slots[i];

                if (slot->state == SLOT_READ &&
                    (slot->discard || slot->error < 0 ||
                     (open && slot->chunk.offset < disk->epoch.barrier)))
                        return true;
                if (open && (slot->state == SLOT_WRITTEN || slot->state == SLOT_DONE))
                        return true;
                if (slot->state == SLOT_FREE && can_plan)
                        return true;
        }
        return open && !disk->rewind && disk->plan_ended && disk->epoch.barrier == UINT64_MAX;
}

int disk_step(Disk *disk, uint64_t now_usec)
{
        int r;

        if (disk->state != DISK_RUNNING)
                return 0;
        disk->now_usec = now_usec;
        r = disk_step_source(disk);
        if (r >= 0)
                r = disk_step_target(disk);
        for (size_t i = 0; i < disk->n_slots && r >= 0; i++)
                r = step_slot(disk, &disk->slots[i]);
        if (r >= 0)
                r = plan_more(disk);
        if (r >= 0)
                r = read_more(disk);
        if (r >= 0)
                r = disk_step_commit(disk);
        disk->again = r >= 0 && disk->state == DISK_RUNNING && wants_again(disk);
        return r;
}

size_t disk_poll(Disk *disk, struct pollfd *fds, uint64_t *deadline_usec)
{
        uint64_t deadline = UINT64_MAX;

        if (disk->state != DISK_RUNNING)
                return 0;
        disk->n_source_fds = disk->source_state != SOURCE_CLOSED
                                             ? disk->source->ops->poll(disk->source, fds, &deadline)
                                             : 0;
        disk->n_target_fds = target_poll(&disk->target, fds + disk->n_source_fds, &deadline);
        disk_deadline(disk, &deadline);
        if (deadline < *deadline_usec)
                *deadline_usec = deadline;
        return disk->n_source_fds + disk->n_target_fds;
}

void disk_dispatch(Disk *disk, const struct pollfd *fds, size_t n_fds)
{
        (void) n_fds;
        if (disk->state != DISK_RUNNING)
                return;
        if (disk->source_state != SOURCE_CLOSED)
                disk->source->ops->dispatch(disk->source, fds, disk->n_source_fds);
        if (disk->n_target_fds > 0)
                target_dispatch(&disk->target, fds + disk->n_source_fds, disk->n_target_fds);
}
