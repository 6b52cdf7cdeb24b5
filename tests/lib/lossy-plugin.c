/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An nbdkit plugin that is a disk with a write cache and no battery: what was not flushed is lost when
 * its process is killed. tests/lib/lossy-disk starts it below a file system; nothing else uses it.
 *
 * Unflushed writes live in a log beside the disk's file, one record for each 4 KiB block written, and
 * reach the file only by a flush. Killing the process is the power cut. The next start decides what the
 * cut left of the log: nothing, or a random part of its blocks, in which an earlier version of a block
 * may win over a later one, because a disk writes its cache back in any order. A write with FUA is in
 * the log as well, but is always kept.
 */
#define NBDKIT_API_VERSION 2

#include <nbdkit-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One request at a time: a test disk has to be right, not fast. */
#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

#define BLOCK         4096
#define DISK_SIZE_MAX (UINT64_C(64) << 30)

typedef struct Record {
        uint64_t block;
        uint64_t durable;
        uint8_t data[BLOCK];
} Record;

static char *arg_file, *arg_log;
static unsigned arg_keep; /* percent */
static uint64_t arg_seed;

static int disk_fd = -1, log_fd = -1;
static uint64_t disk_size;
static uint64_t n_records;
/* For each block the number of its newest record, counted from 1; 0 when the disk's file has it. */
static uint64_t *newest;

static int read_fully(int fd, void *buffer, size_t size, uint64_t offset)
{
        while (size > 0) {
                ssize_t n = pread(fd, buffer, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        nbdkit_error("cannot read %zu bytes at %" PRIu64 ": %s", size, offset,
                                     n < 0 ? strerror(errno) : "the file ends there");
                        return -1;
                }
                buffer = (uint8_t *) buffer + n;
                size -= (size_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

static int write_fully(int fd, const void *buffer, size_t size, uint64_t offset)
{
        while (size > 0) {
                ssize_t n = pwrite(fd, buffer, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        nbdkit_error("cannot write %zu bytes at %" PRIu64 ": %s", size, offset,
                                     strerror(errno));
                        return -1;
                }
                buffer = (const uint8_t *) buffer + n;
                size -= (size_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

static int block_read(uint64_t block, uint8_t *data)
{
        uint64_t number = newest[block];

        if (number == 0)
                return read_fully(disk_fd, data, BLOCK, block * BLOCK);
        return read_fully(log_fd, data, BLOCK,
                          (number - 1) * sizeof(Record) + offsetof(Record, data));
}

static int record_append(const Record *record)
{
        if (write_fully(log_fd, record, sizeof(*record), n_records * sizeof(*record)) < 0)
                return -1;
        newest[record->block] = ++n_records;
        return 0;
}

/* splitmix64: the same seed gives the same loss on every machine. */
static uint64_t random_next(uint64_t *state)
{
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* Writes the log's records into the disk's file in their order, with `keep` percent of those that are
 * not durable, and empties the log. A record that the cut left half written never counted. */
static int log_settle(unsigned keep, uint64_t seed)
{
        uint64_t state = seed, n_kept = 0;
        Record record;

        for (uint64_t i = 0; i < n_records; i++) {
                if (read_fully(log_fd, &record, sizeof(record), i * sizeof(record)) < 0)
                        return -1;
                if (record.block >= disk_size / BLOCK) {
                        nbdkit_error("%s is damaged at record %" PRIu64, arg_log, i);
                        return -1;
                }
                newest[record.block] = 0;
                if (!record.durable && (random_next(&state) >> 32) % 100 >= keep)
                        continue;
                if (write_fully(disk_fd, record.data, BLOCK, record.block * BLOCK) < 0)
                        return -1;
                n_kept++;
        }
        if (ftruncate(log_fd, 0) < 0) {
                nbdkit_error("cannot empty %s: %s", arg_log, strerror(errno));
                return -1;
        }
        nbdkit_debug("lossy: kept %" PRIu64 " of %" PRIu64 " unflushed blocks", n_kept, n_records);
        n_records = 0;
        return 0;
}

static int lossy_config(const char *key, const char *value)
{
        int64_t seed;

        if (strcmp(key, "file") == 0)
                return (arg_file = nbdkit_realpath(value)) ? 0 : -1;
        if (strcmp(key, "log") == 0)
                return (arg_log = nbdkit_absolute_path(value)) ? 0 : -1;
        if (strcmp(key, "keep") == 0) {
                if (nbdkit_parse_unsigned("keep", value, &arg_keep) < 0)
                        return -1;
                if (arg_keep <= 100)
                        return 0;
                nbdkit_error("keep=%s: must be a percentage, 0 to 100", value);
                return -1;
        }
        if (strcmp(key, "seed") == 0) {
                if (nbdkit_parse_int64_t("seed", value, &seed) < 0)
                        return -1;
                arg_seed = (uint64_t) seed;
                return 0;
        }
        nbdkit_error("unknown parameter '%s'", key);
        return -1;
}

static int lossy_config_complete(void)
{
        if (arg_file && arg_log)
                return 0;
        nbdkit_error("file=DISK and log=FILE are needed");
        return -1;
}

static int disk_open(void)
{
        struct stat st;

        disk_fd = open(arg_file, O_RDWR | O_CLOEXEC);
        if (disk_fd < 0 || fstat(disk_fd, &st) < 0) {
                nbdkit_error("cannot open %s: %s", arg_file, strerror(errno));
                return -1;
        }
        disk_size = (uint64_t) st.st_size;
        if (disk_size > 0 && disk_size % BLOCK == 0 && disk_size <= DISK_SIZE_MAX)
                return 0;
        nbdkit_error("%s has %" PRIu64 " bytes: must be a multiple of %d, and at most %" PRIu64,
                     arg_file, disk_size, BLOCK, DISK_SIZE_MAX);
        return -1;
}

static int lossy_get_ready(void)
{
        struct stat st;

        if (disk_open() < 0)
                return -1;
        newest = mmap(NULL, disk_size / BLOCK * sizeof(*newest), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (newest == MAP_FAILED) {
                nbdkit_error("no memory: %s", strerror(errno));
                return -1;
        }
        log_fd = open(arg_log, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (log_fd < 0 || fstat(log_fd, &st) < 0) {
                nbdkit_error("cannot open %s: %s", arg_log, strerror(errno));
                return -1;
        }
        n_records = (uint64_t) st.st_size / sizeof(Record);
        return log_settle(arg_keep, arg_seed);
}

static void *lossy_open(int readonly)
{
        (void) readonly;
        return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t lossy_get_size(void *handle)
{
        (void) handle;
        return (int64_t) disk_size;
}

/* There is one cache for all connections, so a flush on any of them flushes all. */
static int lossy_can_multi_conn(void *handle)
{
        (void) handle;
        return 1;
}

static int lossy_can_fua(void *handle)
{
        (void) handle;
        return NBDKIT_FUA_NATIVE;
}

static int lossy_pread(void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags)
{
        uint8_t data[BLOCK];

        (void) handle;
        (void) flags;
        while (count > 0) {
                uint32_t at = (uint32_t) (offset % BLOCK);
                uint32_t n = BLOCK - at < count ? BLOCK - at : count;

                if (block_read(offset / BLOCK, data) < 0)
                        return -1;
                memcpy(buffer, data + at, n);
                buffer = (uint8_t *) buffer + n;
                offset += n;
                count -= n;
        }
        return 0;
}

static int lossy_pwrite(void *handle, const void *buffer, uint32_t count, uint64_t offset,
                        uint32_t flags)
{
        Record record;

        (void) handle;
        while (count > 0) {
                uint32_t at = (uint32_t) (offset % BLOCK);
                uint32_t n = BLOCK - at < count ? BLOCK - at : count;

                record.block = offset / BLOCK;
                record.durable = (flags & NBDKIT_FLAG_FUA) != 0;
                if (n < BLOCK && block_read(record.block, record.data) < 0)
                        return -1;
                memcpy(record.data + at, buffer, n);
                if (record_append(&record) < 0)
                        return -1;
                buffer = (const uint8_t *) buffer + n;
                offset += n;
                count -= n;
        }
        return 0;
}

/* The host keeps its power, so the page cache under the disk's file is durable enough. */
static int lossy_flush(void *handle, uint32_t flags)
{
        (void) handle;
        (void) flags;
        return log_settle(100, 0);
}

static struct nbdkit_plugin plugin = {
        .name = "lossy",
        .longname = "disk that loses what was not flushed",
        .config = lossy_config,
        .config_complete = lossy_config_complete,
        .config_help = "file=DISK  (required) the disk's content\n"
                       "log=FILE   (required) where unflushed writes are\n"
                       "keep=N     percent of the unflushed blocks that the last power cut spared\n"
                       "seed=N     which of them",
        .get_ready = lossy_get_ready,
        .open = lossy_open,
        .get_size = lossy_get_size,
        .can_multi_conn = lossy_can_multi_conn,
        .can_fua = lossy_can_fua,
        .pread = lossy_pread,
        .pwrite = lossy_pwrite,
        .flush = lossy_flush,
};

/* The macro defines it without declaring it first, which clang minds. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
