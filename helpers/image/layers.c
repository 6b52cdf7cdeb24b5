/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files and folders of one backup (see layers.h).
 */
#include "layers.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
        KEY_NAME_SIZE = 24,
        SHOWN_PATH_SIZE = 512 + 64 + REPOSITORY_NAME_SIZE,
};

static void key_name(const BackupPlace *place, size_t i, char ret_name[static KEY_NAME_SIZE])
{
        (void) snprintf(ret_name, KEY_NAME_SIZE, "%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_array_get(place->disk_keys, i)));
}

static int sync_folder(const Repository *repository, int folder, const char *name, Failure *failure)
{
        if (fsync(folder) < 0)
                return failure_errno(failure, -errno,
                                     "Cannot write the folder %s in %s to its disk", name,
                                     repository->path);
        fault_point("layers.sync-folder.after");
        return 0;
}

/* -errno when it cannot be told: what may be a backup is not taken for none. */
static int name_is_there(int folder, const char *name)
{
        if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        return errno == ENOENT ? 0 : -errno;
}

int layers_committed(const Repository *repository, const BackupPlace *place, Failure *failure)
{
        _cleanup_close_ int vm = -1, backups = -1;
        LayerNames names;
        int r;

        layer_names(place->backup_id, &names);
        r = repository_open_folder(repository, repository->folder, place->instance_uuid, &vm,
                                   failure);
        if (r == 0)
                r = repository_open_folder(repository, vm, REPOSITORY_BACKUPS, &backups, failure);
        if (r != 0)
                return r < 0 ? r : 0;
        r = name_is_there(backups, names.manifest);
        if (r == 0)
                r = name_is_there(backups, names.deleting);
        return r < 0 ? failure_errno(failure, r, "Cannot look for the record of %s in %s",
                                     place->backup_id, repository->path)
                     : r;
}

/* A file that is not there is nobody's. */
static int check_file(const Repository *repository, const char *place, int folder, const char *name,
                      Failure *failure)
{
        _cleanup_close_ int fd = openat(folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        char path[SHOWN_PATH_SIZE];

        if (fd < 0)
                return errno == ENOENT || errno == ELOOP
                                       ? 0
                                       : failure_errno(failure, -errno, "Cannot open %s in %s",
                                                       name, repository->path);
        (void) snprintf(path, sizeof(path), "%s/%s/%s", repository->path, place, name);
        return image_check_unlocked(fd, path, failure);
}

static int check_all(const Repository *repository, const BackupPlace *place, int vm,
                     const LayerNames *names, Failure *failure)
{
        for (size_t i = 0; i < json_array_size(place->disk_keys); i++) {
                _cleanup_close_ int folder = -1;
                char key[KEY_NAME_SIZE], where[KEY_NAME_SIZE + 40];
                int r;

                key_name(place, i, key);
                (void) snprintf(where, sizeof(where), "%s/%s", place->instance_uuid, key);
                r = repository_open_folder(repository, vm, key, &folder, failure);
                if (r == 0)
                        r = check_file(repository, where, folder, names->partial, failure);
                if (r == 0)
                        r = check_file(repository, where, folder, names->image, failure);
                if (r == 0)
                        r = check_file(repository, where, folder, names->merge, failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int remove_file(const Repository *repository, int folder, const char *name, Failure *failure)
{
        fault_point("layers.unlink.before");
        if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
                return failure_errno(failure, -errno, "Cannot remove %s in %s", name,
                                     repository->path);
        fault_point("layers.unlink.after");
        return 0;
}

/* Not one that holds something. */
static int remove_folder(const Repository *repository, int parent, const char *name,
                         Failure *failure)
{
        fault_point("layers.rmdir.before");
        if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY &&
            errno != EEXIST)
                return failure_errno(failure, -errno, "Cannot remove the folder %s in %s", name,
                                     repository->path);
        fault_point("layers.rmdir.after");
        return 0;
}

/* The files named in one folder below that of the VM, and the folder. */
static int remove_in(const Repository *repository, int vm, const char *name,
                     const char *const files[], Failure *failure)
{
        _cleanup_close_ int folder = -1;
        int r;

        r = repository_open_folder(repository, vm, name, &folder, failure);
        if (r != 0)
                return r < 0 ? r : 0;
        for (size_t i = 0; files[i] && r >= 0; i++)
                r = remove_file(repository, folder, files[i], failure);
        if (r >= 0)
                r = sync_folder(repository, folder, name, failure);
        return r < 0 ? r : remove_folder(repository, vm, name, failure);
}

int layers_remove(const Repository *repository, const BackupPlace *place, Failure *failure)
{
        _cleanup_close_ int vm = -1;
        LayerNames names;
        int r;

        layer_names(place->backup_id, &names);
        r = repository_open_folder(repository, repository->folder, place->instance_uuid, &vm,
                                   failure);
        if (r != 0)
                return r < 0 ? r : 0;
        r = check_all(repository, place, vm, &names, failure);
        for (size_t i = 0; i < json_array_size(place->disk_keys) && r >= 0; i++) {
                const char *const files[] = { names.partial,          names.image, names.manifest,
                                              names.manifest_partial, names.merge, NULL };
                char key[KEY_NAME_SIZE];

                key_name(place, i, key);
                r = remove_in(repository, vm, key, files, failure);
        }
        if (r >= 0) {
                const char *const files[] = { names.manifest_partial, names.deleting, NULL };

                r = remove_in(repository, vm, REPOSITORY_BACKUPS, files, failure);
        }
        if (r >= 0)
                r = sync_folder(repository, vm, place->instance_uuid, failure);
        if (r >= 0)
                r = remove_folder(repository, repository->folder, place->instance_uuid, failure);
        return r < 0 ? r : sync_folder(repository, repository->folder, ".", failure);
}

/* Makes it, or mends the mode of one whose maker was killed. The caller syncs the parent. */
static int make_folder(const Repository *repository, int parent, const char *name, int *ret_fd,
                       Failure *failure)
{
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        fault_point("layers.mkdir.before");
        if (mkdirat(parent, name, REPOSITORY_FOLDER_MODE & 0777) < 0 && errno != EEXIST)
                return failure_errno(failure, -errno, "Cannot make the folder %s in %s", name,
                                     repository->path);
        fault_point("layers.mkdir.after");
        r = repository_open_folder(repository, parent, name, &fd, failure);
        if (r != 0)
                return r < 0 ? r
                             : failure_errno(failure, -ENOENT, "%s in %s", name, repository->path);
        if (fstat(fd, &st) < 0 || ((st.st_mode & 07777) != REPOSITORY_FOLDER_MODE &&
                                   fchmod(fd, REPOSITORY_FOLDER_MODE) < 0))
                return failure_errno(failure, -errno, "Cannot set the mode of the folder %s in %s",
                                     name, repository->path);
        *ret_fd = take_fd(&fd);
        return 0;
}

static int make_file(const Repository *repository, int folder, const char *name, Failure *failure)
{
        _cleanup_close_ int fd = -1;

        fault_point("layers.make.before");
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || fchmod(fd, REPOSITORY_PARTIAL_MODE) < 0 || fsync(fd) < 0)
                return failure_errno(failure, -errno, "Cannot make %s in %s", name,
                                     repository->path);
        fault_point("layers.make.after");
        return 0;
}

int layers_make(const Repository *repository, const BackupPlace *place, Failure *failure)
{
        _cleanup_close_ int vm = -1, backups = -1;
        LayerNames names;
        int r;

        layer_names(place->backup_id, &names);
        r = make_folder(repository, repository->folder, place->instance_uuid, &vm, failure);
        if (r >= 0)
                r = make_folder(repository, vm, REPOSITORY_BACKUPS, &backups, failure);
        for (size_t i = 0; i < json_array_size(place->disk_keys) && r >= 0; i++) {
                _cleanup_close_ int folder = -1;
                char key[KEY_NAME_SIZE];

                key_name(place, i, key);
                r = make_folder(repository, vm, key, &folder, failure);
                if (r >= 0)
                        r = make_file(repository, folder, names.partial, failure);
                if (r >= 0)
                        r = sync_folder(repository, folder, key, failure);
        }
        if (r >= 0)
                r = sync_folder(repository, vm, place->instance_uuid, failure);
        return r < 0 ? r : sync_folder(repository, repository->folder, ".", failure);
}
