/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding and mounting file systems (see filesystems.h).
 */
#include "filesystems.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "path-text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Pairs of libguestfs: a name, and what belongs to it. */
static void strings_free(char ***strings)
{
        for (size_t i = 0; *strings && (*strings)[i]; i++)
                free((*strings)[i]);
        free(*strings);
}

static bool is_mountable(const char *type)
{
        return strcmp(type, "swap") != 0 && strcmp(type, "unknown") != 0 &&
               strcmp(type, "crypto_LUKS") != 0 && strcmp(type, "BitLocker") != 0 && *type;
}

static int read_all(Guest *guest, char ***ret_pairs, Failure *failure)
{
        guest_expect("the file systems are looked for");
        *ret_pairs = guestfs_list_filesystems(guest->handle);
        return *ret_pairs ? 0
                          : failure_guest(failure, guest->handle, BUS_ERROR_FAILED,
                                          "The file systems cannot be listed");
}

/* ── Which ── */

/* What there is, for who must choose. */
static int refuse_choice(char **pairs, const char *why, const char *name, Failure *failure)
{
        char text[400];
        size_t n = 0;

        text[0] = '\0';
        for (size_t i = 0; pairs[i] && pairs[i + 1]; i += 2)
                if (is_mountable(pairs[i + 1]) && n < sizeof(text) - 1)
                        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%s (%s)",
                                               n > 0 ? ", " : "", pairs[i], pairs[i + 1]);
        return failure_set(failure, name, "%s; there %s%s", why,
                           n > 0 ? "are: " : "is none that can be read", text);
}

static char *tag_of(Guest *guest, const char *device, bool wants_uuid)
{
        guest_expect("a label is read");
        return wants_uuid ? guestfs_vfs_uuid(guest->handle, device)
                          : guestfs_vfs_label(guest->handle, device);
}

static bool is_named(Guest *guest, const char *device, const char *name)
{
        bool wants_uuid = strncmp(name, "UUID=", 5) == 0;
        _cleanup_free_ char *tag = NULL;

        if (!wants_uuid && strncmp(name, "LABEL=", 6) != 0)
                return strcmp(device, name) == 0 ||
                       (strncmp(device, "/dev/", 5) == 0 && strcmp(device + 5, name) == 0);
        tag = tag_of(guest, device, wants_uuid);
        return tag && *tag && strcmp(tag, strchr(name, '=') + 1) == 0;
}

static const char *find(Guest *guest, char **pairs, const char *name)
{
        for (size_t i = 0; pairs[i] && pairs[i + 1]; i += 2)
                if (is_mountable(pairs[i + 1]) && is_named(guest, pairs[i], name))
                        return pairs[i];
        return NULL;
}

static const char *find_only(char **pairs)
{
        const char *only = NULL;

        for (size_t i = 0; pairs[i] && pairs[i + 1]; i += 2)
                if (is_mountable(pairs[i + 1])) {
                        if (only)
                                return NULL;
                        only = pairs[i];
                }
        return only;
}

/* ── Mounting ── */

/* With all that it mounts below its root. */
static int mount_system(Guest *guest, const char *root, Mounts *mounts, Failure *failure)
{
        CLEANUP(strings_free) char **pairs = NULL;
        int r;

        guest_expect("the file systems of the system are looked for");
        pairs = guestfs_inspect_get_mountpoints(guest->handle, root);
        if (!pairs)
                return failure_guest(failure, guest->handle, BUS_ERROR_FAILED,
                                     "The file systems of the system cannot be listed");
        r = mounts_add(guest, root, "/", failure);
        return r < 0 ? r : mounts_add_system(mounts, guest, pairs, failure);
}

/* It may be a system all of whose other file systems are damaged. */
static int mount_only(Guest *guest, const char *only, Mounts *mounts, Failure *failure)
{
        char *none[] = { NULL };
        int r = mounts_add(guest, only, "/", failure);

        return r < 0 ? r : mounts_add_system(mounts, guest, none, failure);
}

static int mount_chosen(Guest *guest, char **pairs, char *ret_name, Mounts *mounts,
                        Failure *failure)
{
        CLEANUP(strings_free) char **roots = NULL;
        const char *only = find_only(pairs);

        if (only) {
                (void) snprintf(ret_name, FILESYSTEM_SIZE, "%s", only);
                return mount_only(guest, only, mounts, failure);
        }
        guest_expect("the installed system is looked for");
        roots = guestfs_inspect_os(guest->handle);
        if (!roots || !roots[0] || roots[1])
                return refuse_choice(pairs, "Name the file system", BUS_ERROR_INVALID_ARGUMENT,
                                     failure);
        (void) snprintf(ret_name, FILESYSTEM_SIZE, "%s", roots[0]);
        return mount_system(guest, roots[0], mounts, failure);
}

int filesystems_mount(Guest *guest, const FilesSpec *spec, char ret_name[static FILESYSTEM_SIZE],
                      Mounts *mounts, Failure *failure)
{
        CLEANUP(strings_free) char **pairs = NULL;
        const char *device;
        char why[320];
        int r;

        *ret_name = '\0';
        r = read_all(guest, &pairs, failure);
        if (r < 0)
                return r;
        if (!spec->filesystem)
                return mount_chosen(guest, pairs, ret_name, mounts, failure);
        device = find(guest, pairs, spec->filesystem);
        if (!device) {
                (void) snprintf(why, sizeof(why), "There is no file system '%s'", spec->filesystem);
                return refuse_choice(pairs, why, BUS_ERROR_NOT_FOUND, failure);
        }
        (void) snprintf(ret_name, FILESYSTEM_SIZE, "%s", device);
        return mounts_add(guest, device, "/", failure);
}

/* ── The list ── */

static int add_text(json_t *line, const char *key, char *value)
{
        _cleanup_free_ char *text = value && *value ? path_text_from_bytes(value) : NULL;

        free(value);
        return text ? json_object_set_new(line, key, json_string(text)) : 0;
}

/* How full it is, which takes a mount. */
static void add_usage(Guest *guest, const char *device, json_t *line)
{
        struct guestfs_statvfs *usage;
        Failure ignored = {};

        if (mounts_add(guest, device, "/", &ignored) < 0) {
                (void) json_object_set_new(line, "problem", json_string(ignored.text));
                return;
        }
        guest_expect("a file system is measured");
        usage = guestfs_statvfs(guest->handle, "/");
        if (usage) {
                int64_t unit = usage->frsize > 0 ? usage->frsize : usage->bsize;

                (void) json_object_set_new(line, "capacity_bytes",
                                           json_integer(usage->blocks * unit));
                (void) json_object_set_new(line, "used_bytes",
                                           json_integer((usage->blocks - usage->bfree) * unit));
                guestfs_free_statvfs(usage);
        }
        guest_expect("a file system is unmounted");
        (void) guestfs_umount_all(guest->handle);
}

static int list_one(Guest *guest, Stream *stream, const char *device, const char *type,
                    Failure *failure)
{
        CLEANUP(json_decrefp) json_t *line = json_object();
        _cleanup_free_ char *text = NULL;
        int r = line ? 0 : -1;

        if (r >= 0)
                r = add_text(line, "filesystem", strdup(device));
        if (r >= 0)
                r = add_text(line, "type", strdup(type));
        if (r >= 0)
                r = add_text(line, "label", tag_of(guest, device, false));
        if (r >= 0)
                r = add_text(line, "uuid", tag_of(guest, device, true));
        if (r >= 0 && is_mountable(type))
                add_usage(guest, device, line);
        text = r >= 0 ? json_dumps(line, JSON_COMPACT) : NULL;
        if (!text)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        r = stream_write(stream, text, strlen(text), failure);
        return r < 0 ? r : stream_write(stream, "\n", 1, failure);
}

int filesystems_list(Guest *guest, Stream *stream, Failure *failure)
{
        CLEANUP(strings_free) char **pairs = NULL;
        int r = read_all(guest, &pairs, failure);

        for (size_t i = 0; r >= 0 && pairs[i] && pairs[i + 1]; i += 2)
                r = list_one(guest, stream, pairs[i], pairs[i + 1], failure);
        return r;
}
