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
        DEPTH_TOP = 1,
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

        if (last && last->zero == zero && last->offset + last->length == offset) {
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

/* Where one goes through an answer. */
typedef struct Cursor {
        const Status *status;
        size_t next;
        uint64_t left; /* of the entry that it stands in */
        uint32_t flags;
} Cursor;

static void cursor_settle(Cursor *cursor)
{
        while (cursor->left == 0 && cursor->next < cursor->status->n) {
                cursor->left = cursor->status->entries[2 * cursor->next];
                cursor->flags = cursor->status->entries[2 * cursor->next + 1];
                cursor->next++;
        }
}

static bool depth_is_wanted(const ExtentsLayers *layers, uint32_t depth)
{
        return !layers || (depth >= layers->first && depth <= layers->last);
}

/* Takes the first `length` bytes of an answer over; both contexts know that much. */
static int take(Extents *extents, const Answer *answer, uint64_t length,
                const ExtentsLayers *layers)
{
        Cursor data = { .status = &answer->data }, depth = { .status = &answer->depth };
        int r;

        for (uint64_t done = 0, part; done < length; done += part) {
                cursor_settle(&data);
                cursor_settle(&depth);
                part = data.left < depth.left ? data.left : depth.left;
                if (part > length - done)
                        part = length - done;
                extents->held = extents->held || depth.flags == DEPTH_TOP;
                if (depth_is_wanted(layers, depth.flags)) {
                        r = add_extent(extents, answer->offset + done, part,
                                       data.flags & LIBNBD_STATE_ZERO);
                        if (r < 0)
                                return r;
                }
                data.left -= part;
                depth.left -= part;
        }
        return 0;
}

int extents_read_layers(Extents *extents, struct nbd_handle *nbd, uint64_t offset, uint64_t length,
                        const ExtentsLayers *layers)
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
                r = take(extents, &answer, known, layers);
                if (r < 0)
                        return r;
                offset += known;
                length -= known;
        }
        return 0;
}

int extents_read(Extents *extents, struct nbd_handle *nbd, uint64_t offset, uint64_t length)
{
        return extents_read_layers(extents, nbd, offset, length, NULL);
}

void extents_done(Extents *extents)
{
        free(extents->list);
        *extents = (Extents){};
}
