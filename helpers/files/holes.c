/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading files with holes (see holes.h).
 */
#include "holes.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "path-text.h"
#include "tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
        READ_SIZE = 2 * 1024 * 1024, /* below what one message of libguestfs may hold */
        HOLE_SIZE = 4096,
        RANGES_MAX = 1000000,
        RANGES_STEP = 1024,
};

bool holes_are_likely(const struct guestfs_statns *stat)
{
        return stat->st_size >= INT64_C(16) * HOLE_SIZE && stat->st_blocks >= 0 &&
               stat->st_blocks < stat->st_size / 512;
}

void holes_done(Holes *holes)
{
        free(holes->ranges);
        *holes = (Holes){};
}

int holes_read(Guest *guest, const char *path, uint64_t offset, uint64_t length, HolesTake take,
               void *userdata, Failure *failure)
{
        while (length > 0) {
                int want = length < READ_SIZE ? (int) length : READ_SIZE;
                _cleanup_free_ char *data = NULL;
                size_t n = 0;
                int r;

                guest_expect("a file is read");
                data = guestfs_pread(guest->handle, path, want, (int64_t) offset, &n);
                if (!data || n == 0 || n > (size_t) want) {
                        _cleanup_free_ char *text = path_text_from_bytes(path);

                        return failure_guest(failure, guest->handle, BUS_ERROR_FAILED,
                                             "%.200s: cannot be read at %" PRIu64, text ?: "",
                                             offset);
                }
                r = take(userdata, data, n, failure);
                if (r < 0)
                        return r;
                offset += n;
                length -= n;
        }
        return 0;
}

typedef struct Search {
        Holes holes;
        uint64_t offset;
        bool too_many;
} Search;

static int grow(Holes *holes)
{
        HolesRange *grown;

        grown = reallocarray(holes->ranges, holes->n + RANGES_STEP, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        holes->ranges = grown;
        return 0;
}

static int add_range(Holes *holes, uint64_t offset, uint64_t length)
{
        HolesRange *last = holes->n > 0 ? holes->ranges + holes->n - 1 : NULL;
        int r = 0;

        holes->bytes += length;
        if (last && last->offset + last->length == offset) {
                last->length += length;
                return 0;
        }
        if (holes->n >= RANGES_MAX)
                return -EFBIG;
        if (holes->n % RANGES_STEP == 0)
                r = grow(holes);
        if (r < 0)
                return r;
        holes->ranges[holes->n++] = (HolesRange){ offset, length };
        return 0;
}

static bool is_zero(const char *data, size_t size)
{
        return size == 0 || (*data == '\0' && memcmp(data, data + 1, size - 1) == 0);
}

static int search(void *userdata, const void *data, size_t size, Failure *failure)
{
        Search *at = userdata;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < size; i += HOLE_SIZE) {
                size_t n = size - i < HOLE_SIZE ? size - i : HOLE_SIZE;

                if (!is_zero((const char *) data + i, n))
                        r = add_range(&at->holes, at->offset + i, n);
        }
        at->offset += size;
        at->too_many = r == -EFBIG;
        return r < 0 ? failure_set(failure, BUS_ERROR_FAILED, "A file has too many holes: %s",
                                   strerror(-r))
                     : 0;
}

int holes_find(Holes *holes, Guest *guest, const char *path, uint64_t size, Failure *failure)
{
        Search at = {};
        int r = holes_read(guest, path, 0, size, search, &at, failure);

        if (r >= 0) {
                *holes = at.holes;
                return 0;
        }
        holes_done(&at.holes);
        if (!at.too_many)
                return r;
        *failure = (Failure){};
        return 1;
}

/* An empty range at the end is how long it is. */
int holes_map(const Holes *holes, uint64_t size, char **ret_map, size_t *ret_size)
{
        static const char zeroes[TAR_BLOCK];
        _cleanup_free_ char *map = NULL;
        FILE *f = open_memstream(&map, ret_size);
        long length;

        if (!f)
                return -ENOMEM;
        (void) fprintf(f, "%zu\n", holes->n + 1);
        for (size_t i = 0; i < holes->n; i++)
                (void) fprintf(f, "%" PRIu64 "\n%" PRIu64 "\n", holes->ranges[i].offset,
                               holes->ranges[i].length);
        (void) fprintf(f, "%" PRIu64 "\n0\n", size);
        length = ftell(f);
        if (length > 0 && length % TAR_BLOCK > 0)
                (void) fwrite(zeroes, 1, TAR_BLOCK - (size_t) length % TAR_BLOCK, f);
        if (fclose(f) != 0 || length < 0)
                return -ENOMEM;
        *ret_map = TAKE(map);
        return 0;
}
