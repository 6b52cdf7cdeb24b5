/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of files (see list.h).
 */
#include "list.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "path-text.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char *type_of(int64_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFREG:
                return "file";
        case S_IFDIR:
                return "directory";
        case S_IFLNK:
                return "symlink";
        case S_IFBLK:
                return "block";
        case S_IFCHR:
                return "character";
        case S_IFIFO:
                return "fifo";
        case S_IFSOCK:
                return "socket";
        default:
                return "unknown";
        }
}

static int add_device(json_t *line, const struct guestfs_statns *stat)
{
        dev_t device = (dev_t) stat->st_rdev;

        if (!S_ISBLK(stat->st_mode) && !S_ISCHR(stat->st_mode))
                return 0;
        return json_object_update_new(line, json_pack("{s:i, s:i}", "major", (int) major(device),
                                                      "minor", (int) minor(device)));
}

static json_t *describe(const WalkEntry *entry)
{
        const struct guestfs_statns *stat = entry->stat;
        _cleanup_free_ char *path = path_text_from_bytes(entry->path);
        _cleanup_free_ char *target = entry->target ? path_text_from_bytes(entry->target) : NULL;
        json_t *line = json_pack(
                        "{s:s, s:s, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:s*}", "path", path,
                        "type", type_of(stat->st_mode), "size", (json_int_t) stat->st_size,
                        "allocated", (json_int_t) stat->st_blocks * 512, "mode",
                        (int) (stat->st_mode & 07777), "uid", (json_int_t) stat->st_uid, "gid",
                        (json_int_t) stat->st_gid, "links", (json_int_t) stat->st_nlink,
                        "mtime_sec", (json_int_t) stat->st_mtime_sec, "mtime_nsec",
                        (json_int_t) stat->st_mtime_nsec, "target", target);

        if (line && add_device(line, stat) < 0) {
                json_decref(line);
                return NULL;
        }
        return line;
}

static int show(void *userdata, const WalkEntry *entry, Failure *failure)
{
        CLEANUP(json_decrefp) json_t *line = describe(entry);
        _cleanup_free_ char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
        Stream *stream = userdata;
        int r;

        if (!text)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        r = stream_write(stream, text, strlen(text), failure);
        return r < 0 ? r : stream_write(stream, "\n", 1, failure);
}

int list_paths(Guest *guest, const FilesSpec *spec, const Mounts *mounts, Stream *stream,
               uint64_t *n_entries, LeftOut *left_out, Failure *failure)
{
        Walk walk = {
                .guest = guest->handle,
                .visit = show,
                .userdata = stream,
                .recursive = spec->recursive,
                .skips_top = true,
                .left_out = left_out,
                .mounts = mounts,
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < spec->n_paths; i++)
                r = walk_path(&walk, spec->paths[i], failure);
        *n_entries += walk.n_entries;
        return r;
}
