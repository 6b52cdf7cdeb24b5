/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of an image (see layer-map.h; the format is described by qemu's docs/interop/qcow2.txt). All entries are
 * looked at when it is opened, so that nothing odd is met later.
 */
#include "layer-map.h"

#include "cleanup.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
        CLUSTER_BITS_MIN = 9,
        CLUSTER_BITS_MAX = 21,
        N_SUBCLUSTERS = 32,
        ALIGNMENT = 4096, /* enough for any disk */
        TABLES_MAX = 32 * 1024 * 1024 / 8, /* qemu's own limit */
        LOCK_READS = 100, /* held by whoever reads, and by whoever writes */
        LOCK_WRITES = 101,
        LOCK_SHARES_NO_READS = 200, /* held by whoever bears no reader, and no writer */
        LOCK_SHARES_NO_WRITES = 201,
};

#define ENTRY_OFFSET     UINT64_C(0x00fffffffffffe00)
#define ENTRY_ZERO       UINT64_C(1)
#define ENTRY_COMPRESSED (UINT64_C(1) << 62)

static uint64_t cluster_bytes(const LayerMap *map)
{
        return UINT64_C(1) << map->cluster_bits;
}

static size_t entry_words(const LayerMap *map)
{
        return map->is_extended ? 2 : 1;
}

static int lock_byte(int fd, off_t at)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static bool is_locked(int fd, off_t at)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

        return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* Nobody writes to it, nor will while it is open. */
static int lock_image(int fd)
{
        return lock_byte(fd, LOCK_READS) < 0 || lock_byte(fd, LOCK_SHARES_NO_WRITES) < 0 ||
                                               is_locked(fd, LOCK_WRITES) ||
                                               is_locked(fd, LOCK_SHARES_NO_READS)
                               ? -EOPNOTSUPP
                               : 0;
}

static int read_all(int fd, void *data, size_t length, uint64_t offset)
{
        uint8_t *bytes = data;

        while (length > 0) {
                ssize_t n = pread(fd, bytes, length, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return -EOPNOTSUPP;
                bytes += n;
                length -= (size_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

static int read_header(LayerMap *map, Qcow2Header *header)
{
        uint8_t data[QCOW2_HEADER_BYTES];
        struct stat st;
        ssize_t n;

        n = pread(map->fd, data, sizeof(data), 0);
        if (n < 0 || fstat(map->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
            qcow2_header_parse(data, (size_t) n, header) < 0)
                return -EOPNOTSUPP;
        if (header->version != 3 || header->encryption != 0 || header->n_snapshots != 0 ||
            (header->features & ~QCOW2_FEATURE_EXTENDED_L2) != 0 ||
            header->cluster_bits < CLUSTER_BITS_MIN || header->cluster_bits > CLUSTER_BITS_MAX)
                return -EOPNOTSUPP;
        map->virtual_bytes = header->virtual_bytes;
        map->cluster_bits = header->cluster_bits;
        map->is_extended = header->features & QCOW2_FEATURE_EXTENDED_L2;
        map->table_clusters = cluster_bytes(map) / sizeof(uint64_t) / entry_words(map);
        map->n_tables = 1 + (map->virtual_bytes >> map->cluster_bits) / map->table_clusters;
        return map->n_tables > TABLES_MAX || header->n_tables > map->n_tables ? -EOPNOTSUPP : 0;
}

/* The entry goes with the format, and nothing of it lies where the file has nothing. */
static bool is_plain(const LayerMap *map, const uint64_t *entry, uint64_t file_bytes)
{
        uint64_t offset = entry[0] & ENTRY_OFFSET;
        uint32_t held = 0, zero = 0;

        if (entry[0] & ENTRY_COMPRESSED || offset % cluster_bytes(map) != 0)
                return false;
        if (map->is_extended) {
                held = (uint32_t) entry[1];
                zero = (uint32_t) (entry[1] >> 32);
                if (entry[0] & ENTRY_ZERO || (held & zero) != 0 || (held != 0 && offset == 0))
                        return false;
        }
        return offset == 0 || offset < file_bytes;
}

static int read_table(LayerMap *map, uint64_t index, uint64_t offset, uint64_t file_bytes)
{
        uint64_t *table = malloc(cluster_bytes(map));
        int r;

        map->tables[index] = table;
        if (!table)
                return -ENOMEM;
        r = read_all(map->fd, table, cluster_bytes(map), offset);
        if (r < 0)
                return r;
        for (size_t i = 0; i < cluster_bytes(map) / sizeof(*table); i++)
                table[i] = be64toh(table[i]);
        for (uint64_t i = 0; i < map->table_clusters; i++)
                if (!is_plain(map, table + i * entry_words(map), file_bytes))
                        return -EOPNOTSUPP;
        return 0;
}

static int read_tables(LayerMap *map, const Qcow2Header *header, uint64_t *bytes_left)
{
        _cleanup_free_ uint64_t *list = NULL;
        struct stat st;
        int r = 0;

        map->tables = calloc(map->n_tables, sizeof(*map->tables));
        list = calloc(header->n_tables + (size_t) 1, sizeof(*list));
        if (!map->tables || !list)
                return -ENOMEM;
        if (fstat(map->fd, &st) < 0)
                return -EOPNOTSUPP;
        r = read_all(map->fd, list, header->n_tables * sizeof(*list), header->tables_offset);
        for (uint64_t i = 0; i < header->n_tables && r >= 0; i++) {
                uint64_t offset = be64toh(list[i]) & ENTRY_OFFSET;

                if (offset == 0)
                        continue;
                if (offset % cluster_bytes(map) != 0 || *bytes_left < cluster_bytes(map))
                        return -EOPNOTSUPP;
                *bytes_left -= cluster_bytes(map);
                r = read_table(map, i, offset, (uint64_t) st.st_size);
        }
        return r;
}

int layer_map_open(LayerMap *map, int folder, const char *name, uint64_t *bytes_left,
                   Qcow2Header *ret_header)
{
        int r;

        *map = (LayerMap){ .fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW),
                           .direct_fd = -1 };
        r = map->fd < 0 ? -EOPNOTSUPP : lock_image(map->fd);
        if (r >= 0)
                r = read_header(map, ret_header);
        if (r >= 0)
                r = read_tables(map, ret_header, bytes_left);
        if (r < 0) {
                layer_map_done(map);
                return r;
        }
        /* Past the kernel's cache where the file system can do that: it is read once. */
        map->direct_fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECT);
        return 0;
}

void layer_map_done(LayerMap *map)
{
        for (uint64_t i = 0; map->tables && i < map->n_tables; i++)
                free(map->tables[i]);
        free(map->tables);
        cleanup_close_p(&map->direct_fd);
        cleanup_close_p(&map->fd);
        *map = (LayerMap){ .fd = -1, .direct_fd = -1 };
}

static LayerRun find_in_cluster(const LayerMap *map, const uint64_t *entry, uint64_t within)
{
        uint64_t offset = entry[0] & ENTRY_OFFSET;
        RunKind kind = entry[0] & ENTRY_ZERO ? RUN_ZEROES : offset != 0 ? RUN_DATA : RUN_NOTHING;

        return (LayerRun){ .kind = kind,
                           .length = cluster_bytes(map) - within,
                           .file_offset = offset + within };
}

static RunKind subcluster_kind(uint64_t bitmap, unsigned i)
{
        return bitmap >> (i + N_SUBCLUSTERS) & 1 ? RUN_ZEROES
               : bitmap >> i & 1                 ? RUN_DATA
                                                 : RUN_NOTHING;
}

static LayerRun find_in_subclusters(const LayerMap *map, const uint64_t *entry, uint64_t within)
{
        uint64_t bytes = cluster_bytes(map) / N_SUBCLUSTERS;
        unsigned i = (unsigned) (within / bytes);
        LayerRun run = { .kind = subcluster_kind(entry[1], i),
                         .file_offset = (entry[0] & ENTRY_OFFSET) + within };

        do
                i++;
        while (i < N_SUBCLUSTERS && subcluster_kind(entry[1], i) == run.kind);
        run.length = i * bytes - within;
        return run;
}

LayerRun layer_map_find(const LayerMap *map, uint64_t offset)
{
        uint64_t cluster = offset >> map->cluster_bits, within = offset % cluster_bytes(map);
        const uint64_t *table, *entry;
        LayerRun run;

        if (offset >= map->virtual_bytes)
                return (LayerRun){ .kind = RUN_ZEROES, .length = UINT64_MAX - offset };
        table = map->tables[cluster / map->table_clusters];
        if (!table) {
                uint64_t end = (cluster / map->table_clusters + 1) * map->table_clusters;

                run = (LayerRun){ .kind = RUN_NOTHING,
                                  .length = (end << map->cluster_bits) - offset };
        } else {
                entry = table + cluster % map->table_clusters * entry_words(map);
                run = map->is_extended ? find_in_subclusters(map, entry, within)
                                       : find_in_cluster(map, entry, within);
        }
        if (run.length > map->virtual_bytes - offset)
                run.length = map->virtual_bytes - offset;
        return run;
}

int layer_map_read(const LayerMap *map, void *data, size_t length, uint64_t file_offset)
{
        bool direct = map->direct_fd >= 0 &&
                      ((uintptr_t) data | length | file_offset) % ALIGNMENT == 0;
        uint8_t *bytes = data;

        while (length > 0) {
                ssize_t n = pread(direct ? map->direct_fd : map->fd, bytes, length,
                                  (off_t) file_offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EINVAL && direct) {
                        direct = false; /* this file system says it only now */
                        continue;
                }
                if (n < 0)
                        return -errno;
                if (n == 0) {
                        memset(bytes, 0, length);
                        break;
                }
                bytes += n;
                length -= (size_t) n;
                file_offset += (uint64_t) n;
                direct = direct && n % ALIGNMENT == 0;
        }
        return 0;
}
