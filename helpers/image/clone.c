/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cloning and copying (see clone.h).
 */
#include "clone.h"

#include "cleanup.h"
#include "fault-point.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum {
        COPY_BYTES = 1024 * 1024, /* at a time, where the kernel does not copy by itself */
};

#define KERNEL_COPY_BYTES ((size_t) 1 << 30)

/* One run of data, byte by byte. */
static int copy_through(int from, int to, off_t offset, off_t end)
{
        _cleanup_free_ char *data = malloc(COPY_BYTES);

        if (!data)
                return -ENOMEM;
        while (offset < end) {
                size_t want = end - offset < COPY_BYTES ? (size_t) (end - offset) : COPY_BYTES;
                ssize_t n = pread(from, data, want, offset), written = 0;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                while (written < n) {
                        ssize_t m = pwrite(to, data + written, (size_t) (n - written),
                                           offset + written);

                        if (m < 0 && errno != EINTR)
                                return -errno;
                        written += m > 0 ? m : 0;
                }
                offset += n;
        }
        return 0;
}

static int copy_range(int from, int to, off_t offset, off_t end)
{
        while (offset < end) {
                size_t want = (uint64_t) (end - offset) < KERNEL_COPY_BYTES
                                              ? (size_t) (end - offset)
                                              : KERNEL_COPY_BYTES;
                off_t in = offset, out = offset;
                ssize_t n = copy_file_range(from, &in, to, &out, want, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                /* Some file systems cannot, and say it in several ways; a real fault shows again. */
                if (n <= 0)
                        return copy_through(from, to, offset, end);
                offset += n;
        }
        return 0;
}

static int copy_data(int from, int to, off_t size)
{
        off_t end = 0;
        int r = 0;

        if (ftruncate(to, size) < 0)
                return -errno;
        while (end < size && r >= 0) {
                off_t data = lseek(from, end, SEEK_DATA);

                if (data < 0 && errno == ENXIO)
                        return 0; /* a hole until the end */
                if (data < 0) {
                        data = end;
                        end = size;
                } else
                        end = lseek(from, data, SEEK_HOLE);
                if (end < 0)
                        end = size;
                r = copy_range(from, to, data, end);
        }
        return r;
}

int clone_file(int folder, const char *from, const char *to, int *ret_fd)
{
        _cleanup_close_ int in = -1, out = -1;
        struct stat st;
        int r;

        in = openat(folder, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (in < 0 || fstat(in, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        fault_point("clone.unlink.before");
        if (unlinkat(folder, to, 0) < 0 && errno != ENOENT)
                return -errno;
        fault_point("clone.make.before");
        out = openat(folder, to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        fault_point("clone.copy.before");
        if (ioctl(out, FICLONE, in) < 0) {
                r = copy_data(in, out, st.st_size);
                if (r < 0)
                        return r;
        }
        fault_point("clone.copy.after");
        *ret_fd = take_fd(&out);
        return 0;
}
