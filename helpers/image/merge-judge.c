/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is looked at before layers are merged (see merge-work.h), at the cost of what they hold. Digests are of whole blocks: one
 * of which the layers hold half or more is read whole and compared; of the others what they hold is read, so that
 * what cannot be is known in time, and the digests stay to be compared by verify.
 */
#include "merge-work.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "digest.h"
#include "held-bytes.h"
#include "json-cleanup.h"
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

enum {
        BLOCK_KEY_SIZE = 24,
};

typedef struct Judgement {
        const Merge *merge;
        const json_t *digests; /* that what is held must have */
        uint64_t block_bytes, n_blocks;
        uint64_t *held_bytes; /* by block */
        bool *is_whole; /* by block: compared with its digest */
        json_t *wanted; /* the digests of these */
} Judgement;

static void judgement_done(Judgement *judgement)
{
        free(judgement->held_bytes);
        free(judgement->is_whole);
        json_decref(judgement->wanted);
}

static int judgement_init(Judgement *judgement, const Merge *merge)
{
        uint64_t block_bytes = manifest_block_bytes(merge->capacity_bytes);
        uint64_t n = (merge->capacity_bytes - 1) / block_bytes + 1;
        const json_t *own =
                        json_object_get(json_object_get(merge->child_manifest, "digest"), "blocks");

        *judgement = (Judgement){ .merge = merge,
                                  .digests = merge->in_place ? own : merge->blocks,
                                  .block_bytes = block_bytes,
                                  .n_blocks = n,
                                  .held_bytes = calloc(n, sizeof(uint64_t)),
                                  .is_whole = calloc(n, sizeof(bool)),
                                  .wanted = json_object() };
        return judgement->held_bytes && judgement->is_whole && judgement->wanted ? 0 : -ENOMEM;
}

static void count_run(Judgement *judgement, Extent run)
{
        while (run.length > 0) {
                uint64_t block = run.offset / judgement->block_bytes;
                uint64_t part = (block + 1) * judgement->block_bytes - run.offset;

                if (part > run.length)
                        part = run.length;
                judgement->held_bytes[block] += part;
                run.offset += part;
                run.length -= part;
        }
}

static uint64_t block_length(const Judgement *judgement, uint64_t block)
{
        uint64_t left = judgement->merge->capacity_bytes - block * judgement->block_bytes;

        return left < judgement->block_bytes ? left : judgement->block_bytes;
}

static int choose_block(Judgement *judgement, uint64_t block, Failure *failure)
{
        const Merge *merge = judgement->merge;
        char key[BLOCK_KEY_SIZE];
        json_t *digest;

        if (judgement->held_bytes[block] == 0)
                return 0;
        (void) snprintf(key, sizeof(key), "%" PRIu64, block);
        digest = json_object_get(judgement->digests, key);
        if (!digest)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: something of block %s is held and no digest covers it; "
                                   "verify the backups of this chain, delete from the newest one "
                                   "down",
                                   merge->path, key);
        if (judgement->held_bytes[block] < block_length(judgement, block) / 2)
                return 0;
        judgement->is_whole[block] = true;
        return json_object_set(judgement->wanted, key, digest) < 0
                               ? failure_errno(failure, -ENOMEM, "Cannot merge %s", merge->path)
                               : 0;
}

/* From the map of the layers alone. */
static int choose_blocks(Judgement *judgement, Held *held, Failure *failure)
{
        Extent run;
        int r;

        while ((r = held_next(held, &run, failure)) > 0)
                count_run(judgement, run);
        for (uint64_t block = 0; block < judgement->n_blocks && r >= 0; block++)
                r = choose_block(judgement, block, failure);
        return r;
}

static int compare(const Judgement *judgement, const Image *child, Failure *failure)
{
        CLEANUP(json_decref_p) json_t *digest = NULL;
        const Merge *merge = judgement->merge;
        int r;

        if (json_object_size(judgement->wanted) == 0)
                return 0;
        r = digest_blocks(&(DigestRequest){ .image = child,
                                            .capacity_bytes = merge->capacity_bytes,
                                            .wanted = judgement->wanted,
                                            .hashed = merge->moved,
                                            .userdata = merge->userdata },
                          &digest, failure);
        if (r < 0)
                return r;
        if (json_equal(json_object_get(digest, "blocks"), judgement->wanted))
                return 0;
        return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                           "%s: %s does not read as the digests of its backup say; a layer of this "
                           "chain is damaged: verify its backups, delete from the newest one down",
                           merge->path, merge->child.image);
}

static int read_held(Judgement *judgement, const Image *child, Failure *failure)
{
        const ExtentsLayers layers = merge_layers(judgement->merge);
        CLEANUP(held_done) Held held = {};
        int r;

        r = held_open(&held, child, judgement->merge->capacity_bytes, false, failure);
        if (r < 0)
                return r;
        held_begin(&held, layers);
        r = choose_blocks(judgement, &held, failure);
        if (r < 0)
                return r;
        held.moved = judgement->merge->moved;
        held.userdata = judgement->merge->userdata;
        held_begin(&held, layers);
        return held_read(&held, judgement->block_bytes, judgement->is_whole, failure);
}

static int check_unused(const Merge *merge, const char *name, Failure *failure)
{
        _cleanup_close_ int fd = -1;
        int r = merge_work_open(merge, name, &fd, failure);

        return r < 0 ? r : image_check_unlocked(fd, name, failure);
}

int merge_work_judge(const Merge *merge, Failure *failure)
{
        const Image child = merge_image(merge, merge->child.image);
        CLEANUP(judgement_done) Judgement judgement = {};
        int r = 0;

        if (merge->in_place) {
                r = check_unused(merge, merge->doomed.image, failure);
                if (r >= 0)
                        r = check_unused(merge, merge->child.image, failure);
        }
        if (r >= 0 && judgement_init(&judgement, merge) < 0)
                r = failure_errno(failure, -ENOMEM, "Cannot merge %s", merge->path);
        if (r >= 0)
                r = read_held(&judgement, &child, failure);
        return r < 0 ? r : compare(&judgement, &child, failure);
}
