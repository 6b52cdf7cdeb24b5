/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/vmdk-stream by itself: `vmdk-write RAW ADAPTER [PIECE]` writes the raw image to stdout as a stream-optimised VMDK, fetched in
 * pieces of that many bytes. Holes of the file are holes to it. On stderr: how many bytes of the source were read.
 */
#include "cleanup.h"
#include "vmdk-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

typedef struct Raw {
        int fd;
        uint64_t size, bytes_read;
} Raw;

static int find(void *userdata, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end)
{
        const Raw *raw = userdata;
        off_t start = lseek(raw->fd, (off_t) offset, SEEK_DATA);
        off_t end = start < 0 ? -1 : lseek(raw->fd, start, SEEK_HOLE);

        if (start < 0 && errno != ENXIO)
                return -errno;
        *ret_start = start < 0 ? raw->size : (uint64_t) start;
        *ret_end = end < 0 ? raw->size : (uint64_t) end;
        return 0;
}

static int read_at(void *userdata, uint64_t offset, void *data, size_t length)
{
        Raw *raw = userdata;

        raw->bytes_read += length;
        return pread(raw->fd, data, length, (off_t) offset) == (ssize_t) length ? 0 : -EIO;
}

int main(int argc, char *argv[])
{
        CLEANUP(vmdk_stream_free_p) VmdkStream *stream = NULL;
        Raw raw = { .fd = argc > 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1 };
        const VmdkSource source = { .find = find, .read = read_at, .userdata = &raw };
        size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 65536, n = 0;
        _cleanup_free_ char *piece = malloc(size);
        struct stat st;
        int r;

        if (raw.fd < 0 || !piece || fstat(raw.fd, &st) < 0)
                return 64;
        raw.size = (uint64_t) st.st_size;
        r = vmdk_stream_new(&source, raw.size, argv[2], &stream);
        while (r >= 0) {
                r = vmdk_stream_read(stream, piece, size, &n);
                if (r < 0 || n == 0)
                        break;
                if (fwrite(piece, 1, n, stdout) != n)
                        r = -EIO;
        }
        (void) close(raw.fd);
        (void) fprintf(stderr, "%" PRIu64 " %i\n", raw.bytes_read, -r);
        return r < 0 || fflush(stdout) != 0;
}
