/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk (see walk.h). Each question to the appliance costs a way there and back, so a folder is asked for many names at once. All
 * that comes back is the guest's: names that no file can have end the walk.
 */
#include "walk.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "log.h"
#include "path-text.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
        LOGGED_MAX = 100, /* of what is left out, by name */
        NAMES_AT_ONCE = 500,
        DEPTH_MAX = 512,
        PATH_SIZE_MAX = 64 * 1024,
};

/* Some names of one folder, and what is known of them; the lists are as long as the names. */
typedef struct Batch {
        char *names[NAMES_AT_ONCE + 1]; /* borrowed */
        size_t n;
        struct guestfs_statns_list *stats;
        char **targets;
        struct guestfs_xattr_list *xattrs;
        size_t next_xattr;
        bool asks_alone; /* for the attributes of each name */
} Batch;

static void strings_free(char ***strings)
{
        for (size_t i = 0; *strings && (*strings)[i]; i++)
                free((*strings)[i]);
        free(*strings);
}

static void batch_done(Batch *batch)
{
        if (batch->stats)
                guestfs_free_statns_list(batch->stats);
        if (batch->xattrs)
                guestfs_free_xattr_list(batch->xattrs);
        strings_free(&batch->targets);
}

static int fail(const Walk *walk, const char *path, const char *what, Failure *failure)
{
        _cleanup_free_ char *text = path_text_from_bytes(path);

        return failure_guest(failure, walk->guest, BUS_ERROR_FAILED, "%.200s: %s", text ?: "",
                             what);
}

int left_out_add(LeftOut *left_out, guestfs_h *guest, int error, Failure *failure)
{
        if (guestfs_is_ready(guest) <= 0)
                return error;
        if (left_out->n++ == 0)
                left_out->first = *failure;
        if (left_out->n <= LOGGED_MAX)
                (void) log_warning(error, "Left out: %s", failure->text);
        *failure = (Failure){};
        return 0;
}

int left_out_check(const LeftOut *left_out, Failure *failure)
{
        if (left_out->n == 0)
                return 0;
        return failure_set(failure, BUS_ERROR_FAILED,
                           "Not all of it can be read: %" PRIu64
                           " left out (the journal names them), the first: %.480s",
                           left_out->n, left_out->first.text);
}

static int leave_out(const Walk *walk, const char *path, const char *why, Failure *failure)
{
        _cleanup_free_ char *text = path_text_from_bytes(path);

        return left_out_add(walk->left_out, walk->guest,
                            failure_set(failure, BUS_ERROR_FAILED, "%.200s: %s", text ?: "", why),
                            failure);
}

static bool any_link(const Batch *batch)
{
        for (uint32_t i = 0; i < batch->stats->len; i++)
                if (S_ISLNK(batch->stats->val[i].st_mode))
                        return true;
        return false;
}

/* Attributes are as a list in which each name has an entry that only counts those that follow; it counts none where the file system knows
 * none. One that cannot be read fails them all, so that each name is asked for by itself then. */
static int batch_read(Batch *batch, const Walk *walk, const char *folder, Failure *failure)
{
        guest_expect("a folder is read");
        batch->stats = guestfs_lstatnslist(walk->guest, folder, batch->names);
        if (!batch->stats)
                return fail(walk, folder, "cannot be read", failure);
        if (batch->stats->len != batch->n)
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "The appliance does not answer what was asked");
        if (any_link(batch)) {
                size_t n = 0;

                guest_expect("links are read");
                batch->targets = guestfs_readlinklist(walk->guest, folder, batch->names);
                while (batch->targets && batch->targets[n])
                        n++;
                if (n != batch->n)
                        return fail(walk, folder, "its links cannot be read", failure);
        }
        if (walk->wants_xattrs) {
                guest_expect("attributes are read");
                batch->xattrs = guestfs_lxattrlist(walk->guest, folder, batch->names);
                batch->asks_alone = !batch->xattrs;
        }
        return 0;
}

static int read_xattrs_alone(Batch *batch, const Walk *walk, const char *folder, char *name,
                             const char *path, Failure *failure)
{
        char *names[] = { name, NULL };

        if (batch->xattrs)
                guestfs_free_xattr_list(batch->xattrs);
        batch->next_xattr = 0;
        guest_expect("attributes are read");
        batch->xattrs = guestfs_lxattrlist(walk->guest, folder, names);
        if (batch->xattrs)
                return 0;
        return left_out_add(walk->left_out, walk->guest,
                            fail(walk, path, "its attributes cannot be read", failure), failure);
}

/* How many of the attributes are those of the next name. */
static size_t take_xattrs(Batch *batch, const struct guestfs_xattr **ret_first)
{
        const struct guestfs_xattr *count;
        char digits[8] = {};
        size_t n;

        if (!batch->xattrs || batch->next_xattr >= batch->xattrs->len)
                return 0;
        count = batch->xattrs->val + batch->next_xattr++;
        memcpy(digits, count->attrval,
               count->attrval_len < sizeof(digits) ? count->attrval_len : sizeof(digits) - 1);
        n = (size_t) strtoul(digits, NULL, 10);
        if (n > batch->xattrs->len - batch->next_xattr)
                n = batch->xattrs->len - batch->next_xattr;
        *ret_first = batch->xattrs->val + batch->next_xattr;
        batch->next_xattr += n;
        return n;
}

static int walk_folder(Walk *walk, const char *path, unsigned depth, Failure *failure);

static int visit(Walk *walk, const WalkEntry *entry, unsigned depth, Failure *failure)
{
        int r;

        walk->n_entries++;
        r = walk->visit(walk->userdata, entry, failure);
        if (r < 0 || !S_ISDIR(entry->stat->st_mode) || !walk->recursive)
                return r;
        return walk_folder(walk, entry->path, depth + 1, failure);
}

/* What libguestfs could not look at has no inode: a name of a damaged folder. A link that leads nowhere at all is one it could not read. */
static int visit_name(Walk *walk, Batch *batch, size_t i, const char *folder, unsigned depth,
                      Failure *failure)
{
        const char *base = strcmp(folder, "/") == 0 ? "" : folder;
        _cleanup_free_ char *path = text_format("%s/%s", base, batch->names[i]);
        WalkEntry entry = { .path = path, .stat = batch->stats->val + i };
        bool is_link = S_ISLNK(entry.stat->st_mode);
        int r = 0;

        if (!path)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        if (batch->asks_alone)
                r = read_xattrs_alone(batch, walk, folder, batch->names[i], path, failure);
        if (r < 0)
                return r;
        entry.n_xattrs = take_xattrs(batch, &entry.xattrs);
        if (entry.stat->st_ino == -1)
                return leave_out(walk, path, "is in its folder, and cannot be looked at", failure);
        if (is_link && !*batch->targets[i])
                return leave_out(walk, path, "the link cannot be read", failure);
        entry.target = is_link ? batch->targets[i] : NULL;
        return visit(walk, &entry, depth, failure);
}

static int visit_batch(Walk *walk, Batch *batch, const char *folder, unsigned depth,
                       Failure *failure)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < batch->n; i++)
                r = visit_name(walk, batch, i, folder, depth, failure);
        return r;
}

static bool name_is_sound(const char *name)
{
        return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int walk_folder(Walk *walk, const char *path, unsigned depth, Failure *failure)
{
        CLEANUP(strings_free) char **names = NULL;
        int r = 0;

        if (depth > DEPTH_MAX || strlen(path) > PATH_SIZE_MAX)
                return leave_out(walk, path, "lies too deep in other folders", failure);
        guest_expect("a folder is read");
        names = guestfs_ls(walk->guest, path);
        if (!names)
                return left_out_add(walk->left_out, walk->guest,
                                    fail(walk, path, "cannot be read", failure), failure);
        for (size_t i = 0; r >= 0 && names[i];) {
                CLEANUP(batch_done) Batch batch = {};

                for (; names[i] && batch.n < NAMES_AT_ONCE; i++) {
                        if (!name_is_sound(names[i]))
                                return failure_set(failure, BUS_ERROR_FAILED,
                                                   "A folder has a name that no file can have");
                        batch.names[batch.n++] = names[i];
                }
                r = batch_read(&batch, walk, path, failure);
                if (r >= 0)
                        r = visit_batch(walk, &batch, path, depth, failure);
        }
        return r;
}

/* By the same questions as a folder's children, so that it looks like one. */
static int walk_top(Walk *walk, const char *path, Failure *failure)
{
        _cleanup_free_ char *copy = strdup(path);
        CLEANUP(batch_done) Batch batch = { .n = 1 };
        char *slash = copy ? strrchr(copy, '/') : NULL;
        int r;

        if (!slash)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        *slash = '\0';
        batch.names[0] = slash[1] ? slash + 1 : (char[]){ "." };
        r = batch_read(&batch, walk, *copy ? copy : "/", failure);
        if (r < 0)
                return r;
        if (walk->skips_top && S_ISDIR(batch.stats->val[0].st_mode))
                return walk_folder(walk, path, 0, failure);
        if (strcmp(path, "/") == 0) {
                const WalkEntry entry = { .path = path, .stat = batch.stats->val };

                return visit(walk, &entry, 0, failure);
        }
        return visit_batch(walk, &batch, *copy ? copy : "/", 0, failure);
}

/* Where a place may be that is not mounted, it is the reason: above the path, or anywhere, behind a link. */
static int refuse_path(const Walk *walk, const char *path, Failure *failure)
{
        const Unmounted *missing = walk->mounts->n > 0 ? walk->mounts->unmounted : NULL;
        _cleanup_free_ char *text = path_text_from_bytes(path);
        _cleanup_free_ char *place = NULL;

        for (size_t i = 0; i < walk->mounts->n; i++)
                if (unmounted_is_above(walk->mounts->unmounted + i, path)) {
                        missing = walk->mounts->unmounted + i;
                        break;
                }
        if (!missing)
                return failure_set(failure, BUS_ERROR_NOT_FOUND,
                                   "There is no '%.300s' in the backup: %.200s", text ?: "",
                                   guestfs_last_error(walk->guest) ?: "");
        place = path_text_from_bytes(missing->place);
        return failure_set(failure, BUS_ERROR_NOT_FOUND,
                           "There is no '%.200s' in what can be read of the backup, which is "
                           "without %.100s: %.300s",
                           text ?: "", place ?: "", missing->why.text);
}

/* What is below a folder that is not gone through is not asked for. */
static int leave_unmounted_out(const Walk *walk, const char *path, Failure *failure)
{
        int r = 0;

        for (size_t i = 0; i < walk->mounts->n && r >= 0; i++) {
                const Unmounted *missing = walk->mounts->unmounted + i;

                if (unmounted_is_above(missing, path) ||
                    (walk->recursive && unmounted_is_below(missing, path)))
                        r = leave_out(walk, missing->place, missing->why.text, failure);
        }
        return r;
}

int walk_path(Walk *walk, const char *path, Failure *failure)
{
        struct guestfs_statns *stat;
        int r;

        guest_expect("a path is looked for");
        stat = guestfs_lstatns(walk->guest, path);
        if (!stat)
                return refuse_path(walk, path, failure);
        guestfs_free_statns(stat);
        r = leave_unmounted_out(walk, path, failure);
        return r < 0 ? r : walk_top(walk, path, failure);
}
