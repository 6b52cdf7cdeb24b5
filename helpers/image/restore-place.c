/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place of a restored file (see restore-place.h).
 */
#include "restore-place.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

int restore_target_errno(Failure *failure, int error, const char *what, const char *path)
{
        const char *name = BUS_ERROR_TARGET_FAILED, *remedy = "";

        switch (-error) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
                name = BUS_ERROR_TARGET_TOO_SMALL;
                remedy = "; free space, or restore to another place";
                break;
        case ENOENT:
        case ENOTDIR:
                remedy = "; make the folder first";
                break;
        case EACCES:
        case EPERM:
                remedy = "; choose a folder that the restore may write to";
                break;
        case EROFS:
                remedy = "; it is read-only";
                break;
        case EBUSY:
                name = BUS_ERROR_BUSY;
                remedy = "; it is mounted or in use: free it first";
                break;
        default:
                break;
        }
        return failure_set(failure, name, "Cannot %s %s: %s%s", what, path, strerror(-error),
                           remedy);
}

static int check_existing(const RestorePlace *place, Failure *failure)
{
        struct stat st;

        if (fstatat(place->folder, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0
                                       : restore_target_errno(failure, -errno, "look at",
                                                              place->path);
        if (!S_ISREG(st.st_mode))
                return failure_set(failure, BUS_ERROR_EXISTS,
                                   "%s is there and no plain file; choose another name",
                                   place->path);
        return place->force ? 0
                            : failure_set(failure, BUS_ERROR_EXISTS,
                                          "%s is there already; choose another name, or give the "
                                          "option force to replace it",
                                          place->path);
}

static int check_space(const RestorePlace *place, uint64_t needed_bytes, Failure *failure)
{
        struct statvfs st;
        uint64_t free_bytes;

        if (fstatvfs(place->folder, &st) < 0)
                return restore_target_errno(failure, -errno, "look at the file system of",
                                            place->path);
        if (st.f_flag & ST_RDONLY)
                return restore_target_errno(failure, -EROFS, "write", place->path);
        free_bytes = (uint64_t) st.f_bavail * st.f_frsize;
        if (free_bytes >= needed_bytes)
                return 0;
        return failure_set(failure, BUS_ERROR_TARGET_TOO_SMALL,
                           "%s: %" PRIu64 " MiB are free there and the disk holds %" PRIu64
                           " MiB; free space, or restore to another place",
                           place->path, free_bytes >> 20, (needed_bytes + (1 << 20) - 1) >> 20);
}

static int open_folder(RestorePlace *place, const char *path, uint64_t job, Failure *failure)
{
        _cleanup_free_ char *folder = NULL;

        *place = (RestorePlace){
                .path = path,
                .name = strrchr(path, '/') + 1,
                .folder = -1,
                .partial = -1,
        };
        if (strlen(place->name) == 0 || strlen(place->name) > RESTORE_NAME_MAX)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "%s: the name must have 1 to %d bytes", place->path,
                                   RESTORE_NAME_MAX);
        (void) snprintf(place->partial_name, sizeof(place->partial_name),
                        ".%s.sendense-%" PRIu64 ".partial", place->name, job);
        folder = strndup(place->path, (size_t) (place->name - place->path));
        if (!folder)
                return failure_errno(failure, -ENOMEM, "%s", place->path);
        place->folder = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return place->folder < 0 ? restore_target_errno(failure, -errno, "open the folder", folder)
                                 : 0;
}

int restore_place_open(RestorePlace *place, const char *path, uint64_t job, bool force,
                       uint64_t needed_bytes, Failure *failure)
{
        int r;

        r = open_folder(place, path, job, failure);
        place->force = force;
        if (r >= 0)
                r = check_existing(place, failure);
        if (r >= 0)
                r = check_space(place, needed_bytes, failure);
        if (r < 0)
                restore_place_done(place);
        return r;
}

int restore_place_undo(const char *path, uint64_t job, bool *ret_removed, Failure *failure)
{
        Failure ignored;
        RestorePlace place;
        int r;

        *ret_removed = false;
        /* Where this user cannot come he has made nothing. */
        if (open_folder(&place, path, job, &ignored) < 0)
                return 0;
        r = restore_place_remove(&place, ret_removed, failure);
        restore_place_done(&place);
        return r;
}

int restore_place_make(RestorePlace *place, Failure *failure)
{
        int r;

        r = restore_place_remove(place, NULL, failure);
        if (r < 0)
                return r;
        fault_point("restore.mkdir.before");
        if (mkdirat(place->folder, place->partial_name, 0700) < 0)
                return restore_target_errno(failure, -errno, "make a folder beside", place->path);
        fault_point("restore.mkdir.after");
        place->partial = openat(place->folder, place->partial_name,
                                O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return place->partial < 0 ? restore_target_errno(failure, -errno, "open a folder beside",
                                                         place->path)
                                  : 0;
}

/* Some file systems cannot refuse to replace; there a second name can be given to no existing file either. */
static int rename_new(const RestorePlace *place)
{
        if (renameat2(place->partial, place->name, place->folder, place->name, RENAME_NOREPLACE) ==
            0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        if (linkat(place->partial, place->name, place->folder, place->name, 0) < 0)
                return -errno;
        return unlinkat(place->partial, place->name, 0) < 0 ? -errno : 0;
}

int restore_place_publish(RestorePlace *place, Failure *failure)
{
        int r;

        fault_point("restore.rename.before");
        if (!place->force)
                r = rename_new(place);
        else {
                r = check_existing(place, failure);
                if (r < 0)
                        return r;
                r = renameat(place->partial, place->name, place->folder, place->name) < 0 ? -errno
                                                                                          : 0;
        }
        if (r == -EEXIST)
                return failure_set(failure, BUS_ERROR_EXISTS,
                                   "%s was made by somebody else meanwhile; choose another name",
                                   place->path);
        if (r < 0)
                return restore_target_errno(failure, r, "put in its place", place->path);
        fault_point("restore.rename.after");
        r = restore_place_remove(place, NULL, failure);
        if (r < 0)
                return r;
        if (fsync(place->folder) < 0)
                return restore_target_errno(failure, -errno, "write to its disk the folder of",
                                            place->path);
        fault_point("restore.sync-folder.after");
        return 0;
}

int restore_place_remove(RestorePlace *place, bool *ret_removed, Failure *failure)
{
        _cleanup_close_ int partial = openat(place->folder, place->partial_name,
                                             O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        cleanup_close_p(&place->partial);
        place->partial = -1;
        if (ret_removed)
                *ret_removed = partial >= 0;
        if (partial < 0)
                return errno == ENOENT ? 0
                                       : restore_target_errno(failure, -errno,
                                                              "open a folder beside", place->path);
        fault_point("restore.remove.before");
        if (unlinkat(partial, place->name, 0) < 0 && errno != ENOENT)
                return restore_target_errno(failure, -errno, "remove what was written of",
                                            place->path);
        if (unlinkat(place->folder, place->partial_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return restore_target_errno(failure, -errno, "remove the folder beside",
                                            place->path);
        fault_point("restore.remove.after");
        return 0;
}

void restore_place_done(RestorePlace *place)
{
        cleanup_close_p(&place->partial);
        cleanup_close_p(&place->folder);
        place->partial = place->folder = -1;
}
