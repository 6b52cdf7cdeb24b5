/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rebase of a copy, commit into a full layer (see merge-work.h). `qemu-img rebase` killed in the middle leaves wrong data that
 * look right, so it never meets an image that anybody reads. `qemu-img commit` killed in the middle leaves the lower layer
 * between two states, the child above it the same, and can be repeated.
 */
#include "merge-work.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clone.h"
#include "digest.h"
#include "fault-point.h"
#include "image.h"
#include "json-cleanup.h"
#include "manifest.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
        UNSEALED_MODE = 0640, /* while it is merged into */
};

static Image image_of(const Merge *merge, const char *name)
{
        return (Image){ .path = merge->path, .name = name, .folder = merge->folder, .fd = -1 };
}

/* name holds exactly the wanted blocks' content. */
static int compare(const Merge *merge, const char *name, const json_t *blocks, bool held_too,
                   Failure *failure)
{
        CLEANUP(json_decref_p) json_t *digest = NULL;
        const Image image = image_of(merge, name);
        int r;

        r = digest_blocks(&image, merge->capacity_bytes, blocks, held_too, &digest, failure);
        if (r < 0)
                return r;
        if (json_equal(json_object_get(digest, "blocks"), blocks))
                return 0;
        return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                           "%s: %s does not read as the digests of its backup say; a layer of this "
                           "chain is damaged: verify its backups, delete from the newest one down",
                           merge->path, name);
}

static int check(const Merge *merge, const char *name, const char *below, Failure *failure)
{
        CLEANUP(json_decref_p) json_t *chain = NULL;
        const Image image = image_of(merge, name);
        uint64_t n_leaks;
        int r;

        r = image_check(&image, &n_leaks, failure);
        if (r == bus_error_to_errno(BUS_ERROR_IMAGE_DAMAGED))
                return failure_set(
                                failure, BUS_ERROR_IMAGE_DAMAGED,
                                "%s: qemu-img check finds damage in %s; verify the backups of this "
                                "chain, delete from the newest one down",
                                merge->path, name);
        if (r >= 0)
                r = image_describe(&image, name, &chain, failure);
        return r < 0 ? r : image_compare(&image, chain, merge->capacity_bytes, below, failure);
}

static int sync_and_seal(const Merge *merge, int fd, const char *name, Failure *failure)
{
        fault_point("merge.sync.before");
        if (fsync(fd) < 0)
                return failure_errno(failure, -errno, "Cannot write %s beside %s to its disk", name,
                                     merge->path);
        fault_point("merge.seal.before");
        if (fchmod(fd, REPOSITORY_SEALED_MODE) < 0 || fsync(fd) < 0 || fsync(merge->folder) < 0)
                return failure_errno(failure, -errno, "Cannot seal %s beside %s", name,
                                     merge->path);
        fault_point("merge.seal.after");
        return 0;
}

static int run(const Merge *merge, const char *const argv[], Failure *failure)
{
        int r, status;
        Said said;

        r = tool_run(merge->folder, argv, &status, NULL, &said, failure);
        if (r >= 0 && status != 0)
                r = tool_failure(failure, BUS_ERROR_FAILED, merge->path, "qemu-img cannot merge it",
                                 &said);
        return r;
}

int merge_work_copy(const Merge *merge, Failure *failure)
{
        const char *below = merge->parent_id ? merge->below.image : NULL;
        const char *const argv[] = { "qemu-img",
                                     "rebase",
                                     "-q",
                                     "-f",
                                     "qcow2",
                                     "-F",
                                     "qcow2",
                                     "-b",
                                     below ?: "",
                                     "--",
                                     merge->child.merge,
                                     NULL };
        _cleanup_close_ int fd = -1;
        int r;

        r = clone_file(merge->folder, merge->child.image, merge->child.merge, &fd);
        if (r < 0)
                return failure_errno(failure, r, "Cannot copy %s", merge->path);
        fault_point("merge.rebase.before");
        r = run(merge, argv, failure);
        fault_point("merge.rebase.after");
        if (r >= 0)
                r = check(merge, merge->child.merge, below, failure);
        if (r >= 0)
                r = compare(merge, merge->child.merge, merge->blocks, true, failure);
        return r < 0 ? r : sync_and_seal(merge, fd, merge->child.merge, failure);
}

/* The mode is the last thing that is written to it. */
bool merge_work_copy_is_whole(const Merge *merge)
{
        struct stat st;

        return fstatat(merge->folder, merge->child.merge, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(st.st_mode) && (st.st_mode & 07777) == REPOSITORY_SEALED_MODE;
}

static int open_image(const Merge *merge, const char *name, int *ret_fd, Failure *failure)
{
        int fd = openat(merge->folder, name,
                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

        if (fd < 0)
                return failure_errno(failure, -errno, "Cannot open %s beside %s", name,
                                     merge->path);
        *ret_fd = fd;
        return 0;
}

static int check_unused(const Merge *merge, const char *name, Failure *failure)
{
        _cleanup_close_ int fd = -1;
        int r = open_image(merge, name, &fd, failure);

        return r < 0 ? r : image_check_unlocked(fd, name, failure);
}

int merge_work_is_sound(const Merge *merge, Failure *failure)
{
        const Image doomed = image_of(merge, merge->doomed.image);
        const Image child = image_of(merge, merge->child.image);
        int r = image_is_sound(&doomed, failure);

        return r <= 0 ? r : image_is_sound(&child, failure);
}

int merge_work_judge(const Merge *merge, Failure *failure)
{
        int r;

        r = check_unused(merge, merge->doomed.image, failure);
        if (r >= 0)
                r = check_unused(merge, merge->child.image, failure);
        if (r >= 0)
                r = compare(merge, merge->child.image, merge->blocks, true, failure);
        return r;
}

/* The tools open what they may change for writing, and this does not run as root. */
static int unseal(const Merge *merge, const char *name, int *ret_fd, Failure *failure)
{
        int r = open_image(merge, name, ret_fd, failure);

        if (r >= 0 && fchmod(*ret_fd, UNSEALED_MODE) < 0)
                r = failure_errno(failure, -errno, "Cannot set the mode of %s beside %s", name,
                                  merge->path);
        return r;
}

static int commit(const Merge *merge, int full, Failure *failure)
{
        const char *const argv[] = { "qemu-img", "commit",           "-q", "-d",
                                     "-t",       "writeback",        "-f", "qcow2",
                                     "--",       merge->child.image, NULL };
        int r;

        fault_point("merge.commit.before");
        r = run(merge, argv, failure);
        fault_point("merge.commit.after");
        if (r >= 0)
                r = check(merge, merge->doomed.image, merge->parent_id ? merge->below.image : NULL,
                          failure);
        if (r >= 0)
                r = compare(merge, merge->doomed.image, merge->blocks, true, failure);
        return r < 0 ? r : sync_and_seal(merge, full, merge->doomed.image, failure);
}

int merge_work_commit(const Merge *merge, Failure *failure)
{
        _cleanup_close_ int full = -1, child = -1;
        int r;

        fault_point("merge.unseal.before");
        r = unseal(merge, merge->doomed.image, &full, failure);
        if (r >= 0)
                r = unseal(merge, merge->child.image, &child, failure);
        fault_point("merge.unseal.after");
        if (r >= 0)
                r = commit(merge, full, failure);
        /* Whatever came of it, nobody else shall write to them. */
        if (full >= 0)
                (void) fchmod(full, REPOSITORY_SEALED_MODE);
        if (child >= 0)
                (void) fchmod(child, REPOSITORY_SEALED_MODE);
        return r;
}
