/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tar stream (see get.h). A file with holes is read twice: where they are is known only when it was, and stands before the data.
 * What cannot be read is left out as long as nothing of it was sent. After that the stream cannot go on, and it all ends.
 */
#include "get.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "holes.h"
#include "path-text.h"
#include "tar.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A file that has more than one name, by the first. */
typedef struct Link {
        int64_t device, inode;
        char path[];
} Link;

typedef struct Get {
        Guest *guest;
        Stream *stream;
        GetCount *count;
        void *links; /* a tree of Link */
} Get;

static int compare_links(const void *a, const void *b)
{
        const Link *x = a, *y = b;

        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        return x->inode == y->inode ? 0 : x->inode < y->inode ? -1 : 1;
}

/* The path of the same file that was sent before; NULL: this is its first. */
static int find_link(Get *get, const WalkEntry *entry, const char **ret_path, Failure *failure)
{
        size_t size = strlen(entry->path) + 1;
        Link *link = malloc(sizeof(*link) + size), **found;

        if (!link)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        *link = (Link){ entry->stat->st_dev, entry->stat->st_ino };
        memcpy(link->path, entry->path, size);
        found = tsearch(link, &get->links, compare_links);
        *ret_path = found && *found != link ? (*found)->path : NULL;
        if (!found || *found != link)
                free(link);
        return found ? 0 : failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
}

/* Its other names are no names of it: it was not sent. */
static void forget_link(Get *get, const WalkEntry *entry)
{
        const Link key = { entry->stat->st_dev, entry->stat->st_ino };
        Link **found = tfind(&key, &get->links, compare_links), *link;

        if (!found)
                return;
        link = *found;
        (void) tdelete(&key, &get->links, compare_links);
        free(link);
}

static char type_of(const struct guestfs_statns *stat)
{
        switch (stat->st_mode & S_IFMT) {
        case S_IFREG:
                return '0';
        case S_IFLNK:
                return '2';
        case S_IFCHR:
                return '3';
        case S_IFBLK:
                return '4';
        case S_IFDIR:
                return '5';
        case S_IFIFO:
                return '6';
        default:
                return '\0';
        }
}

/* As a tar names it: below where it is unpacked. */
static const char *relative(const char *path)
{
        return path[1] ? path + 1 : ".";
}

static int send_header(Get *get, TarEntry *header, const WalkEntry *entry, Failure *failure)
{
        _cleanup_free_ TarAttribute *attributes = calloc(entry->n_xattrs + 1, sizeof(*attributes));
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        if (!attributes)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        for (size_t i = 0; header->type != '1' && i < entry->n_xattrs; i++)
                attributes[header->n_attributes++] =
                                (TarAttribute){ entry->xattrs[i].attrname, entry->xattrs[i].attrval,
                                                entry->xattrs[i].attrval_len };
        header->attributes = attributes;
        r = tar_header(header, &data, &size);
        return r < 0 ? failure_set(failure, BUS_ERROR_FAILED, "A header cannot be made: %s",
                                   strerror(-r))
                     : stream_write(get->stream, data, size, failure);
}

static int pad(Get *get, uint64_t size, Failure *failure)
{
        static const char zeroes[TAR_BLOCK];

        return size % TAR_BLOCK > 0 ? stream_write(get->stream, zeroes,
                                                   TAR_BLOCK - (size_t) (size % TAR_BLOCK), failure)
                                    : 0;
}

static int send_range(void *userdata, const void *data, size_t size, Failure *failure)
{
        const Get *get = userdata;

        return stream_write(get->stream, data, size, failure);
}

static int send_holed(Get *get, TarEntry *header, const WalkEntry *entry, const Holes *holes,
                      Failure *failure)
{
        _cleanup_free_ char *map = NULL;
        size_t size = 0;
        int r;

        if (holes_map(holes, (uint64_t) entry->stat->st_size, &map, &size) < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        header->real_size = (uint64_t) entry->stat->st_size;
        header->size = size + holes->bytes;
        r = send_header(get, header, entry, failure);
        if (r >= 0)
                r = stream_write(get->stream, map, size, failure);
        for (size_t i = 0; r >= 0 && i < holes->n; i++)
                r = holes_read(get->guest, entry->path, holes->ranges[i].offset,
                               holes->ranges[i].length, send_range, get, failure);
        return r < 0 ? r : pad(get, header->size, failure);
}

/* A file that is sent as it is read. */
typedef struct Plain {
        Get *get;
        TarEntry *header;
        const WalkEntry *entry;
        bool has_begun;
} Plain;

/* The header goes when the first of the file was read. */
static int send_plain(void *userdata, const void *data, size_t size, Failure *failure)
{
        Plain *plain = userdata;
        int r = 0;

        if (!plain->has_begun)
                r = send_header(plain->get, plain->header, plain->entry, failure);
        plain->has_begun = true;
        return r < 0 ? r : stream_write(plain->get->stream, data, size, failure);
}

static int leave_out(Get *get, const WalkEntry *entry, int error, Failure *failure)
{
        forget_link(get, entry);
        return left_out_add(&get->count->left_out, get->guest->handle, error, failure);
}

static int send_file(Get *get, TarEntry *header, const WalkEntry *entry, Failure *failure)
{
        uint64_t size = (uint64_t) entry->stat->st_size;
        Plain plain = { .get = get, .header = header, .entry = entry };
        CLEANUP(holes_done) Holes holes = {};
        int r;

        if (holes_are_likely(entry->stat)) {
                r = holes_find(&holes, get->guest, entry->path, size, failure);
                if (r < 0)
                        return leave_out(get, entry, r, failure);
                if (r == 0 && holes.bytes < size)
                        return send_holed(get, header, entry, &holes, failure);
        }
        header->size = size;
        if (size == 0)
                return send_header(get, header, entry, failure);
        r = holes_read(get->guest, entry->path, 0, size, send_plain, &plain, failure);
        if (r < 0)
                return plain.has_begun ? r : leave_out(get, entry, r, failure);
        return pad(get, size, failure);
}

static int send_entry(void *userdata, const WalkEntry *entry, Failure *failure)
{
        const struct guestfs_statns *stat = entry->stat;
        Get *get = userdata;
        const char *first = NULL;
        TarEntry header = {
                .path = relative(entry->path),
                .type = type_of(stat),
                .mode = (uint32_t) (stat->st_mode & 07777),
                .uid = (uint64_t) stat->st_uid,
                .gid = (uint64_t) stat->st_gid,
                .mtime_sec = stat->st_mtime_sec,
                .mtime_nsec = (uint32_t) stat->st_mtime_nsec,
                .target = entry->target,
        };
        int r = 0;

        if (!header.type || stat->st_size < 0) {
                get->count->skipped++;
                return 0;
        }
        get->count->entries++;
        if (header.type == '3' || header.type == '4') {
                header.major = major((dev_t) stat->st_rdev);
                header.minor = minor((dev_t) stat->st_rdev);
        }
        if (stat->st_nlink > 1 && header.type != '5')
                r = find_link(get, entry, &first, failure);
        if (r < 0)
                return r;
        if (first) {
                header.type = '1';
                header.target = relative(first);
        }
        return header.type == '0' ? send_file(get, &header, entry, failure)
                                  : send_header(get, &header, entry, failure);
}

int get_paths(Guest *guest, const FilesSpec *spec, const Mounts *mounts, Stream *stream,
              GetCount *count, Failure *failure)
{
        static const char end[2 * TAR_BLOCK];
        Get get = { .guest = guest, .stream = stream, .count = count };
        Walk walk = {
                .guest = guest->handle,
                .visit = send_entry,
                .userdata = &get,
                .recursive = true,
                .wants_xattrs = true,
                .left_out = &count->left_out,
                .mounts = mounts,
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < spec->n_paths; i++)
                r = walk_path(&walk, spec->paths[i], failure);
        tdestroy(get.links, free);
        return r < 0 ? r : stream_write(stream, end, sizeof(end), failure);
}
