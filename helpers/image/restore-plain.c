/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets that are written as they are: a raw file, which is new and sparse, and a block device. Past the kernel's
 * cache where that is possible: the data are needed by nobody here, and the end of a restore then waits for little.
 */
#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "restore-target.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum {
        ALIGNMENT = 4096, /* enough for any disk */
        END_BYTES = 1024 * 1024, /* at either end, where what is on a device has its signatures */
};

static int fail(const RestoreTarget *target, int error, const char *what, Failure *failure)
{
        return restore_target_errno(failure, error, what, target->path);
}

/* The same file past the cache, whatever its path leads to by now. -1: not to be had, which costs speed alone. */
static int reopen_direct(int fd)
{
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
}

static int open_file(RestoreTarget *target, Failure *failure)
{
        target->fd = take_fd(&target->place.file);
        if (ftruncate(target->fd, (off_t) target->capacity_bytes) < 0)
                return fail(target, -errno, "give its size to", failure);
        target->direct_fd = reopen_direct(target->fd);
        return 0;
}

static int read_all(int fd, uint8_t *data, size_t length, uint64_t offset)
{
        while (length > 0) {
                ssize_t n = pread(fd, data, length, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                data += n;
                length -= (size_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

/* To blkid what it cannot read is empty. */
static int check_readable(const RestoreTarget *target, uint64_t size, Failure *failure)
{
        size_t length = size < END_BYTES ? (size_t) size : END_BYTES;
        _cleanup_free_ uint8_t *data = malloc(END_BYTES);
        const char *what = "start";
        int r;

        if (!data)
                return failure_errno(failure, -ENOMEM, "%s", target->path);
        r = read_all(target->fd, data, length, 0);
        if (r >= 0) {
                what = "end";
                r = read_all(target->fd, data, length, size - length);
        }
        return r < 0 ? failure_set(failure, BUS_ERROR_TARGET_FAILED,
                                   "Cannot read the %s of %s: %s; so nobody knows whether it is "
                                   "empty: choose another device, or give the option force to "
                                   "overwrite it",
                                   what, target->path, strerror(-r))
                     : 0;
}

/* Whether somebody would miss what is on it: what blkid knows of the device that is open here. Exit status 2: nothing. */
static int check_signature(const RestoreTarget *target, Failure *failure)
{
        char path[48];
        const char *const argv[] = { "blkid", "-p",     "-o", "value", "-s", "TYPE",
                                     "-s",    "PTTYPE", "--", path,    NULL };
        _cleanup_free_ char *text = NULL;
        int r, status;
        Said said;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) getpid(), target->fd);
        r = tool_run(-1, argv, &status, &text, &said, failure);
        if (r < 0)
                return r;
        if (status == 2 && said.n == 0)
                return 0;
        if (status == 2)
                return tool_failure(failure, BUS_ERROR_TARGET_FAILED, target->path,
                                    "blkid cannot tell whether it is empty", &said);
        if (text)
                text[strcspn(text, "\n")] = '\0';
        return failure_set(failure, BUS_ERROR_EXISTS,
                           "%s is not empty: blkid finds %s on it; choose another device, or give "
                           "the option force to overwrite it",
                           target->path, text && *text ? text : "more than one thing");
}

static int open_device(RestoreTarget *target, Failure *failure)
{
        uint64_t size;
        struct stat st;
        int r;

        if (stat(target->path, &st) < 0)
                return fail(target, -errno, "look at", failure);
        if (!S_ISBLK(st.st_mode))
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "%s is no block device; restore to a file instead",
                                   target->path);
        /* O_EXCL: the kernel says no while it is mounted or part of something. */
        target->fd = open(target->path, O_RDWR | O_EXCL | O_CLOEXEC);
        if (target->fd < 0)
                return fail(target, -errno, "open", failure);
        if (fstat(target->fd, &st) < 0 || !S_ISBLK(st.st_mode) ||
            ioctl(target->fd, BLKGETSIZE64, &size) < 0)
                return fail(target, -errno, "ask for the size of", failure);
        if (size < target->capacity_bytes)
                return failure_set(failure, BUS_ERROR_TARGET_TOO_SMALL,
                                   "%s has %" PRIu64 " bytes and the disk %" PRIu64
                                   "; choose a larger one",
                                   target->path, size, target->capacity_bytes);
        target->direct_fd = reopen_direct(target->fd);
        if (target->force)
                return 0;
        r = check_readable(target, size, failure);
        return r < 0 ? r : check_signature(target, failure);
}

static int plain_open(RestoreTarget *target, Failure *failure)
{
        return target->kind == RESTORE_DEVICE ? open_device(target, failure)
                                              : open_file(target, failure);
}

static int plain_write(RestoreTarget *target, unsigned writer, const void *data, size_t length,
                       uint64_t offset, Failure *failure)
{
        bool direct = target->direct_fd >= 0 && length % ALIGNMENT == 0;
        const uint8_t *bytes = data;

        (void) writer;
        while (length > 0) {
                ssize_t n = pwrite(direct ? target->direct_fd : target->fd, bytes, length,
                                   (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EINVAL && direct) {
                        direct = false; /* this file system says it only now */
                        continue;
                }
                if (n < 0)
                        return fail(target, -errno, "write", failure);
                bytes += n;
                length -= (size_t) n;
                offset += (uint64_t) n;
                direct = direct && n % ALIGNMENT == 0;
        }
        return 0;
}

/* A device that cannot make zeroes gets them. */
static int write_zeroes(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure)
{
        _cleanup_free_ void *zeroes = NULL;
        int r = 0;

        if (posix_memalign(&zeroes, ALIGNMENT, LEAF_BYTES) != 0)
                return failure_errno(failure, -ENOMEM, "%s", target->path);
        memset(zeroes, 0, LEAF_BYTES);
        while (length > 0 && r >= 0) {
                size_t n = length < LEAF_BYTES ? (size_t) length : LEAF_BYTES;

                r = plain_write(target, 0, zeroes, n, offset, failure);
                offset += n;
                length -= n;
        }
        return r;
}

static int plain_zero(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure)
{
        uint64_t range[] = { offset, length };

        if (ioctl(target->fd, BLKZEROOUT, range) == 0)
                return 0;
        return errno == EINVAL || errno == EOPNOTSUPP || errno == ENOTTY
                               ? write_zeroes(target, offset, length, failure)
                               : fail(target, -errno, "write zeroes to", failure);
}

static int plain_finish(RestoreTarget *target, Failure *failure)
{
        return fsync(target->fd) < 0 ? fail(target, -errno, "write to its disk", failure) : 0;
}

static void plain_close(RestoreTarget *target)
{
        cleanup_close_p(&target->direct_fd);
        cleanup_close_p(&target->fd);
        target->fd = target->direct_fd = -1;
}

const RestoreTargetType restore_plain_type = {
        .open = plain_open,
        .write = plain_write,
        .zero = plain_zero,
        .finish = plain_finish,
        .close = plain_close,
};
