/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The comparison of a layer (see verify-layer.h).
 */
#include "verify-layer.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "digest.h"
#include "image.h"
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
        RUNS_TOLD_MAX = 8, /* of blocks with the same trouble; the rest is counted */
};

typedef enum BlockState {
        BLOCK_FINE,
        BLOCK_DIFFERENT,
        BLOCK_UNREADABLE,
        BLOCK_SURPLUS, /* the layer holds something there, and has no digest of it */
        BLOCK_THROUGH, /* wrong because of a layer below */
} BlockState;

typedef struct Comparison {
        const LayerReading *reading;
        const json_t *blocks; /* the manifest's digests */
        DigestAnswer answer;
        uint64_t capacity_bytes, block_bytes, n_blocks;
        uint64_t n_runs, n_through;
} Comparison;

static void comparison_done(Comparison *comparison)
{
        digest_answer_done(&comparison->answer);
}

void damaged_ranges_done(DamagedRanges *ranges)
{
        free(ranges->list);
        *ranges = (DamagedRanges){};
}

static int add_range(DamagedRanges *ranges, uint64_t offset, uint64_t end)
{
        if (ranges->n == ranges->size) {
                size_t size = ranges->size > 0 ? ranges->size * 2 : 16;
                DamagedRange *grown = reallocarray(ranges->list, size, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                ranges->list = grown;
                ranges->size = size;
        }
        ranges->list[ranges->n++] = (DamagedRange){ .offset = offset, .end = end };
        return 0;
}

static uint64_t block_end(const Comparison *comparison, uint64_t block)
{
        uint64_t end = (block + 1) * comparison->block_bytes;

        return end < comparison->capacity_bytes ? end : comparison->capacity_bytes;
}

static bool is_damaged_below(const Comparison *comparison, size_t n_below, uint64_t block)
{
        const DamagedRange *list = comparison->reading->ranges->list;

        for (size_t i = 0; i < n_below; i++)
                if (list[i].offset < block_end(comparison, block) &&
                    list[i].end > block * comparison->block_bytes)
                        return true;
        return false;
}

static BlockState judge_block(const Comparison *comparison, size_t n_below, uint64_t block)
{
        const DigestAnswer *answer = &comparison->answer;
        BlockState state = BLOCK_FINE;
        const json_t *want;
        char key[24];

        (void) snprintf(key, sizeof(key), "%" PRIu64, block);
        want = json_object_get(comparison->blocks, key);
        if (json_object_get(answer->unreadable, key))
                state = BLOCK_UNREADABLE;
        else if (!want)
                return json_object_get(answer->surplus, key) ? BLOCK_SURPLUS : BLOCK_FINE;
        else if (!json_equal(want, json_object_get(answer->blocks, key)))
                state = BLOCK_DIFFERENT;
        return state != BLOCK_FINE && is_damaged_below(comparison, n_below, block) ? BLOCK_THROUGH
                                                                                   : state;
}

static const char *why_unreadable(const Comparison *comparison, uint64_t block)
{
        char key[24];

        (void) snprintf(key, sizeof(key), "%" PRIu64, block);
        return json_string_value(json_object_get(comparison->answer.unreadable, key)) ?: "?";
}

/* One line for neighbours with the same trouble. */
static void tell_run(Comparison *comparison, BlockState state, uint64_t first, uint64_t last)
{
        const VerifyLayer *layer = comparison->reading->layer;
        uint64_t from = first * comparison->block_bytes, to = block_end(comparison, last) - 1;
        const char *what = state == BLOCK_DIFFERENT ? "not what was backed up"
                           : state == BLOCK_SURPLUS ? "held by the layer, and no digest covers it"
                                                    : "unreadable: ";

        if (++comparison->n_runs > RUNS_TOLD_MAX)
                return;
        if (first == last)
                scan_problem(layer->problems,
                             "%s: block %" PRIu64 " (bytes %" PRIu64 " to %" PRIu64 ") is %s%s",
                             layer->where, first, from, to, what,
                             state == BLOCK_UNREADABLE ? why_unreadable(comparison, first) : "");
        else
                scan_problem(layer->problems,
                             "%s: blocks %" PRIu64 " to %" PRIu64 " (bytes %" PRIu64 " to %" PRIu64
                             ") are %s%s",
                             layer->where, first, last, from, to, what,
                             state == BLOCK_UNREADABLE ? why_unreadable(comparison, first) : "");
}

/* What is damaged here is so for the layers above too. */
static int leave_run(Comparison *comparison, BlockState state, uint64_t first, uint64_t end)
{
        if (state == BLOCK_FINE || end == first)
                return 0;
        if (state == BLOCK_THROUGH) {
                comparison->n_through += end - first;
                return 0;
        }
        tell_run(comparison, state, first, end - 1);
        return add_range(comparison->reading->ranges, first * comparison->block_bytes,
                         block_end(comparison, end - 1));
}

static int judge_all(Comparison *comparison)
{
        const VerifyLayer *layer = comparison->reading->layer;
        size_t n_below = comparison->reading->ranges->n;
        BlockState run = BLOCK_FINE;
        uint64_t first = 0;
        int r;

        for (uint64_t block = 0; block < comparison->n_blocks; block++) {
                BlockState state = judge_block(comparison, n_below, block);

                if (state == run)
                        continue;
                r = leave_run(comparison, run, first, block);
                if (r < 0)
                        return r;
                run = state;
                first = block;
        }
        r = leave_run(comparison, run, first, comparison->n_blocks);
        if (r >= 0 && comparison->n_runs > RUNS_TOLD_MAX)
                scan_problem(layer->problems, "%s: %" PRIu64 " more like these", layer->where,
                             comparison->n_runs - RUNS_TOLD_MAX);
        return r;
}

/* The manifest's digests can be compared with what the image holds. */
static bool is_comparable(const VerifyLayer *layer)
{
        return layer->look.manifest && json_field_number(layer->look.manifest, "capacity_bytes") ==
                                                       layer->look.virtual_bytes;
}

static const json_t *layer_blocks(const VerifyLayer *layer)
{
        return json_object_get(json_object_get(layer->look.manifest, "digest"), "blocks");
}

uint64_t verify_layer_bytes(const VerifyLayer *layer)
{
        uint64_t capacity = json_field_number(layer->look.manifest, "capacity_bytes");
        uint64_t block_bytes = manifest_block_bytes(capacity);
        uint64_t n = json_object_size(layer_blocks(layer));
        char last[24];

        if (capacity == 0)
                return 0;
        (void) snprintf(last, sizeof(last), "%" PRIu64, (capacity - 1) / block_bytes);
        if (capacity % block_bytes == 0 || !json_object_get(layer_blocks(layer), last))
                return n * block_bytes;
        return (n - 1) * block_bytes + capacity % block_bytes;
}

/* Damage that a tool tells of is a problem of the layer. */
static int take_damage(const VerifyLayer *layer, int r, const Failure *failure)
{
        if (r >= 0 || strcmp(failure->name, BUS_ERROR_IMAGE_DAMAGED) != 0)
                return r;
        scan_problem(layer->problems, "%s: %s", layer->where, failure->text);
        return 0;
}

/* What lies on the disk is to be compared, not what memory keeps of it. */
static void forget_cached(const Image *image)
{
        _cleanup_close_ int fd =
                        openat(image->folder, image->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd >= 0)
                (void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int compare_blocks(const LayerReading *reading, const Image *image, uint64_t *ret_bytes,
                          uint64_t *ret_through, Failure *failure)
{
        const DigestRequest request = { .image = image,
                                        .capacity_bytes = reading->layer->look.virtual_bytes,
                                        .wanted = layer_blocks(reading->layer),
                                        .surplus_too = true,
                                        .hashed = reading->hashed,
                                        .userdata = reading->userdata };
        CLEANUP(comparison_done)
        Comparison comparison = {
                .reading = reading,
                .blocks = request.wanted,
                .capacity_bytes = request.capacity_bytes,
                .block_bytes = manifest_block_bytes(request.capacity_bytes),
        };
        int r;

        comparison.n_blocks = (comparison.capacity_bytes - 1) / comparison.block_bytes + 1;
        r = digest_read(&request, &comparison.answer, failure);
        if (r < 0)
                return take_damage(reading->layer, r, failure);
        r = judge_all(&comparison);
        if (r < 0)
                return failure_errno(failure, r, "Cannot compare %s", image->path);
        *ret_bytes = verify_layer_bytes(reading->layer);
        *ret_through = comparison.n_through;
        return 0;
}

int verify_layer_read(const LayerReading *reading, uint64_t *ret_bytes, uint64_t *ret_through,
                      Failure *failure)
{
        VerifyLayer *layer = reading->layer;
        _cleanup_free_ char *path = NULL;
        char what[IMAGE_DAMAGE_SIZE];
        LayerNames names;
        Image image;
        int r;

        layer_names(layer->backup_id, &names);
        if (asprintf(&path, "%s/%s", reading->path, names.image) < 0) {
                path = NULL;
                return failure_errno(failure, -ENOMEM, "%s", reading->path);
        }
        image = (Image){ .path = path, .name = names.image, .folder = reading->folder, .fd = -1 };
        forget_cached(&image);
        r = take_damage(layer, image_find_damage(&image, what, failure), failure);
        if (r < 0)
                return r;
        if (r > 0)
                scan_problem(layer->problems, "%s: %s", layer->where, what);
        *ret_bytes = *ret_through = 0;
        return is_comparable(layer)
                               ? compare_blocks(reading, &image, ret_bytes, ret_through, failure)
                               : 0;
}
