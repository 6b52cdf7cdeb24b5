/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a tar (see untar.h).
 */
#include "untar.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

enum {
        ATTRIBUTES_MAX = 1024,
        PATH_SIZE_MAX = 64 * 1024,
};

#define XATTR_KEY "SCHILY.xattr."

typedef struct Range {
        uint64_t offset, length;
} Range;

/* As in a stream. */
typedef struct Block {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type,
                        target[100], magic[8], user[32], group[32], major[8], minor[8], prefix[155],
                        unused[12];
} Block;

struct Untar {
        int fd;
        uint64_t left, padding; /* of the data of this file */
        char *path, *target, *records; /* of this file, long ones */
        size_t n_records, n_extra;
        char short_path[101], short_target[101];
        UntarAttribute attributes[ATTRIBUTES_MAX];
        size_t n_attributes;
        Range *ranges;
        size_t n_ranges, next_range;
        uint64_t offset;
        bool has_holes;
};

Untar *untar_new(int fd)
{
        Untar *untar = calloc(1, sizeof(*untar));

        if (untar)
                untar->fd = fd;
        return untar;
}

static void forget(Untar *untar)
{
        free(untar->path);
        free(untar->target);
        free(untar->records);
        free(untar->ranges);
        *untar = (Untar){ .fd = untar->fd };
}

Untar *untar_free(Untar *untar)
{
        if (untar)
                forget(untar);
        free(untar);
        return NULL;
}

static int read_all(int fd, void *data, size_t size)
{
        char *at = data;

        while (size > 0) {
                ssize_t n = read(fd, at, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EPIPE;
                at += n;
                size -= (size_t) n;
        }
        return 0;
}

static int skip(Untar *untar)
{
        char waste[16 * 1024];
        uint64_t left = untar->left + untar->padding;
        int r = 0;

        while (r >= 0 && left > 0) {
                size_t n = left < sizeof(waste) ? (size_t) left : sizeof(waste);

                r = read_all(untar->fd, waste, n);
                left -= n;
        }
        return r;
}

/* ── Numbers ── */

/* Octal digits, or what GNU writes when they do not fit. */
static int read_number(const char *field, size_t size, uint64_t *ret_value)
{
        const unsigned char *bytes = (const unsigned char *) field;
        uint64_t value = 0;
        size_t i = 0;

        if (bytes[0] == 0x80) {
                for (i = 1; i < size; i++) {
                        if (value >> 56)
                                return -EBADMSG;
                        value = value << 8 | bytes[i];
                }
                *ret_value = value;
                return 0;
        }
        while (i < size && field[i] == ' ')
                i++;
        for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
                value = value << 3 | (uint64_t) (field[i] - '0');
        if (i < size && field[i] != '\0' && field[i] != ' ')
                return -EBADMSG;
        *ret_value = value;
        return 0;
}

static bool checksum_is_right(const Block *block)
{
        const unsigned char *bytes = (const unsigned char *) block;
        size_t from = offsetof(Block, checksum), to = from + sizeof(block->checksum);
        uint64_t said = 0, sum = 0;

        for (size_t i = 0; i < sizeof(*block); i++)
                sum += i >= from && i < to ? ' ' : bytes[i];
        return read_number(block->checksum, sizeof(block->checksum), &said) >= 0 && said == sum;
}

/* ── Records ── */

/* "-1.250000000" is a quarter before minus one. */
static int read_time(const char *text, UntarEntry *entry)
{
        bool is_negative = *text == '-';
        const char *dot = strchr(text, '.');
        char whole[24];
        uint64_t sec, nsec = 0, unit = 100000000;
        size_t n = dot ? (size_t) (dot - text) : strlen(text);

        if (n >= sizeof(whole))
                return -EBADMSG;
        memcpy(whole, text, n);
        whole[n] = '\0';
        if (parse_uint64(whole + is_negative, 0, INT64_MAX / 2, &sec) < 0)
                return -EBADMSG;
        for (const char *c = dot ? dot + 1 : ""; *c >= '0' && *c <= '9' && unit > 0;
             c++, unit /= 10)
                nsec += (uint64_t) (*c - '0') * unit;
        entry->mtime_sec = is_negative ? -(int64_t) sec : (int64_t) sec;
        entry->mtime_nsec = (uint32_t) nsec;
        if (is_negative && nsec > 0) {
                entry->mtime_sec--;
                entry->mtime_nsec = (uint32_t) (1000000000 - nsec);
        }
        return 0;
}

/* GNU writes '=' and '%' of a name as %3D and %25. */
static void decode_name(char *name)
{
        char *to = name;

        for (const char *from = name; *from; from++)
                if (strncmp(from, "%3D", 3) == 0 || strncmp(from, "%25", 3) == 0) {
                        *to++ = from[1] == '3' ? '=' : '%';
                        from += 2;
                } else
                        *to++ = *from;
        *to = '\0';
}

static int take_record(Untar *untar, char *key, char *value, size_t size, UntarEntry *entry)
{
        if (strncmp(key, XATTR_KEY, strlen(XATTR_KEY)) == 0) {
                if (untar->n_attributes >= ATTRIBUTES_MAX)
                        return -EBADMSG;
                decode_name(key);
                untar->attributes[untar->n_attributes++] =
                                (UntarAttribute){ key + strlen(XATTR_KEY), value, size };
                return 0;
        }
        if (strlen(value) != size)
                return -EBADMSG;
        if (strcmp(key, "mtime") == 0)
                return read_time(value, entry);
        if (strcmp(key, "GNU.sparse.name") == 0)
                entry->path = value;
        else if (strcmp(key, "GNU.sparse.realsize") == 0) {
                entry->has_holes = true;
                if (parse_uint64(value, 0, INT64_MAX, &entry->size) < 0)
                        return -EBADMSG;
        }
        return 0;
}

/* "LENGTH KEY=VALUE\n"; the '=' and the newline become ends of text. */
static int read_records(Untar *untar, UntarEntry *entry)
{
        char *at = untar->records;
        size_t left = untar->n_records;
        int r = 0;

        while (r >= 0 && left > 0) {
                char *blank = memchr(at, ' ', left < 20 ? left : 20), *equals;
                uint64_t length = 0;

                if (!blank)
                        return -EBADMSG;
                *blank = '\0';
                if (parse_uint64(at, 1, left, &length) < 0 || at[length - 1] != '\n' ||
                    length < (size_t) (blank - at) + 3)
                        return -EBADMSG;
                equals = memchr(blank + 1, '=', (size_t) length - (size_t) (blank + 1 - at));
                if (!equals || memchr(blank + 1, '\0', (size_t) (equals - blank - 1)))
                        return -EBADMSG;
                *equals = '\0';
                at[length - 1] = '\0';
                r = take_record(untar, blank + 1, equals + 1,
                                (size_t) (at + length - 1 - (equals + 1)), entry);
                at += length;
                left -= (size_t) length;
        }
        return r;
}

/* ── Headers ── */

static uint64_t padding_of(uint64_t size)
{
        return (UNTAR_BLOCK - size % UNTAR_BLOCK) % UNTAR_BLOCK;
}

/* What belongs to the next header, with a NUL after it. */
static int read_extra(Untar *untar, uint64_t size, char **ret_data)
{
        _cleanup_free_ char *data = NULL;
        char waste[UNTAR_BLOCK];
        int r;

        if (size > UNTAR_EXTRA_MAX - untar->n_extra)
                return -EBADMSG;
        untar->n_extra += (size_t) size;
        data = malloc((size_t) size + 1);
        if (!data)
                return -ENOMEM;
        r = read_all(untar->fd, data, (size_t) size);
        if (r >= 0)
                r = read_all(untar->fd, waste, (size_t) padding_of(size));
        if (r < 0)
                return r;
        data[size] = '\0';
        free(*ret_data);
        *ret_data = TAKE(data);
        return 0;
}

static int take_extra(Untar *untar, const Block *block, uint64_t size)
{
        int r;

        if (block->type == 'L')
                return size > PATH_SIZE_MAX ? -EBADMSG : read_extra(untar, size, &untar->path);
        if (block->type == 'K')
                return size > PATH_SIZE_MAX ? -EBADMSG : read_extra(untar, size, &untar->target);
        r = read_extra(untar, size, &untar->records);
        if (r >= 0)
                untar->n_records = (size_t) size;
        return r;
}

static int read_header(Untar *untar, const Block *block, uint64_t size, UntarEntry *entry)
{
        uint64_t mode, mtime, major, minor;
        int r;

        memcpy(untar->short_path, block->name, sizeof(block->name));
        memcpy(untar->short_target, block->target, sizeof(block->target));
        *entry = (UntarEntry){
                .path = untar->path ?: untar->short_path,
                .type = block->type ?: '0',
                .size = size,
        };
        if (untar->target || *untar->short_target)
                entry->target = untar->target ?: untar->short_target;
        if (read_number(block->mode, sizeof(block->mode), &mode) < 0 ||
            read_number(block->uid, sizeof(block->uid), &entry->uid) < 0 ||
            read_number(block->gid, sizeof(block->gid), &entry->gid) < 0 ||
            read_number(block->mtime, sizeof(block->mtime), &mtime) < 0 ||
            read_number(block->major, sizeof(block->major), &major) < 0 ||
            read_number(block->minor, sizeof(block->minor), &minor) < 0 || mtime > INT64_MAX / 2 ||
            major > UINT32_MAX || minor > UINT32_MAX)
                return -EBADMSG;
        entry->mode = (uint32_t) mode & 07777;
        entry->major = (uint32_t) major;
        entry->minor = (uint32_t) minor;
        entry->mtime_sec = (int64_t) mtime;
        r = read_records(untar, entry);
        entry->attributes = untar->attributes;
        entry->n_attributes = untar->n_attributes;
        return r;
}

/* ── Holes ── */

/* A number of the map, and its newline; blocks are read as they are needed. */
static int read_map_number(Untar *untar, char *block, size_t *at, uint64_t *ret_value)
{
        char digits[24];
        size_t n = 0;
        int r;

        for (;;) {
                if (*at == UNTAR_BLOCK) {
                        if (untar->left < UNTAR_BLOCK)
                                return -EBADMSG;
                        r = read_all(untar->fd, block, UNTAR_BLOCK);
                        if (r < 0)
                                return r;
                        untar->left -= UNTAR_BLOCK;
                        *at = 0;
                }
                if (n >= sizeof(digits) - 1)
                        return -EBADMSG;
                digits[n] = block[(*at)++];
                if (digits[n] == '\n')
                        break;
                n++;
        }
        digits[n] = '\0';
        return parse_uint64(digits, 0, INT64_MAX, ret_value) < 0 ? -EBADMSG : 0;
}

static int read_map(Untar *untar, const UntarEntry *entry)
{
        char block[UNTAR_BLOCK];
        size_t at = UNTAR_BLOCK;
        uint64_t n, end = 0, bytes = 0;
        int r = read_map_number(untar, block, &at, &n);

        if (r < 0 || n > UNTAR_RANGES_MAX)
                return r < 0 ? r : -EBADMSG;
        untar->ranges = calloc((size_t) n + 1, sizeof(Range));
        if (!untar->ranges)
                return -ENOMEM;
        for (; untar->n_ranges < n; untar->n_ranges++) {
                Range *range = untar->ranges + untar->n_ranges;

                r = read_map_number(untar, block, &at, &range->offset);
                if (r >= 0)
                        r = read_map_number(untar, block, &at, &range->length);
                if (r < 0)
                        return r;
                if (range->offset < end || range->offset > entry->size ||
                    range->length > entry->size - range->offset)
                        return -EBADMSG;
                end = range->offset + range->length;
                bytes += range->length;
        }
        return bytes == untar->left ? 0 : -EBADMSG;
}

/* ── Outside ── */

int untar_next(Untar *untar, UntarEntry *ret_entry)
{
        static const Block empty;
        uint64_t size;
        Block block;
        int r = skip(untar);

        if (r < 0)
                return r;
        forget(untar);
        for (;;) {
                r = read_all(untar->fd, &block, sizeof(block));
                if (r < 0)
                        return r;
                if (memcmp(&block, &empty, sizeof(block)) == 0)
                        return read_all(untar->fd, &block, sizeof(block));
                if (!checksum_is_right(&block) ||
                    read_number(block.size, sizeof(block.size), &size) < 0 || size > INT64_MAX)
                        return -EBADMSG;
                if (!strchr("LKx", block.type) || !block.type)
                        break;
                r = take_extra(untar, &block, size);
                if (r < 0)
                        return r;
        }
        r = read_header(untar, &block, size, ret_entry);
        untar->left = size;
        untar->padding = padding_of(size);
        untar->has_holes = ret_entry->has_holes;
        if (r >= 0 && untar->has_holes)
                r = read_map(untar, ret_entry);
        return r < 0 ? r : 1;
}

int untar_read(Untar *untar, void *data, size_t size, uint64_t *ret_offset)
{
        int r;

        if (untar->has_holes) {
                Range *range = untar->ranges + untar->next_range;

                while (untar->next_range < untar->n_ranges && range->length == 0)
                        range = untar->ranges + ++untar->next_range;
                if (untar->next_range == untar->n_ranges)
                        return 0;
                if (size > range->length)
                        size = (size_t) range->length;
                *ret_offset = range->offset;
                range->offset += size;
                range->length -= size;
        } else {
                if (size > untar->left)
                        size = (size_t) untar->left;
                *ret_offset = untar->offset;
                untar->offset += size;
        }
        r = read_all(untar->fd, data, size);
        if (r < 0)
                return r;
        untar->left -= size;
        return (int) size;
}
