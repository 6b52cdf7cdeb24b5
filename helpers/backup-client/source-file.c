/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk in a plain file or a block device, for tests and for restores. Reads are done at once: a local
 * file answers from memory or from a disk that is faster than the target. Holes are zeroes.
 */
#include "source.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

typedef struct SourceFile {
        Source source;
        const char *path; /* borrowed */
        int fd;
} SourceFile;

static int file_open(Source *source, SourceAnswer answer, void *userdata)
{
        SourceFile *file = (SourceFile *) source;
        struct stat st = {};
        off_t size;
        int r = 0;

        file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (file->fd < 0 || fstat(file->fd, &st) < 0)
                r = source_fail(source, -errno, "%s: %s", file->path, strerror(errno));
        else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
                r = source_fail(source, -EINVAL, "%s is neither a file nor a block device",
                                file->path);
        if (r >= 0) {
                size = lseek(file->fd, 0, SEEK_END);
                if (size < 0)
                        r = source_fail(source, -errno, "%s: %s", file->path, strerror(errno));
                else
                        source->size_bytes = (uint64_t) size;
                source->knows_extents = S_ISREG(st.st_mode);
        }
        answer(userdata, r);
        return 0;
}

static int file_read(Source *source, void *buffer, size_t length, uint64_t offset,
                     SourceAnswer answer, void *userdata)
{
        SourceFile *file = (SourceFile *) source;
        char *to = buffer;
        int r = 0;

        while (length > 0 && r >= 0) {
                ssize_t n = pread(file->fd, to, length, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        r = source_fail(source, -errno, "%s: %s", file->path, strerror(errno));
                else if (n == 0)
                        r = source_fail(source, -EIO, "%s is shorter than it was", file->path);
                else {
                        to += n;
                        offset += (uint64_t) n;
                        length -= (size_t) n;
                }
        }
        answer(userdata, r);
        return 0;
}

static int file_ask_extents(Source *source, uint64_t offset, uint64_t length, Extents *extents,
                            SourceAnswer answer, void *userdata)
{
        SourceFile *file = (SourceFile *) source;
        uint64_t end = offset + length;
        int r = 1;

        while (offset < end && r > 0) {
                off_t data = lseek(file->fd, (off_t) offset, SEEK_DATA);
                off_t hole = data < 0 ? -1 : lseek(file->fd, data, SEEK_HOLE);

                if (data < 0 && errno != ENXIO) {
                        r = source_fail(source, -errno, "%s: %s", file->path, strerror(errno));
                        break;
                }
                if (data < 0 || (uint64_t) data > end)
                        data = (off_t) end;
                r = extents_add(extents, (uint64_t) data - offset, true);
                offset = (uint64_t) data;
                if (r <= 0 || offset >= end)
                        break;
                if (hole < 0 || (uint64_t) hole > end)
                        hole = (off_t) end;
                r = extents_add(extents, (uint64_t) hole - offset, false);
                offset = (uint64_t) hole;
        }
        answer(userdata, r < 0 ? r : 0);
        return 0;
}

static size_t file_poll(Source *source, struct pollfd fds[static SOURCE_FDS_MAX],
                        uint64_t *deadline_usec)
{
        (void) source;
        (void) fds;
        (void) deadline_usec;
        return 0;
}

static void file_dispatch(Source *source, const struct pollfd *fds, size_t n_fds)
{
        (void) source;
        (void) fds;
        (void) n_fds;
}

static void file_close(Source *source)
{
        SourceFile *file = (SourceFile *) source;

        cleanup_close_p(&file->fd);
        file->fd = -1;
}

static void file_free(Source *source)
{
        free(source);
}

static const SourceOps file_ops = {
        .kind = "file",
        .open = file_open,
        .read = file_read,
        .ask_extents = file_ask_extents,
        .poll = file_poll,
        .dispatch = file_dispatch,
        .close = file_close,
        .free = file_free,
};

int source_file_new(const char *path, Source **ret_source)
{
        SourceFile *file = malloc(sizeof(*file));

        if (!file)
                return -ENOMEM;
        *file = (SourceFile){
                .source = { .ops = &file_ops, .n_reads = 4, .read_bytes = SOURCE_READ_BYTES_USUAL },
                .path = path,
                .fd = -1,
        };
        *ret_source = (Source *) file;
        return 0;
}
