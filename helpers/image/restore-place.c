/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place of a restored file (see restore-place.h).
 */
#include "restore-place.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "log.h"
#include "small-file.h"

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

/* InvalidArgument: no name for a file. */
static int place_init(RestorePlace *place, const char *path, uint64_t job, Failure *failure)
{
        *place = (RestorePlace){
                .path = path,
                .name = strrchr(path, '/') + 1,
                .folder = -1,
                .partial = -1,
                .file = -1,
        };
        if (strlen(place->name) == 0 || strlen(place->name) > RESTORE_NAME_MAX)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "%s: the name must have 1 to %d bytes", place->path,
                                   RESTORE_NAME_MAX);
        (void) snprintf(place->partial_name, sizeof(place->partial_name),
                        ".%s.sendense-%" PRIu64 ".partial", place->name, job);
        (void) snprintf(place->note_name, sizeof(place->note_name), "%s.note", place->name);
        return 0;
}

/* 1: there is none for this user, and failure says why. */
static int open_folder(RestorePlace *place, Failure *failure)
{
        _cleanup_free_ char *folder = strndup(place->path, (size_t) (place->name - place->path));
        int r;

        if (!folder)
                return failure_errno(failure, -ENOMEM, "%s", place->path);
        place->folder = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (place->folder >= 0)
                return 0;
        r = -errno;
        (void) restore_target_errno(failure, r, "open the folder", folder);
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG || r == -EACCES
                               ? 1
                               : r;
}

int restore_place_open(RestorePlace *place, const char *path, uint64_t job, bool force,
                       uint64_t needed_bytes, Failure *failure)
{
        int r;

        r = place_init(place, path, job, failure);
        place->force = force;
        if (r >= 0)
                r = open_folder(place, failure);
        if (r > 0)
                r = -ENOENT;
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
        RestorePlace place;
        int r;

        *ret_removed = false;
        /* Under a name that is refused, and where this user cannot come, nothing was made. */
        if (place_init(&place, path, job, failure) < 0)
                return 0;
        r = open_folder(&place, failure);
        if (r == 0)
                r = restore_place_remove(&place, ret_removed, failure);
        restore_place_done(&place);
        return r < 0 ? r : 0;
}

/* Who may write the folder may have put another one under the name of ours meanwhile. Ours belongs to whom what we make in it
 * belongs, whatever user that is to the server of the file system. */
static int make_file(RestorePlace *place, Failure *failure)
{
        struct stat folder, file;

        if (fstat(place->partial, &folder) < 0)
                return restore_target_errno(failure, -errno, "look at the folder beside",
                                            place->path);
        if (folder.st_mode & (S_IRWXG | S_IRWXO))
                (void) fchmod(place->partial, S_IRWXU); /* some file systems know one mode only */
        place->file = openat(place->partial, place->name,
                             O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (place->file < 0 || fstat(place->file, &file) < 0)
                return restore_target_errno(failure, -errno, "make", place->path);
        return folder.st_uid == file.st_uid
                               ? 0
                               : failure_set(failure, BUS_ERROR_TARGET_FAILED,
                                             "The folder made beside %s belongs to another user "
                                             "(uid %u) now; choose a folder that nobody else may "
                                             "write to",
                                             place->path, (unsigned) folder.st_uid);
}

/* Some file systems cannot refuse to replace; there a second name can be given to no existing file either. */
static int rename_new(int from, const char *name, int to, const char *new_name)
{
        if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        if (linkat(from, name, to, new_name, 0) < 0)
                return -errno;
        return unlinkat(from, name, 0) < 0 ? -errno : 0;
}

/* Tried with the file that is empty yet: at the end of a long restore it would be too late to learn it. */
static int check_rename(const RestorePlace *place, Failure *failure)
{
        int r;

        if (place->force)
                return 0;
        r = rename_new(place->partial, place->name, place->partial, place->note_name);
        if (r < 0)
                return failure_set(failure, BUS_ERROR_TARGET_FAILED,
                                   "The file system of %s can neither rename without replacing nor "
                                   "make a second name for a file (%s); give the option force, or "
                                   "restore to another place",
                                   place->path, strerror(-r));
        return renameat(place->partial, place->note_name, place->partial, place->name) < 0
                               ? restore_target_errno(failure, -errno, "rename", place->path)
                               : 0;
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
        if (place->partial < 0)
                return restore_target_errno(failure, -errno, "open a folder beside", place->path);
        r = make_file(place, failure);
        return r < 0 ? r : check_rename(place, failure);
}

/* Without it a run that is killed from here on cannot be repeated, and no more. */
static void write_note(const RestorePlace *place, const json_t *note)
{
        _cleanup_free_ char *text = NULL;
        json_t *object = NULL;
        struct stat st;
        int r = -ENOMEM;

        if (fstatat(place->partial, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                object = json_pack("{s:I, s:O}", "inode", (json_int_t) st.st_ino, "note", note);
        if (object)
                text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        if (text)
                r = small_file_write_at(place->partial, place->note_name, 0600, text, strlen(text));
        if (r < 0)
                (void) log_warning(r, "Cannot note that %s is complete, ignoring: %m", place->path);
}

static int move_file(const RestorePlace *place, Failure *failure)
{
        int r;

        if (!place->force)
                r = rename_new(place->partial, place->name, place->folder, place->name);
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
        return r < 0 ? restore_target_errno(failure, r, "put in its place", place->path) : 0;
}

static int sync_folder(const RestorePlace *place, Failure *failure)
{
        return fsync(place->folder) < 0 ? restore_target_errno(failure, -errno,
                                                               "write to its disk the folder of",
                                                               place->path)
                                        : 0;
}

int restore_place_publish(RestorePlace *place, const json_t *note, Failure *failure)
{
        Failure ignored;
        int r;

        write_note(place, note);
        fault_point("restore.rename.before");
        r = move_file(place, failure);
        if (r < 0)
                return r;
        fault_point("restore.rename.after");
        r = sync_folder(place, failure);
        if (r < 0)
                return r;
        fault_point("restore.sync-folder.after");
        r = restore_place_remove(place, NULL, &ignored);
        if (r < 0)
                (void) log_warning(r, "%s, ignoring: the restore is complete", ignored.text);
        return 0;
}

/* The note counts when the file that it is about has gone from the folder, and stands in its place. */
static int read_note(const RestorePlace *place, json_t **ret_note)
{
        _cleanup_close_ int partial = openat(place->folder, place->partial_name,
                                             O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_free_ char *text = NULL;
        struct stat file, folder;
        json_t *object, *note;
        size_t size;

        if (partial < 0 || fstat(partial, &folder) < 0 ||
            fstatat(place->folder, place->name, &file, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(file.st_mode) || folder.st_uid != geteuid() || file.st_uid != folder.st_uid ||
            faccessat(partial, place->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT ||
            small_file_read_at(partial, place->note_name, RESTORE_NOTE_MAX, &text, &size) < 0)
                return 0;
        object = json_loadb(text, size, 0, NULL);
        note = json_object_get(object, "note");
        if (note &&
            json_integer_value(json_object_get(object, "inode")) == (json_int_t) file.st_ino)
                *ret_note = json_incref(note);
        else
                note = NULL;
        json_decref(object);
        return note ? 1 : 0;
}

int restore_place_find(const char *path, uint64_t job, json_t **ret_note, Failure *failure)
{
        RestorePlace place;
        json_t *note = NULL;
        Failure ignored;
        int r = 0;

        if (place_init(&place, path, job, &ignored) < 0)
                return 0;
        if (open_folder(&place, &ignored) == 0)
                r = read_note(&place, &note);
        if (r > 0) {
                r = sync_folder(&place, failure);
                r = r < 0 ? r : 1;
        }
        restore_place_done(&place);
        if (r > 0)
                *ret_note = note;
        else
                json_decref(note);
        return r;
}

/* What lies under the name of the partial folder and is none, or somebody else's, was not made here. */
static bool is_foreign(int error)
{
        return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES;
}

static bool is_others(int folder)
{
        struct stat st;

        return fstat(folder, &st) == 0 && st.st_uid != geteuid();
}

int restore_place_remove(RestorePlace *place, bool *ret_removed, Failure *failure)
{
        _cleanup_close_ int partial = openat(place->folder, place->partial_name,
                                             O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char note_partial[sizeof(place->note_name) + sizeof(SMALL_FILE_PARTIAL_SUFFIX)];
        const char *what = NULL;
        int error = 0;

        (void) snprintf(note_partial, sizeof(note_partial), "%s" SMALL_FILE_PARTIAL_SUFFIX,
                        place->note_name);
        cleanup_close_p(&place->file);
        cleanup_close_p(&place->partial);
        place->file = place->partial = -1;
        if (ret_removed)
                *ret_removed = false;
        if (partial < 0)
                return is_foreign(errno)
                                       ? 0
                                       : restore_target_errno(failure, -errno,
                                                              "open a folder beside", place->path);
        fault_point("restore.remove.before");
        /* The note first: without the file it would say that that is in its place. */
        if ((unlinkat(partial, place->note_name, 0) < 0 && errno != ENOENT) ||
            (unlinkat(partial, note_partial, 0) < 0 && errno != ENOENT) ||
            (unlinkat(partial, place->name, 0) < 0 && errno != ENOENT)) {
                error = errno;
                what = "remove what was written of";
        } else if (unlinkat(place->folder, place->partial_name, AT_REMOVEDIR) < 0 &&
                   errno != ENOENT) {
                error = errno;
                what = "remove the folder beside";
        }
        /* A server may let this user work under another name. */
        if (error != 0)
                return is_others(partial)
                                       ? 0
                                       : restore_target_errno(failure, -error, what, place->path);
        if (ret_removed)
                *ret_removed = true;
        fault_point("restore.remove.after");
        return 0;
}

void restore_place_done(RestorePlace *place)
{
        cleanup_close_p(&place->file);
        cleanup_close_p(&place->partial);
        cleanup_close_p(&place->folder);
        place->file = place->partial = place->folder = -1;
}
