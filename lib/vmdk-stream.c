/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stream-optimised VMDKs (see vmdk-stream.h). All numbers on disk are little-endian, places are in sectors.
 */
#include "vmdk-stream.h"

#include "cleanup.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
        SECTOR = 512,
        TABLE_GRAINS = 512,
        OVERHEAD_SECTORS = 128, /* before the first grain */
        DESCRIPTOR_SECTORS = 20,
        MARKER_HEAD = 12, /* of a grain: its sector, its size */
        DEFLATED_MAX = VMDK_GRAIN_BYTES + 1024, /* more than deflateBound() of a grain */
        DEFLATE_LEVEL = 1, /* the network is seldom slower than the next level */

        MARKER_TABLE = 1,
        MARKER_DIRECTORY = 2,
        MARKER_FOOTER = 3,

        FLAG_NEWLINES = 1,
        FLAG_COMPRESSED = 1 << 16,
        FLAG_MARKERS = 1 << 17,
};

#define TABLE_BYTES \
        ((uint64_t) TABLE_GRAINS * VMDK_GRAIN_BYTES) /* of the disk, that a table describes */
#define DIRECTORY_AT_END UINT64_MAX

typedef struct __attribute__((packed)) Header {
        uint32_t magic, version, flags;
        uint64_t capacity, grain_size, descriptor_at, descriptor_size;
        uint32_t table_grains;
        uint64_t spare_directory_at, directory_at, overhead;
        uint8_t is_unclean;
        char newlines[4];
        uint16_t compression;
        uint8_t pad[433];
} Header;
_Static_assert(sizeof(Header) == SECTOR, "the header is a sector");

typedef struct __attribute__((packed)) Marker {
        uint64_t value;
        uint32_t size, type;
        uint8_t pad[496];
} Marker;
_Static_assert(sizeof(Marker) == SECTOR, "a marker is a sector");

typedef enum Phase {
        PHASE_HEADER,
        PHASE_GRAINS,
        PHASE_DIRECTORY,
        PHASE_END,
} Phase;

struct VmdkStream {
        const VmdkSource *source;
        const char *adapter;
        uint64_t capacity;
        Phase phase;
        z_stream z;
        bool has_z;

        uint64_t position; /* in the disk */
        uint64_t start, end; /* the stretch that the source told of last; position is before its end */
        uint64_t sector; /* in the file: where the next thing goes */

        uint32_t table[TABLE_GRAINS]; /* of the grains around position */
        bool table_is_used;
        uint64_t table_index;
        uint32_t *directory;
        size_t n_tables;

        uint8_t *batch; /* what was read */
        uint8_t *out; /* what was made of it, and not fetched: from out_at to out_end */
        size_t out_at, out_end, out_size;
};

/* What one step may make: a batch of grains, one table before it; or the directory, which may be larger. */
static size_t out_size(size_t n_tables)
{
        size_t grains = (size_t) VMDK_BATCH_BYTES / VMDK_GRAIN_BYTES *
                        (MARKER_HEAD + DEFLATED_MAX + SECTOR);
        size_t directory = n_tables * sizeof(uint32_t) + (size_t) 8 * SECTOR;
        size_t table = TABLE_GRAINS * sizeof(uint32_t) + SECTOR;

        return (grains > directory ? grains : directory) + table +
               (size_t) OVERHEAD_SECTORS * SECTOR;
}

int vmdk_stream_new(const VmdkSource *source, uint64_t capacity_bytes, const char *adapter,
                    VmdkStream **ret_stream)
{
        CLEANUP(vmdk_stream_free_p) VmdkStream *stream = NULL;

        if (capacity_bytes == 0 || capacity_bytes % SECTOR != 0)
                return -EINVAL;
        if (capacity_bytes > VMDK_CAPACITY_MAX)
                return -EFBIG;
        stream = calloc(1, sizeof(VmdkStream));
        if (!stream)
                return -ENOMEM;
        stream->source = source;
        stream->adapter = adapter;
        stream->capacity = capacity_bytes;
        stream->n_tables = (size_t) ((capacity_bytes + TABLE_BYTES - 1) / TABLE_BYTES);
        stream->directory = calloc(stream->n_tables, sizeof(uint32_t));
        stream->batch = malloc(VMDK_BATCH_BYTES);
        stream->out_size = out_size(stream->n_tables);
        stream->out = malloc(stream->out_size);
        if (!stream->directory || !stream->batch || !stream->out ||
            deflateInit(&stream->z, DEFLATE_LEVEL) != Z_OK)
                return -ENOMEM;
        stream->has_z = true;
        *ret_stream = TAKE(stream);
        return 0;
}

VmdkStream *vmdk_stream_free(VmdkStream *stream)
{
        if (!stream)
                return NULL;
        if (stream->has_z)
                (void) deflateEnd(&stream->z);
        free(stream->directory);
        free(stream->batch);
        free(stream->out);
        free(stream);
        return NULL;
}

uint64_t vmdk_stream_position(const VmdkStream *stream)
{
        return stream->position;
}

/* Puts whole sectors behind what is there; the rest of the last one is zeroes. */
static void put(VmdkStream *stream, const void *data, size_t size)
{
        size_t padded = (size + SECTOR - 1) / SECTOR * SECTOR;

        (void) memcpy(stream->out + stream->out_end, data, size);
        (void) memset(stream->out + stream->out_end + size, 0, padded - size);
        stream->out_end += padded;
        stream->sector += padded / SECTOR;
}

static void put_marker(VmdkStream *stream, uint64_t n_sectors, uint32_t type)
{
        const Marker marker = { .value = htole64(n_sectors), .type = htole32(type) };

        put(stream, &marker, sizeof(marker));
}

static void put_header(VmdkStream *stream, uint64_t directory_at)
{
        const Header header = {
                .magic = htole32(0x564d444b),
                .version = htole32(3),
                .flags = htole32(FLAG_NEWLINES | FLAG_COMPRESSED | FLAG_MARKERS),
                .capacity = htole64(stream->capacity / SECTOR),
                .grain_size = htole64(VMDK_GRAIN_BYTES / SECTOR),
                .descriptor_at = htole64(1),
                .descriptor_size = htole64(DESCRIPTOR_SECTORS),
                .table_grains = htole32(TABLE_GRAINS),
                .directory_at = htole64(directory_at),
                .overhead = htole64(OVERHEAD_SECTORS),
                .newlines = { '\n', ' ', '\r', '\n' },
                .compression = htole16(1),
        };

        put(stream, &header, sizeof(header));
}

/* What a BIOS would be told of a disk of that size: on IDE always the same, on SCSI as its controllers do. */
static void put_geometry(char *text, size_t size, const char *adapter, uint64_t sectors)
{
        static const struct {
                uint64_t below;
                unsigned heads, tracks;
        } scsi[] = {
                { UINT64_C(1) << 21, 64, 32 },
                { UINT64_C(1) << 22, 128, 32 },
                { UINT64_MAX, 255, 63 },
        };
        unsigned heads = 16, tracks = 63;
        uint64_t cylinders;

        if (strcmp(adapter, "ide") != 0)
                for (size_t i = ELEMENTSOF(scsi); i > 0; i--)
                        if (sectors < scsi[i - 1].below) {
                                heads = scsi[i - 1].heads;
                                tracks = scsi[i - 1].tracks;
                        }
        cylinders = sectors / ((uint64_t) heads * tracks);
        if (strcmp(adapter, "ide") == 0 && cylinders > 16383)
                cylinders = 16383;
        (void) snprintf(text, size,
                        "ddb.geometry.cylinders = \"%llu\"\nddb.geometry.heads = \"%u\"\n"
                        "ddb.geometry.sectors = \"%u\"\n",
                        (unsigned long long) (cylinders > 0 ? cylinders : 1), heads, tracks);
}

static void make_header(VmdkStream *stream)
{
        char text[DESCRIPTOR_SECTORS * SECTOR] = "", geometry[256];
        static const uint8_t rest[(OVERHEAD_SECTORS - 1 - DESCRIPTOR_SECTORS) * SECTOR];

        put_geometry(geometry, sizeof(geometry), stream->adapter, stream->capacity / SECTOR);
        (void) snprintf(text, sizeof(text),
                        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
                        "createType=\"streamOptimized\"\n\n# Extent description\n"
                        "RW %llu SPARSE \"disk.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n"
                        "ddb.virtualHWVersion = \"4\"\n%sddb.adapterType = \"%s\"\n",
                        (unsigned long long) (stream->capacity / SECTOR), geometry,
                        stream->adapter);
        put_header(stream, DIRECTORY_AT_END);
        put(stream, text, sizeof(text));
        put(stream, rest, sizeof(rest));
        stream->phase = PHASE_GRAINS;
}

/* A table without grains is not in the file. */
static void make_table(VmdkStream *stream)
{
        if (!stream->table_is_used)
                return;
        put_marker(stream, sizeof(stream->table) / SECTOR, MARKER_TABLE);
        stream->directory[stream->table_index] = htole32((uint32_t) stream->sector);
        put(stream, stream->table, sizeof(stream->table));
        (void) memset(stream->table, 0, sizeof(stream->table));
        stream->table_is_used = false;
}

static bool is_zero(const uint8_t *data, size_t size)
{
        return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

/* data has a whole grain; what is behind the end of the disk is zeroes. */
static int make_grain(VmdkStream *stream, uint64_t offset, uint8_t *data)
{
        uint8_t *at = stream->out + stream->out_end;
        uint64_t sector = htole64(offset / SECTOR);
        uint32_t size;
        size_t whole;

        if (stream->sector > UINT32_MAX - 2 * DEFLATED_MAX / SECTOR - 2 * TABLE_GRAINS)
                return -EFBIG;
        stream->z.next_in = data;
        stream->z.avail_in = VMDK_GRAIN_BYTES;
        stream->z.next_out = at + MARKER_HEAD;
        stream->z.avail_out = DEFLATED_MAX;
        if (deflateReset(&stream->z) != Z_OK || deflate(&stream->z, Z_FINISH) != Z_STREAM_END)
                return -EIO;
        size = DEFLATED_MAX - stream->z.avail_out;
        whole = MARKER_HEAD + (size_t) size;
        size = htole32(size);
        (void) memcpy(at, &sector, sizeof(sector));
        (void) memcpy(at + sizeof(sector), &size, sizeof(size));
        stream->table[offset % TABLE_BYTES / VMDK_GRAIN_BYTES] = htole32((uint32_t) stream->sector);
        stream->table_is_used = true;
        (void) memset(at + whole, 0, SECTOR);
        stream->out_end += (whole + SECTOR - 1) / SECTOR * SECTOR;
        stream->sector += (whole + SECTOR - 1) / SECTOR;
        return 0;
}

/* Where the next batch begins: at a grain of the stretch that holds something. */
static int find_next(VmdkStream *stream)
{
        uint64_t start = stream->start, end = stream->end;
        int r = 0;

        while (r >= 0 && stream->position < stream->capacity && stream->position >= end) {
                r = stream->source->find(stream->source->userdata, stream->position, &start, &end);
                if (r >= 0 &&
                    (start < stream->position || (end <= start && start < stream->capacity)))
                        r = -EIO;
                if (r >= 0 && start >= stream->capacity)
                        stream->position = stream->capacity;
        }
        if (r < 0)
                return r;
        stream->start = start;
        stream->end = end;
        if (stream->position < stream->capacity && start > stream->position)
                stream->position = start - start % VMDK_GRAIN_BYTES;
        return 0;
}

/* At most one batch, which does not reach over the end of a table. */
static int make_grains(VmdkStream *stream)
{
        uint64_t end, index;
        size_t length, padded;
        int r;

        r = find_next(stream);
        if (r < 0)
                return r;
        index = stream->position / TABLE_BYTES;
        if (index != stream->table_index || stream->position >= stream->capacity) {
                make_table(stream);
                stream->table_index = index;
        }
        if (stream->position >= stream->capacity) {
                stream->phase = PHASE_DIRECTORY;
                return 0;
        }
        end = stream->end + VMDK_GRAIN_BYTES - 1;
        end -= end % VMDK_GRAIN_BYTES;
        end = end > (index + 1) * TABLE_BYTES ? (index + 1) * TABLE_BYTES : end;
        end = end > stream->position + VMDK_BATCH_BYTES ? stream->position + VMDK_BATCH_BYTES : end;
        end = end > stream->capacity ? stream->capacity : end;
        length = (size_t) (end - stream->position);
        padded = (length + VMDK_GRAIN_BYTES - 1) / VMDK_GRAIN_BYTES * VMDK_GRAIN_BYTES;
        r = stream->source->read(stream->source->userdata, stream->position, stream->batch, length);
        (void) memset(stream->batch + length, 0, padded - length);
        for (size_t at = 0; r >= 0 && at < padded; at += VMDK_GRAIN_BYTES)
                if (!is_zero(stream->batch + at, VMDK_GRAIN_BYTES))
                        r = make_grain(stream, stream->position + at, stream->batch + at);
        if (r >= 0)
                stream->position = end;
        return r;
}

static void make_directory(VmdkStream *stream)
{
        size_t size = stream->n_tables * sizeof(uint32_t);
        uint64_t directory_at;

        put_marker(stream, (size + SECTOR - 1) / SECTOR, MARKER_DIRECTORY);
        directory_at = stream->sector;
        put(stream, stream->directory, size);
        put_marker(stream, 1, MARKER_FOOTER);
        put_header(stream, directory_at);
        put_marker(stream, 0, 0); /* the end of the stream */
        stream->phase = PHASE_END;
}

int vmdk_stream_read(VmdkStream *stream, void *data, size_t size, size_t *ret_size)
{
        size_t n;
        int r = 0;

        if (stream->out_at == stream->out_end)
                stream->out_at = stream->out_end = 0;
        while (r >= 0 && stream->out_end == 0 && stream->phase != PHASE_END) {
                if (stream->phase == PHASE_HEADER)
                        make_header(stream);
                else if (stream->phase == PHASE_GRAINS)
                        r = make_grains(stream);
                else
                        make_directory(stream);
        }
        if (r < 0)
                return r;
        n = stream->out_end - stream->out_at;
        n = n > size ? size : n;
        (void) memcpy(data, stream->out + stream->out_at, n);
        stream->out_at += n;
        *ret_size = n;
        return 0;
}
