/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening and judging a repository's folder (see repository.h).
 */
#include "repository.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "manifest.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define EXPORT_GROUP "sendense-export"

static int open_folder(Repository *repository, Failure *failure)
{
        const char *path = repository->path;

        repository->folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (repository->folder >= 0)
                return 0;
        if (errno == ENOENT)
                return failure_set(failure, BUS_ERROR_REPOSITORY_MISSING,
                                   "%s is not there; mount its disk, or make a new one: "
                                   "install -d -o sendense -g " EXPORT_GROUP " -m 2750 %s",
                                   path, path);
        if (errno == ENOTDIR)
                return failure_set(failure, BUS_ERROR_REPOSITORY_MISSING,
                                   "%s is no folder; a repository is one", path);
        if (errno == EACCES)
                return failure_set(failure, BUS_ERROR_REPOSITORY_PERMISSIONS,
                                   "%s cannot be opened: %m; it and the folders above it must let "
                                   "the user sendense in: install -d -o sendense -g " EXPORT_GROUP
                                   " -m 2750 %s",
                                   path, path);
        return failure_errno(failure, -errno, "Cannot open the repository %s", path);
}

/* 1: there is no marker. */
static int read_marker(Repository *repository, Failure *failure)
{
        _cleanup_free_ char *text = NULL;
        char error[JSON_FIELDS_ERROR_SIZE];
        json_t *marker;
        size_t size;
        int r;

        r = small_file_read_at(repository->folder, MANIFEST_MARKER_NAME, MANIFEST_SIZE_MAX, &text,
                               &size);
        if (r == -ENOENT)
                return 1;
        if (r < 0)
                return failure_errno(failure, r, "Cannot read %s/" MANIFEST_MARKER_NAME,
                                     repository->path);
        r = manifest_parse(MANIFEST_MARKER, text, size, &marker, error);
        if (r < 0)
                return failure_set(failure, BUS_ERROR_REPOSITORY_MISSING,
                                   "%s/" MANIFEST_MARKER_NAME " is damaged: %s; write it again as "
                                   "docs/REPOSITORY.md shows",
                                   repository->path, error);
        (void) snprintf(repository->uuid, sizeof(repository->uuid), "%s",
                        json_field_text(marker, "repository_uuid"));
        json_decref(marker);
        return 0;
}

static int check_owner(const Repository *repository, Failure *failure)
{
        const char *path = repository->path;
        struct group *group = getgrnam(EXPORT_GROUP);
        struct stat st;

        if (fstat(repository->folder, &st) < 0)
                return failure_errno(failure, -errno, "Cannot look at %s", path);
        if (st.st_uid != geteuid())
                return failure_set(failure, BUS_ERROR_REPOSITORY_PERMISSIONS,
                                   "%s belongs to uid %u and this runs as uid %u; install -d -o "
                                   "sendense -g " EXPORT_GROUP " -m 2750 %s",
                                   path, st.st_uid, geteuid(), path);
        if (group && st.st_gid != group->gr_gid)
                return failure_set(failure, BUS_ERROR_REPOSITORY_PERMISSIONS,
                                   "%s has group %u, must have " EXPORT_GROUP
                                   "; chgrp " EXPORT_GROUP " %s && chmod 2750 %s",
                                   path, st.st_gid, path, path);
        if ((st.st_mode & 07777) != REPOSITORY_FOLDER_MODE)
                return failure_set(failure, BUS_ERROR_REPOSITORY_PERMISSIONS,
                                   "%s has mode %04o, must have 2750; chmod 2750 %s", path,
                                   st.st_mode & 07777, path);
        return 0;
}

static int check_space(Repository *repository, RepositoryUse use, Failure *failure)
{
        struct statvfs st;

        if (fstatvfs(repository->folder, &st) < 0)
                return failure_errno(failure, -errno, "Cannot look at the file system of %s",
                                     repository->path);
        if (use > REPOSITORY_READ && (st.f_flag & ST_RDONLY))
                return failure_errno(failure, -EROFS, "%s", repository->path);
        repository->free_bytes = (uint64_t) st.f_bavail * st.f_frsize;
        repository->size_bytes = (uint64_t) st.f_blocks * st.f_frsize;
        return 0;
}

/* But for what a new file system has in it. */
static int folder_is_empty(int folder)
{
        struct dirent *entry;
        bool empty = true;
        DIR *dir;
        int fd = openat(folder, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                cleanup_close_p(&fd);
                return -errno;
        }
        while (empty && (entry = readdir(dir)))
                empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                        strcmp(entry->d_name, "lost+found") == 0 ||
                        strcmp(entry->d_name, MANIFEST_MARKER_NAME SMALL_FILE_PARTIAL_SUFFIX) == 0;
        (void) closedir(dir);
        return empty;
}

static int make_uuid(char ret_uuid[static 40])
{
        uint8_t b[16];

        if (getrandom(b, sizeof(b), 0) != (ssize_t) sizeof(b))
                return -EIO;
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        (void) snprintf(ret_uuid, 40,
                        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                        b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                        b[12], b[13], b[14], b[15]);
        return 0;
}

static int write_marker(Repository *repository, Failure *failure)
{
        _cleanup_free_ char *text = NULL;
        char error[JSON_FIELDS_ERROR_SIZE], uuid[40];
        json_t *marker;
        int r;

        /* Only one of two writers may give the name. */
        r = repository_lock(repository, failure);
        if (r < 0)
                return r;
        r = read_marker(repository, failure);
        if (r <= 0)
                return r;
        r = folder_is_empty(repository->folder);
        if (r < 0)
                return failure_errno(failure, r, "Cannot list %s", repository->path);
        if (r == 0)
                return failure_set(failure, BUS_ERROR_REPOSITORY_MISSING,
                                   "%s is not empty and has no " MANIFEST_MARKER_NAME
                                   ", so it is no repository; give an empty folder, or mount the "
                                   "right disk",
                                   repository->path);
        r = make_uuid(uuid);
        if (r < 0)
                return failure_errno(failure, r, "Cannot make a UUID");
        marker = json_pack("{s:i, s:s}", "format", MANIFEST_FORMAT, "repository_uuid", uuid);
        r = manifest_format(MANIFEST_MARKER, marker, &text, error);
        json_decref(marker);
        if (r < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "%s", error);
        r = small_file_write_at(repository->folder, MANIFEST_MARKER_NAME, 0640, text, strlen(text));
        if (r < 0)
                return failure_errno(failure, r, "Cannot write %s/" MANIFEST_MARKER_NAME,
                                     repository->path);
        (void) snprintf(repository->uuid, sizeof(repository->uuid), "%s", uuid);
        return 0;
}

static int check(Repository *repository, const char *uuid, RepositoryUse use, Failure *failure)
{
        int r, marker;

        r = open_folder(repository, failure);
        if (r < 0)
                return r;
        /* The marker first: an empty mount point has the wrong owner too, and that is not the trouble. */
        marker = read_marker(repository, failure);
        if (marker < 0)
                return marker;
        if (marker > 0 && (uuid || use != REPOSITORY_MARK))
                return failure_set(failure, BUS_ERROR_REPOSITORY_MISSING,
                                   "%s has no " MANIFEST_MARKER_NAME
                                   "; mount the disk of the repository",
                                   repository->path);
        if (marker == 0 && uuid && strcmp(uuid, repository->uuid) != 0)
                return failure_set(
                                failure, BUS_ERROR_REPOSITORY_MISSING,
                                "another repository is mounted at %s: it is %s and should be %s; "
                                "mount the right disk",
                                repository->path, repository->uuid, uuid);
        r = check_space(repository, use, failure);
        if (r >= 0 && use != REPOSITORY_LOOK)
                r = check_owner(repository, failure);
        return r < 0 || marker == 0 ? r : write_marker(repository, failure);
}

int repository_open(Repository *repository, const char *path, const char *uuid, RepositoryUse use,
                    Failure *failure)
{
        int r;

        *repository = (Repository){ .path = path, .folder = -1 };
        r = check(repository, uuid, use, failure);
        if (r < 0)
                repository_done(repository);
        return r;
}

void repository_done(Repository *repository)
{
        cleanup_close_p(&repository->folder);
        repository->folder = -1;
}

int repository_lock(const Repository *repository, Failure *failure)
{
        while (flock(repository->folder, LOCK_EX) < 0) {
                if (errno == EINTR)
                        continue;
                /* NFS locks no folders; there the hub's order of steps must do. */
                if (errno == EBADF || errno == ENOLCK || errno == EOPNOTSUPP)
                        return 0;
                return failure_errno(failure, -errno, "Cannot lock %s", repository->path);
        }
        return 0;
}

int repository_open_folder(const Repository *repository, int parent, const char *name, int *ret_fd,
                           Failure *failure)
{
        int fd = openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 && errno == ENOENT)
                return 1;
        if (fd < 0)
                return failure_errno(failure, -errno, "Cannot open the folder %s in %s", name,
                                     repository->path);
        *ret_fd = fd;
        return 0;
}

void layer_names(const char *backup_id, LayerNames *ret_names)
{
        (void) snprintf(ret_names->image, sizeof(ret_names->image), "%s.qcow2", backup_id);
        (void) snprintf(ret_names->partial, sizeof(ret_names->partial), "%s.qcow2.partial",
                        backup_id);
        (void) snprintf(ret_names->manifest, sizeof(ret_names->manifest), "%s.json", backup_id);
        (void) snprintf(ret_names->manifest_partial, sizeof(ret_names->manifest_partial),
                        "%s.json" SMALL_FILE_PARTIAL_SUFFIX, backup_id);
        (void) snprintf(ret_names->merge, sizeof(ret_names->merge), "%s" REPOSITORY_MERGE_SUFFIX,
                        backup_id);
        (void) snprintf(ret_names->deleting, sizeof(ret_names->deleting),
                        "%s" REPOSITORY_DELETING_SUFFIX, backup_id);
}

int64_t layer_stored_bytes(const struct stat *st)
{
        return (int64_t) st->st_blocks * 512;
}

bool image_is_locked(int fd)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        /* A file system that knows no locks has none. */
        return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int image_check_unlocked(int fd, const char *path, Failure *failure)
{
        return image_is_locked(fd) ? failure_set(failure, BUS_ERROR_IMAGE_BUSY,
                                                 "%s is open in another process; fuser -v %s shows "
                                                 "which, stop it and try again",
                                                 path, path)
                                   : 0;
}
