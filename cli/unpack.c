/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacking (see unpack.h). Each part of a path is opened from the one before, so that a link which was unpacked, or put there by
 * somebody meanwhile, is never gone through. What this run has not made is neither changed nor linked to.
 */
#include "unpack.h"

#include "cleanup.h"
#include "ctl.h"
#include "made.h"
#include "path-text.h"
#include "untar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum {
        DATA_SIZE = 64 * 1024,
        PARENT_MODE = 0755, /* of a folder that was not asked for, and stands in a path that was */
        LISTS_SIZE_MAX = 64 * 1024 * 1024, /* of access lists that wait for the end */
};

#define DEFAULT_LIST "system.posix_acl_default"

/* A folder gets what it is when all is in it. */
typedef struct Folder {
        struct Folder *next; /* the one before */
        uint32_t mode;
        uint64_t uid, gid;
        struct timespec mtime;
        size_t list_size; /* of the access list that what is made in it inherits */
        char *list; /* behind the path */
        char path[];
} Folder;

typedef struct Work {
        Unpack *unpack;
        Folder *folders;
        char *data;
        size_t lists_size;
        Made made;
} Work;

static void refuse(const Work *work, const char *path, const char *why)
{
        _cleanup_free_ char *text = path_text_from_bytes(path);

        work->unpack->refused++;
        (void) complain(CTL_FAILED, "%s: %s", text ?: "?", why);
}

/* ── Paths ── */

static int enter(int folder, const char *name, int *ret_fd)
{
        int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* 1: it was there. */
static int make_and_enter(Work *work, int folder, const char *name, mode_t mode, int *ret_fd)
{
        bool is_new = mkdirat(folder, name, mode) == 0;
        _cleanup_close_ int fd = -1;
        int r;

        if (!is_new && errno != EEXIST)
                return -errno;
        r = enter(folder, name, &fd);
        if (r >= 0 && is_new)
                r = made_add(&work->made, fd, "");
        if (r < 0)
                return r;
        *ret_fd = take_fd(&fd);
        return is_new ? 0 : 1;
}

/* A part of a path. */
static int step(Work *work, int folder, const char *name, bool may_make, int *ret_fd)
{
        int r = enter(folder, name, ret_fd);

        if (r == -ENOENT && may_make)
                r = make_and_enter(work, folder, name, PARENT_MODE, ret_fd);
        return r < 0 ? r : 0;
}

/* Opens the folder that path lies in, and gives the last part of it. -EINVAL: it leads out; 1: it is the top itself. */
static int open_parent(Work *work, const char *path, bool may_make, int *ret_fd,
                       char ret_name[static NAME_MAX + 1])
{
        _cleanup_close_ int fd = fcntl(work->unpack->folder, F_DUPFD_CLOEXEC, 3);
        int r;

        if (fd < 0)
                return -errno;
        if (*path == '/')
                return -EINVAL;
        *ret_name = '\0';
        for (const char *part = path; *part;) {
                size_t n = strcspn(part, "/");
                int next = -1;

                if (n > NAME_MAX || (n == 2 && strncmp(part, "..", 2) == 0))
                        return -EINVAL;
                if (n > 0 && !(n == 1 && *part == '.')) {
                        r = *ret_name ? step(work, fd, ret_name, may_make, &next) : 0;
                        if (r < 0)
                                return r;
                        if (next >= 0) {
                                (void) close(fd);
                                fd = next;
                        }
                        memcpy(ret_name, part, n);
                        ret_name[n] = '\0';
                }
                part += n + (part[n] == '/');
        }
        *ret_fd = take_fd(&fd);
        return *ret_name ? 0 : 1;
}

/* ── What belongs to a file ── */

static uint32_t mode_of(const Work *work, uint32_t mode)
{
        return work->unpack->is_root ? mode : mode & 0777;
}

/* All but the list that files would inherit. */
static void set_attributes(int fd, const UntarEntry *entry)
{
        /* A file system here may know none of them: the data count. */
        for (size_t i = 0; i < entry->n_attributes; i++)
                if (strcmp(entry->attributes[i].name, DEFAULT_LIST) != 0)
                        (void) fsetxattr(fd, entry->attributes[i].name, entry->attributes[i].value,
                                         entry->attributes[i].size, 0);
}

static const UntarAttribute *default_list(const UntarEntry *entry)
{
        static const UntarAttribute none = {};

        for (size_t i = 0; i < entry->n_attributes; i++)
                if (strcmp(entry->attributes[i].name, DEFAULT_LIST) == 0)
                        return entry->attributes + i;
        return &none;
}

static struct timespec mtime_of(const UntarEntry *entry)
{
        return (struct timespec){ .tv_sec = entry->mtime_sec, .tv_nsec = entry->mtime_nsec };
}

/* The owner first: a change of it takes away what a mode may have given. */
static int set_owner(const Work *work, int folder, const char *name, uint64_t uid, uint64_t gid)
{
        if (!work->unpack->is_root)
                return 0;
        if (uid >= UINT32_MAX || gid >= UINT32_MAX)
                return -EINVAL;
        return fchownat(folder, name, (uid_t) uid, (gid_t) gid,
                        AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) < 0
                               ? -errno
                               : 0;
}

static int set_time(int folder, const char *name, struct timespec mtime)
{
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

        return utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* ── Each kind ── */

static bool is_zero(const char *data, size_t size)
{
        return size > 0 && *data == '\0' && memcmp(data, data + 1, size - 1) == 0;
}

/* What is zeroes stays a hole. *ret_stream: the stream itself has failed. */
static int write_data(Work *work, Untar *untar, int fd, uint64_t size, int *ret_stream)
{
        uint64_t offset = 0;
        int n;

        if (ftruncate(fd, (off_t) size) < 0)
                return -errno;
        while ((n = untar_read(untar, work->data, DATA_SIZE, &offset)) > 0) {
                size_t left = (size_t) n;
                const char *at = work->data;

                work->unpack->bytes += (uint64_t) n;
                if (is_zero(at, left))
                        continue;
                while (left > 0) {
                        ssize_t written = pwrite(fd, at, left, (off_t) offset);

                        if (written < 0 && errno == EINTR)
                                continue;
                        if (written < 0)
                                return -errno;
                        at += written;
                        offset += (uint64_t) written;
                        left -= (size_t) written;
                }
        }
        *ret_stream = n;
        return n;
}

static int make_file(Work *work, Untar *untar, const UntarEntry *entry, int folder,
                     const char *name, int *ret_stream)
{
        _cleanup_close_ int fd = openat(folder, name,
                                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = write_data(work, untar, fd, entry->size, ret_stream);
        if (r >= 0)
                r = set_owner(work, fd, "", entry->uid, entry->gid);
        if (r >= 0)
                r = made_add(&work->made, fd, "");
        if (r >= 0)
                set_attributes(fd, entry);
        if (r >= 0 && fchmod(fd, mode_of(work, entry->mode)) < 0)
                r = -errno;
        if (r >= 0 && futimens(fd, (const struct timespec[2]){ { .tv_nsec = UTIME_OMIT },
                                                               mtime_of(entry) }) < 0)
                r = -errno;
        /* Half a file is none. */
        if (r < 0)
                (void) unlinkat(folder, name, 0);
        return r;
}

static int make_folder(Work *work, const UntarEntry *entry, int folder, const char *name)
{
        const UntarAttribute *list = default_list(entry);
        size_t size = strlen(entry->path) + 1;
        _cleanup_close_ int fd = -1;
        Folder *made;
        int r;

        r = make_and_enter(work, folder, name, 0700, &fd);
        if (r > 0)
                r = made_has(&work->made, fd, "") > 0 ? 0 : 1;
        if (r != 0)
                return r;
        set_attributes(fd, entry);
        if (list->size > LISTS_SIZE_MAX - work->lists_size)
                return -E2BIG;
        made = malloc(sizeof(*made) + size + list->size);
        if (!made)
                return -ENOMEM;
        *made = (Folder){ work->folders, entry->mode,     entry->uid,
                          entry->gid,    mtime_of(entry), list->size };
        memcpy(made->path, entry->path, size);
        made->list = made->path + size;
        if (list->size > 0)
                memcpy(made->list, list->value, list->size);
        work->lists_size += list->size;
        work->folders = made;
        return 0;
}

static int make_hard_link(Work *work, const UntarEntry *entry, int folder, const char *name)
{
        char target[NAME_MAX + 1];
        _cleanup_close_ int target_folder = -1;
        int r = open_parent(work, entry->target ?: "", false, &target_folder, target);

        if (r != 0)
                return r < 0 ? r : -EINVAL;
        r = made_has(&work->made, target_folder, target);
        if (r <= 0)
                return r < 0 ? r : -EINVAL;
        return linkat(target_folder, target, folder, name, 0) < 0 ? -errno : 0;
}

static int make_node(Work *work, const UntarEntry *entry, int folder, const char *name)
{
        mode_t kind = entry->type == '6' ? S_IFIFO : entry->type == '4' ? S_IFBLK : S_IFCHR;
        dev_t device = entry->type == '6' ? 0 : makedev(entry->major, entry->minor);

        if (entry->type != '6' && !work->unpack->devices) {
                work->unpack->devices_left_out++;
                return 1;
        }
        if (mknodat(folder, name, kind | 0600, device) < 0)
                return -errno;
        return fchmodat(folder, name, entry->mode & 0777, 0) < 0 ? -errno : 0;
}

/* 1: left out on purpose. */
static int make(Work *work, Untar *untar, const UntarEntry *entry, int folder, const char *name,
                int *ret_stream)
{
        int r;

        switch (entry->type) {
        case '0':
                return make_file(work, untar, entry, folder, name, ret_stream);
        case '1':
                return make_hard_link(work, entry, folder, name);
        case '2':
                r = symlinkat(entry->target ?: "", folder, name) < 0 ? -errno : 0;
                break;
        case '3':
        case '4':
        case '6':
                r = make_node(work, entry, folder, name);
                break;
        case '5':
                return make_folder(work, entry, folder, name);
        default:
                return -EOPNOTSUPP;
        }
        if (r == 0)
                r = made_add(&work->made, folder, name);
        if (r == 0)
                r = set_owner(work, folder, name, entry->uid, entry->gid);
        return r == 0 ? set_time(folder, name, mtime_of(entry)) : r;
}

static const char *why(int error)
{
        if (error == -EINVAL)
                return "this name, or what it links to, is none that can be unpacked; left out";
        if (error == -EEXIST)
                return "is there already, and stays as it is";
        if (error == -ELOOP || error == -ENOTDIR)
                return "a link or a file stands where its folder should be; left out";
        return strerror(-error);
}

static int unpack_one(Work *work, Untar *untar, const UntarEntry *entry)
{
        char name[NAME_MAX + 1] = "";
        _cleanup_close_ int folder = -1;
        int stream = 0, r;

        r = open_parent(work, entry->path, true, &folder, name);
        if (r > 0)
                return 0;
        if (r >= 0)
                r = make(work, untar, entry, folder, name, &stream);
        if (stream < 0)
                return stream;
        if (r < 0)
                refuse(work, entry->path, why(r));
        else if (r == 0)
                work->unpack->files++;
        return 0;
}

/* The last first, so that the time of a folder is not changed by one in it. */
static void finish_folders(Work *work)
{
        for (Folder *made = work->folders, *next; made; made = next) {
                char name[NAME_MAX + 1] = "";
                _cleanup_close_ int folder = -1, fd = -1;
                int r = open_parent(work, made->path, false, &folder, name);

                next = made->next;
                if (r == 0)
                        r = enter(folder, name, &fd);
                if (r == 0)
                        r = set_owner(work, fd, "", made->uid, made->gid);
                if (r == 0 && made->list_size > 0)
                        (void) fsetxattr(fd, DEFAULT_LIST, made->list, made->list_size, 0);
                if (r == 0 && fchmod(fd, mode_of(work, made->mode)) < 0)
                        r = -errno;
                if (r == 0)
                        r = set_time(folder, name, made->mtime);
                if (r < 0)
                        refuse(work, made->path, why(r));
                free(made);
        }
        work->folders = NULL;
}

int unpack_stream(Unpack *unpack, int fd)
{
        _cleanup_free_ char *data = malloc(DATA_SIZE);
        Work work = { .unpack = unpack, .data = data };
        Untar *untar = untar_new(fd);
        UntarEntry entry;
        int r = data && untar ? 1 : -ENOMEM;

        while (r > 0) {
                r = untar_next(untar, &entry);
                if (r > 0) {
                        int s = unpack_one(&work, untar, &entry);

                        if (s < 0)
                                r = s;
                }
        }
        finish_folders(&work);
        made_done(&work.made);
        (void) untar_free(untar);
        return r;
}
