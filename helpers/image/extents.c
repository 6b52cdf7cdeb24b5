/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking for block status (see extents.h). The two contexts of one answer may reach to different ends; what
 * both know is taken, and the rest is asked for again.
 */
#include "extents.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

enum {
        ASK_BYTES = 1024 * 1024 * 1024, /* at a time; the protocol's lengths have 32 bits */
        DEPTH_TOP = 1, /* 0: in no layer, 2 and more: in one below */
};

/* One answer of one context. */
typedef struct Status {
        uint32_t *entries; /* pairs of length and flags */
        size_t n, size; /* of pairs */
        uint64_t length; /* of all */
} Status;

typedef struct Answer {
        uint64_t offset;
        Status data, depth;
        bool failed;
} Answer;

static void answer_done(Answer *answer)
{
        free(answer->data.entries);
        free(answer->depth.entries);
}

static int status_grow(Status *status, size_t n)
{
        uint32_t *grown;

        if (n <= status->size)
                return 0;
        grown = reallocarray(status->entries, n, 2 * sizeof(uint32_t));
        if (!grown)
                return -ENOMEM;
        status->entries = grown;
        status->size = n;
        return 0;
}

static int status_add(Status *status, const uint32_t *entries, size_t n_entries)
{
        if (status_grow(status, status->n + n_entries / 2) < 0)
                return -ENOMEM;
        for (size_t i = 0; i + 1 < n_entries; i += 2) {
                status->entries[2 * status->n] = entries[i];
                status->entries[2 * status->n + 1] = entries[i + 1];
                status->n++;
                status->length += entries[i];
        }
        return 0;
}

static int on_status(void *userdata, const char *context, uint64_t offset, uint32_t *entries,
                     size_t n_entries, int *error)
{
        Answer *answer = userdata;
        int r = 0;

        (void) error;
        if (strcmp(context, EXTENTS_CONTEXT_DATA) == 0)
                r = status_add(&answer->data, entries, n_entries);
        else if (strcmp(context, EXTENTS_CONTEXT_DEPTH) == 0)
                r = status_add(&answer->depth, entries, n_entries);
        if (r < 0 || offset != answer->offset)
                answer->failed = true;
        return 0;
}

static int add_extent(Extents *extents, uint64_t offset, uint64_t length, bool zero)
{
        Extent *last = extents->n > 0 ? extents->list + extents->n - 1 : NULL, *grown;

        if (last && last->zero == zero) {
                last->length += length;
                return 0;
        }
        if (extents->n == extents->size) {
                size_t size = extents->size > 0 ? extents->size * 2 : 64;

                grown = reallocarray(extents->list, size, sizeof(Extent));
                if (!grown)
                        return -ENOMEM;
                extents->list = grown;
                extents->size = size;
        }
        extents->list[extents->n++] = (Extent){ .offset = offset, .length = length, .zero = zero };
        return 0;
}

/* Takes the first `length` bytes of an answer over. */
static int take(Extents *extents, const Answer *answer, uint64_t length)
{
        uint64_t done = 0;
        int r;

        for (size_t i = 0; i < answer->depth.n && done < length; i++) {
                extents->held = extents->held || (answer->depth.entries[2 * i] > 0 &&
                                                  answer->depth.entries[2 * i + 1] == DEPTH_TOP);
                done += answer->depth.entries[2 * i];
        }
        done = 0;
        for (size_t i = 0; i < answer->data.n && done < length; i++) {
                uint64_t part = answer->data.entries[2 * i];

                if (part > length - done)
                        part = length - done;
                if (part == 0)
                        continue;
                r = add_extent(extents, answer->offset + done, part,
                               answer->data.entries[2 * i + 1] & LIBNBD_STATE_ZERO);
                if (r < 0)
                        return r;
                done += part;
        }
        return 0;
}

int extents_read(Extents *extents, struct nbd_handle *nbd, uint64_t offset, uint64_t length)
{
        int r;

        extents->n = 0;
        extents->held = false;
        while (length > 0) {
                CLEANUP(answer_done) Answer answer = { .offset = offset };
                uint64_t known = length < ASK_BYTES ? length : ASK_BYTES;

                if (nbd_block_status(nbd, known, offset,
                                     (nbd_extent_callback){ .callback = on_status,
                                                            .user_data = &answer },
                                     0) < 0)
                        return -EIO;
                if (answer.failed)
                        return -ENOMEM;
                if (answer.data.length < known)
                        known = answer.data.length;
                if (answer.depth.length < known)
                        known = answer.depth.length;
                if (known == 0)
                        return -EIO;
                r = take(extents, &answer, known);
                if (r < 0)
                        return r;
                offset += known;
                length -= known;
        }
        return 0;
}

void extents_done(Extents *extents)
{
        free(extents->list);
        *extents = (Extents){};
}
