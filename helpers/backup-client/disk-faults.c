/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk's source and target as they come and go, and its commits (see disk.h, epoch.h).
 */
#include "disk-internal.h"

#include "log.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define RETRY_MAX_USEC   (5 * USEC_PER_SEC)

enum {
        NO_COMMIT_FACTOR = 3, /* how much longer than it may be gone a target may come and go */
};

int disk_fail(Disk *disk, int error, const char *name, const char *format, ...)
{
        char text[FAILURE_TEXT_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return failure_set(disk->failure, error, name, disk->disk->disk_key, "disk %" PRIu32 ": %s",
                           disk->disk->disk_key, text);
}

static void log_fault(const Disk *disk, const char *what, const char *why)
{
        char key[16];
        const LogContext context = { .job = disk->spec->job, .disk = key };

        (void) snprintf(key, sizeof(key), "%" PRIu32, disk->disk->disk_key);
        (void) log_full(LOG_WARNING, 0, &context, MESSAGE_NONE,
                        "disk %s: the %s is gone (%s), trying again", key, what, why);
}

/* true: it has been gone for too long. */
static bool retry_later(Retry *retry, uint64_t now_usec, uint64_t patience_sec)
{
        if (retry->since_usec == 0)
                *retry = (Retry){ .since_usec = now_usec, .delay_usec = RETRY_FIRST_USEC };
        retry->next_usec = now_usec + retry->delay_usec;
        retry->delay_usec *= 2;
        if (retry->delay_usec > RETRY_MAX_USEC)
                retry->delay_usec = RETRY_MAX_USEC;
        return now_usec - retry->since_usec >= patience_sec * USEC_PER_SEC;
}

static bool is_final(int error)
{
        return error == -EMSGSIZE || error == -EROFS || error == -EOPNOTSUPP || error == -EACCES ||
               error == -EINVAL || error == -ESTALE;
}

static void on_opened(void *userdata, int error)
{
        Disk *disk = userdata;

        disk->source_state = error < 0 ? SOURCE_BROKEN : SOURCE_OPEN;
        disk->source_error = error;
        disk->source_opened = error >= 0;
}

void disk_has_source(Disk *disk)
{
        on_opened(disk, 0);
}

void disk_break_source(Disk *disk, int error)
{
        if (disk->source_state != SOURCE_OPEN)
                return;
        disk->source_state = SOURCE_BROKEN;
        disk->source_error = error;
}

bool disk_is_loss(int error)
{
        return error == -ENOTCONN || error == -ETIMEDOUT || error == -ECONNRESET ||
               error == -EPIPE || error == -ESHUTDOWN;
}

bool disk_source_is_over(const Disk *disk)
{
        if (disk->source_state != SOURCE_BROKEN)
                return false;
        if (disk_is_loss(disk->source_error))
                return true;
        for (size_t i = 0; i < disk->n_slots; i++)
                if (disk->slots[i].state == SLOT_READING)
                        return false;
        return !disk->asking;
}

/* No answer of what was under way comes any more: it is read again. */
static int close_source(Disk *disk)
{
        int error = disk->source_error;

        if (disk->source_retry.since_usec == 0)
                log_fault(disk, "source", disk->source->error);
        disk->source->ops->close(disk->source);
        disk->source_state = SOURCE_CLOSED;
        for (size_t i = 0; i < disk->n_slots; i++)
                if (disk->slots[i].state == SLOT_READING) {
                        disk->slots[i].state = SLOT_PLANNED;
                        if (disk->slots[i].discard)
                                slot_free(&disk->slots[i]);
                }
        disk->asking = disk->ask_pending = false;
        if (retry_later(&disk->source_retry, disk->now_usec, disk->spec->source_away_sec) ||
            (is_final(error) && !disk->source_opened))
                return disk_fail(disk, error, disk->source->error_name ?: FAILURE_SOURCE,
                                 "cannot read the source at offset %" PRIu64 " or behind it: %s",
                                 disk->epoch.committed, disk->source->error);
        return 0;
}

/* Its size is that of the disk, at each opening. */
static int check_source(Disk *disk)
{
        disk->source_opened = false;
        disk->source_seen = true;
        if (disk->source->size_bytes != disk->disk->capacity_bytes)
                return disk_fail(disk, -EMSGSIZE, FAILURE_SOURCE,
                                 "it has %" PRIu64 " bytes, but its source %" PRIu64,
                                 disk->disk->capacity_bytes, disk->source->size_bytes);
        disk->plan.ask = disk->disk->read != READ_ALL && !disk->plan.rest_is_zero &&
                         disk->source->knows_extents && disk->source->ops->ask_extents;
        return 0;
}

int disk_step_source(Disk *disk)
{
        int r;

        if (disk->source_state == SOURCE_CLOSED && disk->now_usec >= disk->source_retry.next_usec) {
                disk->source_state = SOURCE_OPENING;
                disk->source_opening_usec = disk->now_usec;
                r = disk->source->ops->open(disk->source, on_opened, disk);
                if (r < 0)
                        on_opened(disk, r);
        }
        if (disk->source_state == SOURCE_OPENING &&
            disk->now_usec - disk->source_opening_usec >= SOURCE_OPEN_SEC * USEC_PER_SEC)
                on_opened(disk, source_fail_opening(disk->source));
        if (disk_source_is_over(disk))
                return close_source(disk);
        return disk->source_state == SOURCE_OPEN && disk->source_opened ? check_source(disk) : 0;
}

/* It is gone for too long, or it comes and goes, and everything is sent again and again. */
static int lose_patience(Disk *disk)
{
        int error = disk->target.errnum;
        uint64_t trouble_usec = disk->now_usec - disk->target_first_loss_usec;

        if (retry_later(&disk->target_retry, disk->now_usec, disk->spec->target_away_sec) ||
            is_final(error))
                return disk_fail(disk, error, FAILURE_TARGET,
                                 "the target is lost, everything before offset %" PRIu64
                                 " was committed: %s",
                                 disk->epoch.committed, disk->target.error);
        if (trouble_usec >= NO_COMMIT_FACTOR * disk->spec->target_away_sec * USEC_PER_SEC)
                return disk_fail(disk, error, FAILURE_TARGET,
                                 "the target comes and goes, and nothing behind offset %" PRIu64
                                 " could be committed for %" PRIu64 " s: %s",
                                 disk->epoch.committed, trouble_usec / USEC_PER_SEC,
                                 disk->target.error);
        return 0;
}

/* The epoch is over: everything since the last commit is sent again, by new connections. */
static int lose_target(Disk *disk)
{
        if (disk->target_retry.since_usec == 0)
                log_fault(disk, "target", disk->target.error);
        if (disk->target_first_loss_usec == 0)
                disk->target_first_loss_usec = disk->now_usec;
        target_close(&disk->target);
        epoch_lose(&disk->epoch, disk->now_usec);
        for (size_t i = 0; i < disk->n_slots; i++) {
                if (disk->slots[i].state == SLOT_READING)
                        disk->slots[i].discard = true;
                else
                        slot_free(&disk->slots[i]);
        }
        disk->rewind = true;
        return lose_patience(disk);
}

void disk_target_is_back(Disk *disk)
{
        disk->target_retry.since_usec = 0;
}

/* Only when nobody fills the plan's extents any more. */
static void rewind_plan(Disk *disk)
{
        if (!disk->rewind || disk->asking)
                return;
        plan_rewind(&disk->plan, disk->epoch.committed);
        disk->ask_pending = false;
        disk->plan_ended = false;
        disk->rewind = false;
}

int disk_step_target(Disk *disk)
{
        int r = 0;

        if (disk->target.state == TARGET_LOST)
                r = lose_target(disk);
        rewind_plan(disk);
        /* Whether it is back shows with the first answer to a write, but there is somebody to speak to. */
        if (disk->target.state == TARGET_OPEN)
                disk->target_retry.delay_usec = RETRY_FIRST_USEC;
        if (r >= 0 && disk->target.state == TARGET_CLOSED && !disk->rewind &&
            disk->now_usec >= disk->target_retry.next_usec) {
                if (disk->target_retry.since_usec > 0)
                        disk->n_reconnects++;
                target_open(&disk->target);
        }
        return r;
}

static void on_flushed(void *userdata, int error)
{
        Disk *disk = userdata;

        disk->epoch.n_flushes--;
        if (error < 0 && disk->flush_error == 0)
                disk->flush_error = error;
}

/* Nothing before the barrier is on its way. */
static bool is_drained(const Disk *disk)
{
        for (size_t i = 0; i < disk->n_slots; i++)
                if (disk->slots[i].state != SLOT_FREE && !disk->slots[i].discard &&
                    disk->slots[i].chunk.offset < disk->epoch.barrier)
                        return false;
        return true;
}

/* Between two chunks: while the source is asked for its zeroes the plan may stand in the middle of a leaf that is not planned yet. */
static void begin_commit(Disk *disk)
{
        uint64_t position = disk->plan.position;

        if (position < disk->plan.capacity_bytes)
                position -= position % LEAF_BYTES;
        epoch_close(&disk->epoch, position);
}

static int flush(Disk *disk)
{
        int r;

        disk->epoch.flushing = true;
        disk->flush_error = 0;
        disk->epoch.at_barrier = disk->epoch.now;
        r = target_flush(&disk->target, on_flushed, disk, &disk->epoch.n_flushes);
        return r == -ENOMEM ? disk_fail(disk, r, FAILURE_OTHER, "out of memory") : 0;
}

static int fail_flush(Disk *disk)
{
        if (disk->flush_error == -ENOSPC || disk->flush_error == -EDQUOT)
                return disk_fail(disk, disk->flush_error, FAILURE_FULL,
                                 "no space is left in its target; make room in the repository and "
                                 "start again");
        if (!disk_is_loss(disk->flush_error) && ++disk->n_target_faults >= DISK_FAULTS_MAX)
                return disk_fail(disk, disk->flush_error, FAILURE_TARGET,
                                 "the target cannot make durable what was written from offset "
                                 "%" PRIu64 " on: %s",
                                 disk->epoch.committed, strerror(-disk->flush_error));
        (void) snprintf(disk->target.error, sizeof(disk->target.error), "flush: %s",
                        strerror(-disk->flush_error));
        disk->target.state = TARGET_LOST;
        disk->target.errnum = -ENOTCONN;
        return 0;
}

static int end_disk(Disk *disk)
{
        int r;

        target_close(&disk->target);
        disk->source->ops->close(disk->source);
        disk->state = DISK_DONE;
        for (size_t i = 0; i < DISK_SLOTS_MAX; i++)
                slot_done(&disk->slots[i]);
        if (!disk->digest)
                return 0;
        r = block_digest_finish(disk->digest, &disk->digest_json);
        return r < 0 ? disk_fail(disk, r, FAILURE_OTHER, "its digests: %s", strerror(-r)) : 0;
}

static int end_commit(Disk *disk)
{
        int r;

        if (disk->flush_error < 0)
                return fail_flush(disk);
        r = epoch_commit(&disk->epoch, disk->now_usec);
        if (r < 0)
                return disk_fail(disk, r, FAILURE_OTHER, "its digests: %s", strerror(-r));
        disk->target_retry = (Retry){};
        disk->target_first_loss_usec = 0;
        disk->n_target_faults = 0;
        return disk->epoch.committed >= disk->disk->capacity_bytes ? end_disk(disk) : 0;
}

int disk_step_commit(Disk *disk)
{
        if (disk->target.state != TARGET_OPEN || disk->rewind)
                return 0;
        if (disk->epoch.barrier == UINT64_MAX &&
            (disk->plan_ended || epoch_is_due(&disk->epoch, disk->now_usec)))
                begin_commit(disk);
        if (disk->epoch.barrier == UINT64_MAX || !is_drained(disk))
                return 0;
        if (!disk->epoch.flushing)
                return flush(disk);
        return disk->epoch.n_flushes == 0 ? end_commit(disk) : 0;
}

void disk_deadline(const Disk *disk, uint64_t *deadline_usec)
{
        uint64_t times[] = {
                epoch_due_usec(&disk->epoch),
                disk->source_state == SOURCE_CLOSED ? disk->source_retry.next_usec : UINT64_MAX,
                disk->source_state == SOURCE_OPENING
                                ? disk->source_opening_usec + SOURCE_OPEN_SEC * USEC_PER_SEC
                                : UINT64_MAX,
                disk->target.state == TARGET_CLOSED ? disk->target_retry.next_usec : UINT64_MAX,
        };

        for (size_t i = 0; i < ELEMENTSOF(times); i++)
                if (times[i] < *deadline_usec)
                        *deadline_usec = times[i];
        /* A source in memory answers at once, and a state that was reached after its turn waits for nobody. */
        if (disk->again)
                *deadline_usec = 0;
}
