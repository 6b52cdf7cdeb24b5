/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and durable writing of small files (see small-file.h). All steps of a write go through the
 * folder's descriptor, so that a renamed folder cannot part the file from its rename.
 */
#include "small-file.h"

#include "cleanup.h"
#include "fault-point.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static int read_fd(int fd, size_t max_size, char **ret_data, size_t *ret_size)
{
        _cleanup_free_ char *data = NULL;
        struct stat st;
        size_t size = 0;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
                return -EINVAL;

        data = malloc(max_size + 1);
        if (!data)
                return -ENOMEM;
        for (;;) {
                /* One byte more than allowed, to see that there is one. */
                ssize_t n = read(fd, data + size, max_size + 1 - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max_size)
                        return -EFBIG;
        }
        data[size] = '\0';

        *ret_data = TAKE(data);
        *ret_size = size;
        return 0;
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not hang. */
int small_file_read(const char *path, size_t max_size, char **ret_data, size_t *ret_size)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        return fd < 0 ? -errno : read_fd(fd, max_size, ret_data, ret_size);
}

int small_file_read_at(int folder, const char *name, size_t max_size, char **ret_data,
                       size_t *ret_size)
{
        _cleanup_close_ int fd = -1;

        if (strchr(name, '/'))
                return -EINVAL;
        fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
        return fd < 0 ? -errno : read_fd(fd, max_size, ret_data, ret_size);
}

static int write_all(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

static int write_partial(int folder, const char *partial, mode_t mode, const char *data,
                         size_t size, bool soon)
{
        _cleanup_close_ int fd = -1;
        int r;

        /* What a crash left there may have another owner or mode, so it is not reused. */
        if (unlinkat(folder, partial, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(folder, partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        fault_point("small-file.write.before");
        r = write_all(fd, data, size);
        if (r < 0)
                return r;
        fault_point("small-file.sync.before");
        if (fchmod(fd, mode) < 0 || (!soon && fsync(fd) < 0))
                return -errno;
        return close(take_fd(&fd)) < 0 ? -errno : 0;
}

static int write_at(int folder, const char *name, mode_t mode, const void *data, size_t size,
                    bool soon)
{
        _cleanup_free_ char *partial = NULL;
        int r;

        if (*name == '\0')
                return -EISDIR;
        if (strchr(name, '/'))
                return -EINVAL;
        if (asprintf(&partial, "%s" SMALL_FILE_PARTIAL_SUFFIX, name) < 0) {
                partial = NULL;
                return -ENOMEM;
        }

        r = write_partial(folder, partial, mode, data, size, soon);
        fault_point("small-file.rename.before");
        if (r >= 0 && renameat(folder, partial, folder, name) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(folder, partial, 0);
                return r;
        }
        fault_point("small-file.rename.after");
        if (!soon && fsync(folder) < 0)
                return -errno;
        fault_point("small-file.sync-folder.after");
        return 0;
}

int small_file_write_at(int folder, const char *name, mode_t mode, const void *data, size_t size)
{
        return write_at(folder, name, mode, data, size, false);
}

static int write_path(const char *path, mode_t mode, const void *data, size_t size, bool soon)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        _cleanup_free_ char *folder_path = NULL;
        _cleanup_close_ int folder = -1;

        if (*name == '\0')
                return -EISDIR;
        folder_path = slash ? strndup(path, (size_t) (slash - path) + 1) : strdup(".");
        if (!folder_path)
                return -ENOMEM;
        folder = open(folder_path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return folder < 0 ? -errno : write_at(folder, name, mode, data, size, soon);
}

int small_file_write(const char *path, mode_t mode, const void *data, size_t size)
{
        return write_path(path, mode, data, size, false);
}

int small_file_write_soon(const char *path, mode_t mode, const void *data, size_t size)
{
        return write_path(path, mode, data, size, true);
}
