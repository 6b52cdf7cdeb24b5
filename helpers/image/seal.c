/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of sealing (see seal.h). What a killed run has done is not done again, but it is synced again:
 * it may be in the page cache only.
 */
#include "seal.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "manifest.h"
#include "small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
        SHOWN_PATH_SIZE = 512 + MANIFEST_FILE_SIZE + 16,
};

static int sync_name(int folder, const char *name)
{
        _cleanup_close_ int fd =
                        openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        return fd < 0 || fsync(fd) < 0 || fsync(folder) < 0 ? -errno : 0;
}

int seal_small_file(const Repository *repository, int folder, const char *name, const char *text,
                    Failure *failure)
{
        _cleanup_free_ char *there = NULL;
        size_t size;
        int r;

        r = small_file_read_at(folder, name, MANIFEST_SIZE_MAX, &there, &size);
        if (r >= 0 && size == strlen(text) && memcmp(there, text, size) == 0)
                r = sync_name(folder, name);
        else
                r = small_file_write_at(folder, name, REPOSITORY_SEALED_MODE, text, strlen(text));
        return r < 0 ? failure_errno(failure, r, "Cannot write %s in %s", name, repository->path)
                     : 0;
}

/* The file must be what finish has checked, and nobody may have it open. */
static int check_file(int fd, const Layer *layer, const char *path, Failure *failure)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return failure_errno(failure, -errno, "Cannot look at %s", path);
        if (!S_ISREG(st.st_mode) || (uint64_t) st.st_size != layer->size_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s has %jd bytes and had %" PRIu64
                                   " when it was checked; start the backup again",
                                   path, (intmax_t) st.st_size, layer->size_bytes);
        return image_check_unlocked(fd, path, failure);
}

static int open_layer(int folder, const char *name)
{
        int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

        return fd < 0 ? -errno : fd;
}

static int rename_layer(int folder, int fd, const LayerNames *names, const char *path,
                        Failure *failure)
{
        fault_point("seal.chmod.before");
        if (fchmod(fd, REPOSITORY_SEALED_MODE) < 0)
                return failure_errno(failure, -errno, "Cannot set the mode of %s", path);
        fault_point("seal.sync.before");
        if (fsync(fd) < 0)
                return failure_errno(failure, -errno, "Cannot write %s to its disk", path);
        fault_point("seal.rename.before");
        if (renameat(folder, names->partial, folder, names->image) < 0)
                return failure_errno(failure, -errno, "Cannot rename %s to %s", path, names->image);
        fault_point("seal.rename.after");
        return 0;
}

static int seal(const Repository *repository, int folder, const LayerNames *names,
                const Layer *layer, const char *path, Failure *failure)
{
        _cleanup_close_ int fd = open_layer(folder, names->partial);
        bool renamed = false;
        int r;

        if (fd == -ENOENT) {
                fd = open_layer(folder, names->image);
                renamed = true;
        }
        if (fd == -ENOENT)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s is not there; start the backup again", path);
        if (fd < 0)
                return failure_errno(failure, fd, "Cannot open %s", path);

        r = check_file(fd, layer, path, failure);
        if (r >= 0)
                r = seal_small_file(repository, folder, names->manifest, layer->manifest, failure);
        if (r >= 0 && !renamed)
                r = rename_layer(folder, fd, names, path, failure);
        if (r >= 0 && renamed && fsync(fd) < 0)
                r = failure_errno(failure, -errno, "Cannot write %s to its disk", path);
        if (r < 0)
                return r;
        if (fsync(folder) < 0)
                return failure_errno(failure, -errno, "Cannot write the folder of %s to its disk",
                                     path);
        fault_point("seal.sync-folder.after");
        return 0;
}

int seal_layer(const Repository *repository, int vm, const LayerNames *names, const Layer *layer,
               Failure *failure)
{
        _cleanup_close_ int folder = -1;
        char key[24], path[SHOWN_PATH_SIZE];
        int r;

        (void) snprintf(key, sizeof(key), "%" PRIu32, layer->disk_key);
        (void) snprintf(path, sizeof(path), "%s, disk %s: %s", repository->path, key,
                        names->partial);
        r = repository_open_folder(repository, vm, key, &folder, failure);
        if (r > 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s is not there; start the backup again", path);
        return r < 0 ? r : seal(repository, folder, names, layer, path, failure);
}
