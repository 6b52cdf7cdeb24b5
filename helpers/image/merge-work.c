/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy that builds on another layer, commit into a full one (see merge-work.h). An image whose link was changed and whose data
 * were not all brought yet looks right and is wrong, so that is done to a copy, which nobody reads. `qemu-img commit` killed
 * in the middle leaves the lower layer between two states, the child above it the same, and can be repeated.
 *
 * What both have made is compared byte by byte with what the child reads, where the layers hold anything that are merged: it
 * costs what they hold. The rest of a full layer is not written to; qemu-img check tells whether any cluster has two masters.
 */
#include "merge-work.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clone.h"
#include "fault-point.h"
#include "held-bytes.h"
#include "image.h"
#include "json-cleanup.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
        UNSEALED_MODE = 0640, /* while it is merged into */
};

Image merge_image(const Merge *merge, const char *name)
{
        return (Image){ .path = merge->path, .name = name, .folder = merge->folder, .fd = -1 };
}

ExtentsLayers merge_layers(const Merge *merge)
{
        return (ExtentsLayers){ .first = 1, .last = merge->in_place ? 1 : 2 };
}

/* name reads as the child does wherever the merged layers hold anything. */
static int compare(const Merge *merge, const char *name, Failure *failure)
{
        const Image child = merge_image(merge, merge->child.image),
                    image = merge_image(merge, name);
        CLEANUP(held_done) Held from = {}, to = {};
        uint64_t offset;
        int r;

        r = held_open(&from, &child, merge->capacity_bytes, false, failure);
        if (r >= 0)
                r = held_open(&to, &image, merge->capacity_bytes, false, failure);
        if (r < 0)
                return r;
        from.moved = merge->moved;
        from.userdata = merge->userdata;
        held_begin(&from, merge_layers(merge));
        r = held_compare(&from, &to, &offset, failure);
        return r <= 0 ? r
                      : failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                    "%s: what was merged into %s reads otherwise near offset "
                                    "%" PRIu64 "; look at the disk of the repository, try again",
                                    merge->path, name, offset);
}

static int check(const Merge *merge, const char *name, const char *below, Failure *failure)
{
        CLEANUP(json_decref_p) json_t *chain = NULL;
        const Image image = merge_image(merge, name);
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

static int link_copy(const Merge *merge, const char *below, Failure *failure)
{
        /* Unsafe alone: the link and nothing else. */
        const char *const argv[] = { "qemu-img", "rebase",    "-q", "-u",
                                     "-f",       "qcow2",     "-F", "qcow2",
                                     "-b",       below ?: "", "--", merge->child.merge,
                                     NULL };

        return run(merge, argv, failure);
}

/* What the doomed layer holds and the child does not; its zeroes take no room. */
static int fill_copy(const Merge *merge, Failure *failure)
{
        const Image child = merge_image(merge, merge->child.image);
        const Image copy = merge_image(merge, merge->child.merge);
        CLEANUP(held_done) Held from = {}, to = {};
        int r;

        r = held_open(&from, &child, merge->capacity_bytes, false, failure);
        if (r >= 0)
                r = held_open(&to, &copy, merge->capacity_bytes, true, failure);
        if (r < 0)
                return r;
        from.moved = merge->moved;
        from.userdata = merge->userdata;
        held_begin(&from, (ExtentsLayers){ .first = 2, .last = 2 });
        r = held_write(&from, &to, failure);
        return r < 0 ? r : held_end(&to, failure);
}

int merge_work_copy(const Merge *merge, Failure *failure)
{
        const char *below = merge->parent_id ? merge->below.image : NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = clone_file(merge->folder, merge->child.image, merge->child.merge, &fd);
        if (r < 0)
                return failure_errno(failure, r, "Cannot copy %s", merge->path);
        fault_point("merge.rebase.before");
        r = link_copy(merge, below, failure);
        fault_point("merge.fill.before");
        if (r >= 0)
                r = fill_copy(merge, failure);
        fault_point("merge.rebase.after");
        if (r >= 0)
                r = check(merge, merge->child.merge, below, failure);
        if (r >= 0)
                r = compare(merge, merge->child.merge, failure);
        return r < 0 ? r : sync_and_seal(merge, fd, merge->child.merge, failure);
}

/* The mode is the last thing that is written to it. */
bool merge_work_copy_is_whole(const Merge *merge)
{
        struct stat st;

        return fstatat(merge->folder, merge->child.merge, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(st.st_mode) && (st.st_mode & 07777) == REPOSITORY_SEALED_MODE;
}

int merge_work_is_sound(const Merge *merge, Failure *failure)
{
        const Image doomed = merge_image(merge, merge->doomed.image);
        const Image child = merge_image(merge, merge->child.image);
        int r = image_is_sound(&doomed, failure);

        return r <= 0 ? r : image_is_sound(&child, failure);
}

int merge_work_open(const Merge *merge, const char *name, int *ret_fd, Failure *failure)
{
        int fd = openat(merge->folder, name,
                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

        if (fd < 0)
                return failure_errno(failure, -errno, "Cannot open %s beside %s", name,
                                     merge->path);
        *ret_fd = fd;
        return 0;
}

/* The tools open what they may change for writing, and this does not run as root. */
static int unseal(const Merge *merge, const char *name, int *ret_fd, Failure *failure)
{
        int r = merge_work_open(merge, name, ret_fd, failure);

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
                r = compare(merge, merge->doomed.image, failure);
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
