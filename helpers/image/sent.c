/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Comparing (see sent.h). Whole blocks have been hashed already; those of which the layer holds nothing, because they are
 * zeroes, are read through the chain. Of the others the pieces are read again.
 */
#include "sent.h"

#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "digest.h"
#include "manifest.h"
#include "restore-source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
        PIECE_ALIGNMENT = 4096, /* for reads past the kernel's cache */
};

typedef struct Comparison {
        const SentDisk *disk;
        uint64_t block_bytes;
        json_t *found; /* the digests of all blocks that were sent whole */
        RestoreSource source;
        bool is_open;
        LeafHasher *hasher;
        uint8_t *data; /* a leaf */
        SentResult result;
        uint64_t n_other; /* blocks that are not the same */
        uint64_t first_other;
} Comparison;

static void comparison_done(Comparison *comparison)
{
        json_decref(comparison->found);
        if (comparison->is_open)
                restore_source_done(&comparison->source);
        (void) leaf_hasher_free(comparison->hasher);
        free(comparison->data);
}

static int refuse(Failure *failure, const char *what)
{
        return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT, "the spec: sent: %s", what);
}

static int check_sent(const SentDisk *disk, Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];

        return manifest_check_sent(disk->sent, disk->capacity_bytes, error) < 0
                               ? refuse(failure, error)
                               : 0;
}

static uint64_t block_length(const Comparison *comparison, uint64_t block)
{
        uint64_t left = comparison->disk->capacity_bytes - block * comparison->block_bytes;

        return left < comparison->block_bytes ? left : comparison->block_bytes;
}

static void judge(Comparison *comparison, uint64_t block, bool same, uint64_t bytes)
{
        if (same) {
                comparison->result.bytes += bytes;
                return;
        }
        if (comparison->n_other == 0 || block < comparison->first_other)
                comparison->first_other = block;
        comparison->n_other++;
}

/* Those that the layer holds nothing of read as zeroes, or as what is below it. */
static int find_blocks(Comparison *comparison, const json_t *blocks, Failure *failure)
{
        const SentDisk *disk = comparison->disk;
        CLEANUP(json_decrefp) json_t *missing = json_object(), *digest = NULL;
        const char *key;
        json_t *value;
        int r;

        comparison->found = json_copy(json_object_get(disk->digest, "blocks"));
        if (!missing || !comparison->found)
                return failure_errno(failure, -ENOMEM, "Cannot compare %s", disk->image->path);
        json_object_foreach ((json_t *) blocks, key, value)
                if (!json_object_get(comparison->found, key))
                        (void) json_object_set(missing, key, value);
        if (json_object_size(missing) == 0)
                return 0;
        r = digest_blocks(&(DigestRequest){ .image = disk->image,
                                            .capacity_bytes = disk->capacity_bytes,
                                            .wanted = missing },
                          &digest, failure);
        if (r < 0)
                return r;
        return json_object_update(comparison->found, json_object_get(digest, "blocks")) < 0
                               ? failure_errno(failure, -ENOMEM, "Cannot compare %s",
                                               disk->image->path)
                               : 0;
}

static int compare_blocks(Comparison *comparison, const json_t *blocks, Failure *failure)
{
        const char *key;
        json_t *value;
        int r = find_blocks(comparison, blocks, failure);

        if (r < 0)
                return r;
        json_object_foreach ((json_t *) blocks, key, value) {
                uint64_t block = strtoull(key, NULL, 10); /* it was checked */

                judge(comparison, block, json_equal(json_object_get(comparison->found, key), value),
                      block_length(comparison, block));
        }
        return 0;
}

/* Reads "start+length" of the block. Pieces go upwards from *next on, and none leaves its leaf. 0: there are no more. */
static int next_piece(const Comparison *comparison, uint64_t block, const char **at, uint64_t *next,
                      uint64_t *ret_offset, size_t *ret_length)
{
        uint64_t start, length;
        char *end;

        if (**at == '\0')
                return 0;
        errno = 0;
        start = strtoull(*at, &end, 10);
        if (errno != 0 || end == *at || *end != '+')
                return -EBADMSG;
        *at = end + 1;
        length = strtoull(*at, &end, 10);
        if (errno != 0 || end == *at || (*end != ' ' && *end != '\0'))
                return -EBADMSG;
        *at = *end == ' ' ? end + 1 : end;
        if (start < *next || start >= block_length(comparison, block) || length == 0 ||
            length > LEAF_BYTES - start % LEAF_BYTES ||
            length > block_length(comparison, block) - start)
                return -EBADMSG;
        *next = start + length;
        *ret_offset = block * comparison->block_bytes + start;
        *ret_length = (size_t) length;
        return 1;
}

/* As it was made of what was sent. */
static int sum_piece(Comparison *comparison, uint64_t offset, size_t length, uint8_t *ret_sum)
{
        uint64_t left = comparison->disk->capacity_bytes - offset;
        bool is_leaf = offset % LEAF_BYTES == 0 &&
                       length == (left < LEAF_BYTES ? left : LEAF_BYTES);
        uint8_t leaf[LEAF_SUM_BYTES];
        int r;

        if (!is_leaf)
                return leaf_hasher_sum_part(comparison->hasher, offset, comparison->data, length,
                                            ret_sum);
        r = leaf_hasher_sum_leaf(comparison->hasher, comparison->data, length, leaf);
        return r < 0 ? r
                     : leaf_hasher_sum_leaf_part(comparison->hasher, offset, length, leaf, ret_sum);
}

static int compare_block(Comparison *comparison, uint64_t block, const json_t *part,
                         Failure *failure)
{
        const char *at = json_field_text(part, "pieces");
        const char *wanted = json_field_text(part, "sum");
        uint8_t sum[LEAF_SUM_BYTES], total[LEAF_SUM_BYTES] = {};
        uint64_t offset, next = 0, n = 0, bytes = 0;
        char hex[LEAF_HEX_SIZE];
        size_t length;
        int r;

        if (!at) {
                comparison->result.n_untold++;
                return 0;
        }
        while ((r = next_piece(comparison, block, &at, &next, &offset, &length)) > 0) {
                r = restore_source_read(&comparison->source, 0, comparison->data, length, offset,
                                        failure);
                if (r != 0)
                        return r < 0 ? r : -EUCLEAN;
                r = sum_piece(comparison, offset, length, sum);
                if (r < 0)
                        return failure_errno(failure, r, "Cannot compare %s",
                                             comparison->disk->image->path);
                block_digest_add_up(total, sum);
                bytes += length;
                n++;
        }
        if (r < 0)
                return refuse(failure, "a list of pieces cannot be read");
        block_digest_to_hex(total, hex);
        judge(comparison, block, strcmp(hex, wanted) == 0 && json_field_number(part, "count") == n,
              bytes);
        return 0;
}

static int open_source(Comparison *comparison, Failure *failure)
{
        const SentDisk *disk = comparison->disk;
        void *data = NULL;
        int r;

        r = restore_source_open(&comparison->source, disk->image, disk->capacity_bytes, 1, failure);
        if (r < 0)
                return r;
        comparison->is_open = true;
        r = leaf_hasher_new(&comparison->hasher);
        if (r >= 0 && posix_memalign(&data, PIECE_ALIGNMENT, LEAF_BYTES) != 0)
                r = -ENOMEM;
        comparison->data = data;
        return r < 0 ? failure_errno(failure, r, "Cannot compare %s", disk->image->path) : 0;
}

static int compare_parts(Comparison *comparison, json_t *parts, Failure *failure)
{
        const char *key;
        json_t *part;
        int r = 0;

        if (json_object_size(parts) > 0)
                r = open_source(comparison, failure);
        if (r < 0)
                return r;
        json_object_foreach (parts, key, part) {
                r = compare_block(comparison, strtoull(key, NULL, 10), part, failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

int sent_compare(const SentDisk *disk, SentResult *ret_result, Failure *failure)
{
        CLEANUP(comparison_done)
        Comparison comparison = { .disk = disk,
                                  .block_bytes = manifest_block_bytes(disk->capacity_bytes) };
        int r;

        r = check_sent(disk, failure);
        if (r >= 0)
                r = compare_blocks(&comparison, json_object_get(disk->sent, "blocks"), failure);
        if (r >= 0)
                r = compare_parts(&comparison, json_object_get(disk->sent, "parts"), failure);
        if (r < 0)
                return r;
        if (comparison.n_other > 0)
                return failure_set(failure, BUS_ERROR_COPY_FAILED,
                                   "%s does not hold what was read from the source: %" PRIu64
                                   " blocks of %" PRIu64 " bytes are something else, the first at "
                                   "offset %" PRIu64 "; look at this machine's memory and at the "
                                   "disk of the repository (dmesg), and start the backup again",
                                   disk->image->path, comparison.n_other, comparison.block_bytes,
                                   comparison.first_other * comparison.block_bytes);
        *ret_result = comparison.result;
        return 0;
}
