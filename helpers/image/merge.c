/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One layer out of one chain (see merge.h): its states, the swap of the images, and the new manifest. The work on the
 * images is that of merge-work.c.
 */
#include "merge.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "json-cleanup.h"
#include "manifest.h"
#include "merge-work.h"
#include "qcow2-header.h"
#include "seal.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int read_manifest(const Merge *merge, const char *name, json_t **ret_manifest,
                         Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = small_file_read_at(merge->folder, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0)
                return failure_errno(failure, r, "Cannot read the manifest %s beside %s", name,
                                     merge->path);
        r = manifest_parse(MANIFEST_DISK, text, size, ret_manifest, error);
        return r < 0 ? failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: its manifest or that of the layer below, %s, is damaged: "
                                   "%s; "
                                   "bring it back from a copy of the repository",
                                   merge->path, name, error)
                     : 0;
}

/* 1: the file is not there. */
static int look_at(const Merge *merge, const char *name, uint64_t *ret_bytes,
                   Qcow2Header *ret_header, Failure *failure)
{
        _cleanup_close_ int fd = openat(merge->folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        char bytes[QCOW2_HEADER_BYTES];
        struct stat st;
        ssize_t n;

        if (fd < 0 && errno == ENOENT)
                return 1;
        if (fd < 0 || fstat(fd, &st) < 0)
                return failure_errno(failure, -errno, "Cannot open %s beside %s", name,
                                     merge->path);
        n = pread(fd, bytes, sizeof(bytes), 0);
        if (!S_ISREG(st.st_mode) || n < 0 || qcow2_header_parse(bytes, (size_t) n, ret_header) < 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s beside %s is no QCOW2 or cannot be read", name, merge->path);
        *ret_bytes = (uint64_t) st.st_blocks * 512;
        return 0;
}

static int find_state(Merge *merge, Failure *failure)
{
        const char *parent = json_field_text(merge->child_manifest, "parent_backup_id");
        Qcow2Header header;
        int r;

        r = look_at(merge, merge->child.image, &merge->child_bytes, &header, failure);
        if (r > 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED, "%s is not there",
                                   merge->path);
        if (r < 0)
                return r;
        if (strcmp(header.backing, merge->doomed.image) == 0)
                merge->state = MERGE_PENDING;
        else if (parent && strcmp(parent, merge->doomed_id) == 0)
                merge->state = MERGE_SWAPPED;
        else
                merge->state = MERGE_TOLD;
        /* One that took the child's name is gone. */
        r = look_at(merge, merge->doomed.image, &merge->doomed_bytes, &header, failure);
        if (r > 0 && merge->state == MERGE_PENDING)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: the layer below, %s, is not there", merge->path,
                                   merge->doomed.image);
        return r < 0 ? r : 0;
}

/* The child's digests win: they are of what the guest reads there, through all layers. */
static int unite(Merge *merge)
{
        const json_t *upper =
                        json_object_get(json_object_get(merge->child_manifest, "digest"), "blocks");
        const json_t *lower = json_object_get(json_object_get(merge->doomed_manifest, "digest"),
                                              "blocks");

        merge->blocks = json_deep_copy(lower);
        return !merge->blocks || json_object_update(merge->blocks, (json_t *) upper) < 0 ? -ENOMEM
                                                                                         : 0;
}

static int open_all(Merge *merge, int vm, const char *key, Failure *failure)
{
        int r;

        r = repository_open_folder(merge->repository, vm, key, &merge->folder, failure);
        if (r > 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED, "%s is not there",
                                   merge->path);
        if (r == 0)
                r = read_manifest(merge, merge->child.manifest, &merge->child_manifest, failure);
        if (r == 0)
                r = read_manifest(merge, merge->doomed.manifest, &merge->doomed_manifest, failure);
        if (r == 0)
                r = find_state(merge, failure);
        if (r < 0)
                return r;
        r = unite(merge);
        if (r < 0)
                return failure_errno(failure, r, "Cannot merge %s", merge->path);
        merge->capacity_bytes = json_field_number(merge->child_manifest, "capacity_bytes");
        if (json_field_number(merge->doomed_manifest, "capacity_bytes") != merge->capacity_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: the layer below, %s, is of another capacity", merge->path,
                                   merge->doomed.image);
        return 0;
}

int merge_open(Merge *merge, const Repository *repository, int vm, uint32_t disk_key,
               const char *doomed_id, const char *child_id, const char *parent_id, bool in_place,
               Failure *failure)
{
        char key[24];
        int r;

        *merge = (Merge){ .repository = repository,
                          .folder = -1,
                          .disk_key = disk_key,
                          .doomed_id = doomed_id,
                          .parent_id = parent_id,
                          .in_place = in_place };
        layer_names(doomed_id, &merge->doomed);
        layer_names(child_id, &merge->child);
        if (parent_id)
                layer_names(parent_id, &merge->below);
        (void) snprintf(key, sizeof(key), "%" PRIu32, disk_key);
        (void) snprintf(merge->path, sizeof(merge->path), "%s, disk %s: %s", repository->path, key,
                        merge->child.image);
        r = open_all(merge, vm, key, failure);
        if (r < 0)
                merge_done(merge);
        return r;
}

void merge_done(Merge *merge)
{
        cleanup_close_p(&merge->folder);
        merge->folder = -1;
        json_decref(TAKE(merge->child_manifest));
        json_decref(TAKE(merge->doomed_manifest));
        json_decref(TAKE(merge->blocks));
}

/* Nothing is written into a layer that is not sound: its child gets a copy then. */
static int choose_way(Merge *merge, Failure *failure)
{
        int r = merge->in_place ? merge_work_is_sound(merge, failure) : 0;

        if (r >= 0)
                merge->in_place = r > 0;
        return r < 0 ? r : 0;
}

int merge_prepare(Merge *merge, Failure *failure)
{
        int r = choose_way(merge, failure);

        if (r >= 0)
                r = merge_work_judge(merge, failure);
        return r < 0 || merge->in_place ? r : merge_work_copy(merge, failure);
}

static bool name_is_copy(const char *name)
{
        size_t n = strlen(name), n_suffix = strlen(REPOSITORY_MERGE_SUFFIX);

        return n > n_suffix && strcmp(name + n - n_suffix, REPOSITORY_MERGE_SUFFIX) == 0;
}

static int remove_copy(int folder, const char *name)
{
        int r;

        fault_point("merge.abandon.before");
        r = unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
        fault_point("merge.abandon.after");
        return r;
}

static int abandon_in(int folder)
{
        struct dirent **entries;
        int r = 0, n = scandirat(folder, ".", &entries, NULL, alphasort);
        bool any = false;

        if (n < 0)
                return -errno;
        for (int i = 0; i < n; i++) {
                if (r >= 0 && name_is_copy(entries[i]->d_name)) {
                        any = true;
                        r = remove_copy(folder, entries[i]->d_name);
                }
                free(entries[i]);
        }
        free(entries);
        return r >= 0 && any && fsync(folder) < 0 ? -errno : r;
}

int merge_abandon(const Repository *repository, int vm, Failure *failure)
{
        struct dirent **entries;
        int r = 0, n = scandirat(vm, ".", &entries, NULL, alphasort);

        if (n < 0)
                return failure_errno(failure, -errno, "Cannot list the folders of a VM in %s",
                                     repository->path);
        for (int i = 0; i < n; i++) {
                const char *name = entries[i]->d_name;
                _cleanup_close_ int folder = -1;

                if (r >= 0 && strspn(name, "0123456789") == strlen(name)) {
                        folder = openat(vm, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
                        if (folder >= 0)
                                r = abandon_in(folder);
                        else if (errno != ENOTDIR && errno != ELOOP)
                                r = -errno;
                        if (r < 0)
                                r = failure_errno(failure, r,
                                                  "Cannot remove the copies in %s in %s", name,
                                                  repository->path);
                }
                free(entries[i]);
        }
        free(entries);
        return r;
}

/* The one step that changes what the child's backup is made of. */
static int swap(Merge *merge, Failure *failure)
{
        const char *from = merge->in_place ? merge->doomed.image : merge->child.merge;

        fault_point("merge.swap.before");
        if (renameat(merge->folder, from, merge->folder, merge->child.image) < 0)
                return failure_errno(failure, -errno, "Cannot rename %s to %s", from, merge->path);
        fault_point("merge.swap.after");
        merge->state = MERGE_SWAPPED;
        return 0;
}

static int write_manifest(Merge *merge, Failure *failure)
{
        CLEANUP(json_decref_p) json_t *manifest = json_deep_copy(merge->child_manifest);
        json_t *digest = json_object_get(manifest, "digest");
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        struct stat st;
        int r;

        if (fstatat(merge->folder, merge->child.image, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return failure_errno(failure, -errno, "Cannot look at %s", merge->path);
        if (merge->state == MERGE_SWAPPED) {
                (void) json_object_del(manifest, "parent_backup_id");
                r = json_object_set_new(manifest, "backup_type",
                                        json_string(merge->parent_id ? "incremental" : "full"));
                if (r == 0 && merge->parent_id)
                        r = json_object_set_new(manifest, "parent_backup_id",
                                                json_string(merge->parent_id));
                if (r == 0)
                        r = json_object_set_new(manifest, "size_bytes",
                                                json_integer((json_int_t) st.st_size));
                if (r < 0 || json_object_set(digest, "blocks", merge->blocks) < 0)
                        return failure_errno(failure, -ENOMEM, "Cannot make the manifest of %s",
                                             merge->path);
        }
        if (manifest_format(MANIFEST_DISK, manifest, &text, error) < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "The manifest of %s: %s", merge->path,
                                   error);
        fault_point("merge.manifest.before");
        r = seal_small_file(merge->repository, merge->folder, merge->child.manifest, text, failure);
        fault_point("merge.manifest.after");
        return r;
}

/* The child's new image, and then in its place. */
static int bring(Merge *merge, Failure *failure)
{
        int r = 0;

        if (merge_work_copy_is_whole(merge))
                merge->in_place = false;
        else {
                /* Again: much time may have passed since it was prepared. */
                r = choose_way(merge, failure);
                if (r >= 0)
                        r = merge->in_place ? merge_work_commit(merge, failure)
                                            : merge_work_copy(merge, failure);
        }
        return r < 0 ? r : swap(merge, failure);
}

int merge_finish(Merge *merge, Failure *failure)
{
        int r = merge->state == MERGE_PENDING ? bring(merge, failure) : 0;

        if (r < 0)
                return r;
        /* Also of one that was found swapped: it may be so in the page cache only. */
        if (fsync(merge->folder) < 0)
                return failure_errno(failure, -errno, "Cannot write the folder of %s to its disk",
                                     merge->path);
        fault_point("merge.swap-sync.after");
        return write_manifest(merge, failure);
}
