/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of tar (see tar.h).
 */
#include "tar.h"

#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        NAME_SIZE = 100,
        OCTAL_SIZE_MAX = 12,
};

/* As it lies in the stream. */
typedef struct Block {
        char name[NAME_SIZE], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type,
                        target[NAME_SIZE], magic[8], user[32], group[32], major[8], minor[8],
                        prefix[155], unused[12];
} Block;

_Static_assert(sizeof(Block) == TAR_BLOCK, "a header is one block");

/* Octal digits and a NUL; what is larger, as GNU has it: big-endian after a byte with its top bit set. */
static void put_number(char *field, size_t size, uint64_t value)
{
        char digits[24];

        (void) snprintf(digits, sizeof(digits), "%0*" PRIo64, (int) size - 1, value);
        if (strlen(digits) == size - 1) {
                memcpy(field, digits, size);
                return;
        }
        for (size_t i = size - 1; i > 0; i--, value >>= 8)
                field[i] = (char) (value & 0xff);
        field[0] = (char) 0x80;
}

static void put_checksum(Block *block)
{
        const unsigned char *bytes = (const unsigned char *) block;
        unsigned sum = 0;

        memset(block->checksum, ' ', sizeof(block->checksum));
        for (size_t i = 0; i < sizeof(*block); i++)
                sum += bytes[i];
        put_number(block->checksum, 7, sum);
}

static void put_name(char *field, const char *name)
{
        memcpy(field, name, strnlen(name, NAME_SIZE));
}

static void write_block(FILE *f, Block *block)
{
        memcpy(block->magic, "ustar\00000", sizeof(block->magic));
        put_checksum(block);
        (void) fwrite(block, sizeof(*block), 1, f);
}

static void write_padded(FILE *f, const void *data, size_t size)
{
        static const char zeroes[TAR_BLOCK];

        (void) fwrite(data, 1, size, f);
        if (size % TAR_BLOCK > 0)
                (void) fwrite(zeroes, 1, TAR_BLOCK - size % TAR_BLOCK, f);
}

/* What belongs to the next header: a long name ('L'), a long target ('K'), pax records ('x'). */
static void write_extra(FILE *f, char type, const char *name, const void *data, size_t size)
{
        Block block = { .type = type };

        put_name(block.name, name);
        put_number(block.mode, sizeof(block.mode), 0644);
        put_number(block.uid, sizeof(block.uid), 0);
        put_number(block.gid, sizeof(block.gid), 0);
        put_number(block.size, sizeof(block.size), size);
        put_number(block.mtime, sizeof(block.mtime), 0);
        write_block(f, &block);
        write_padded(f, data, size);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(FILE *f, const char *key, const void *value, size_t size)
{
        size_t rest = strlen(key) + size + 3, length = rest;
        char digits[24];

        for (int i = 0; i < 3; i++)
                length = rest + (size_t) snprintf(digits, sizeof(digits), "%zu", length);
        (void) fprintf(f, "%zu %s=", length, key);
        (void) fwrite(value, 1, size, f);
        (void) fputc('\n', f);
}

static void add_number(FILE *f, const char *key, uint64_t value)
{
        char digits[24];
        int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);

        add_record(f, key, digits, (size_t) n);
}

/* '=' ends the name of a record, so GNU writes it otherwise. */
static void add_attribute(FILE *f, const TarAttribute *attribute)
{
        char key[600] = "SCHILY.xattr.";
        size_t n = strlen(key);

        for (const char *c = attribute->name; *c && n < sizeof(key) - 4; c++)
                if (*c == '=' || *c == '%')
                        n += (size_t) snprintf(key + n, sizeof(key) - n, "%%%02X", (unsigned) *c);
                else
                        key[n++] = *c;
        key[n] = '\0';
        add_record(f, key, attribute->value, attribute->size);
}

static void add_time(FILE *f, const TarEntry *entry)
{
        char text[48];
        int64_t sec = entry->mtime_sec;
        uint32_t nsec = entry->mtime_nsec;
        int n;

        /* -1.25 is two seconds before, and 0.75 after that. */
        if (sec < 0 && nsec > 0) {
                sec++;
                nsec = 1000000000 - nsec;
        }
        n = snprintf(text, sizeof(text), "%s%" PRIi64 ".%09" PRIu32,
                     entry->mtime_sec < 0 && sec == 0 ? "-" : "", sec, nsec);
        add_record(f, "mtime", text, (size_t) n);
}

static void add_records(FILE *f, const TarEntry *entry)
{
        if (entry->mtime_nsec > 0 || entry->mtime_sec < 0)
                add_time(f, entry);
        if (entry->real_size > 0) {
                add_number(f, "GNU.sparse.major", 1);
                add_number(f, "GNU.sparse.minor", 0);
                add_record(f, "GNU.sparse.name", entry->path, strlen(entry->path));
                add_number(f, "GNU.sparse.realsize", entry->real_size);
        }
        for (size_t i = 0; i < entry->n_attributes; i++)
                add_attribute(f, entry->attributes + i);
}

static int write_records(FILE *f, const TarEntry *entry)
{
        _cleanup_free_ char *records = NULL;
        size_t size;
        FILE *memory = open_memstream(&records, &size);

        if (!memory)
                return -ENOMEM;
        add_records(memory, entry);
        if (fclose(memory) != 0)
                return -ENOMEM;
        if (size > 0)
                write_extra(f, 'x', "pax", records, size);
        return 0;
}

static int write_all(FILE *f, const TarEntry *entry)
{
        const char *name = entry->real_size > 0 ? "GNUSparseFile.0/file" : entry->path;
        const char *target = entry->target ?: "";
        Block block = { .type = entry->type };
        int r = write_records(f, entry);

        if (r < 0)
                return r;
        if (strlen(name) > NAME_SIZE)
                write_extra(f, 'L', "././@LongLink", name, strlen(name) + 1);
        if (strlen(target) > NAME_SIZE)
                write_extra(f, 'K', "././@LongLink", target, strlen(target) + 1);
        put_name(block.name, name);
        put_name(block.target, target);
        put_number(block.mode, sizeof(block.mode), entry->mode);
        put_number(block.uid, sizeof(block.uid), entry->uid);
        put_number(block.gid, sizeof(block.gid), entry->gid);
        put_number(block.size, sizeof(block.size), entry->size);
        put_number(block.mtime, sizeof(block.mtime),
                   entry->mtime_sec > 0 ? (uint64_t) entry->mtime_sec : 0);
        put_number(block.major, sizeof(block.major), entry->major);
        put_number(block.minor, sizeof(block.minor), entry->minor);
        write_block(f, &block);
        return 0;
}

int tar_header(const TarEntry *entry, char **ret_data, size_t *ret_size)
{
        _cleanup_free_ char *data = NULL;
        size_t size;
        FILE *f;
        int r;

        if (!*entry->path)
                return -EINVAL;
        f = open_memstream(&data, &size);
        if (!f)
                return -ENOMEM;
        r = write_all(f, entry);
        if (fclose(f) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret_data = TAKE(data);
        *ret_size = size;
        return 0;
}
