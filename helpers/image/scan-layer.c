/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The judgement of one backup (see scan-layer.h).
 */
#include "scan-layer.h"

#include "cleanup.h"
#include "manifest.h"
#include "qcow2-header.h"
#include "repository.h"
#include "sha256.h"
#include "small-file.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

void scan_problem(json_t *problems, const char *format, ...)
{
        char text[512];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        utf8_make_valid(text);
        (void) json_array_append_new(problems, json_string(text));
}

static void scan_manifest(int folder, const char *name, const json_t *disk, const char *where,
                          json_t *problems)
{
        char error[JSON_FIELDS_ERROR_SIZE], hex[SHA256_HEX_SIZE];
        _cleanup_free_ char *text = NULL;
        json_t *manifest;
        size_t size;
        int r;

        r = small_file_read_at(folder, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0) {
                scan_problem(problems, "%s: the manifest cannot be read: %s", where, strerror(-r));
                return;
        }
        if (sha256_hex(text, size, hex) < 0 ||
            strcmp(hex, json_field_text(disk, "manifest_sha256")) != 0)
                scan_problem(problems, "%s: the manifest is not the one that was committed", where);
        if (manifest_parse(MANIFEST_DISK, text, size, &manifest, error) < 0)
                scan_problem(problems, "%s: %s", where, error);
        else
                json_decref(manifest);
}

static void scan_header(int fd, int folder, const json_t *disk, const char *where, json_t *problems)
{
        const char *parent = json_field_text(disk, "parent_backup_id");
        char bytes[QCOW2_HEADER_BYTES], want[REPOSITORY_NAME_SIZE] = "";
        Qcow2Header header;
        struct stat st;
        ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

        if (n < 0 || qcow2_header_parse(bytes, (size_t) n, &header) < 0) {
                scan_problem(problems, "%s: the image is no QCOW2 or cannot be read", where);
                return;
        }
        if (header.virtual_bytes != json_field_number(disk, "capacity_bytes"))
                scan_problem(problems,
                             "%s: the image has %" PRIu64
                             " bytes for the guest, the record %" PRIu64,
                             where, header.virtual_bytes,
                             json_field_number(disk, "capacity_bytes"));
        if (parent)
                (void) snprintf(want, sizeof(want), "%s.qcow2", parent);
        if (strcmp(header.backing, want) != 0)
                scan_problem(problems, "%s: the image builds on \"%s\" and should on \"%s\"", where,
                             header.backing, want);
        else if (parent && fstatat(folder, want, &st, AT_SYMLINK_NOFOLLOW) < 0)
                scan_problem(problems, "%s: the layer below, %s, is missing: %m", where, want);
}

static void scan_image(int folder, const char *name, const json_t *disk, const char *where,
                       json_t *problems)
{
        _cleanup_close_ int fd = openat(folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        uint64_t size = json_field_number(disk, "size_bytes");
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                scan_problem(problems, "%s: the image cannot be opened: %m", where);
                return;
        }
        if (!S_ISREG(st.st_mode)) {
                scan_problem(problems, "%s: the image is no plain file", where);
                return;
        }
        if ((uint64_t) st.st_size != size)
                scan_problem(problems, "%s: the image's file has %jd bytes, the record %" PRIu64,
                             where, (intmax_t) st.st_size, size);
        if ((st.st_mode & 0222) != 0)
                scan_problem(problems, "%s: the image can be written to, mode %04o", where,
                             st.st_mode & 07777);
        scan_header(fd, folder, disk, where, problems);
}

static void know(json_t *known, const json_t *disk, const char *name)
{
        char path[MANIFEST_FILE_SIZE];

        (void) snprintf(path, sizeof(path), "%" PRIu64 "/%s", json_field_number(disk, "disk_key"),
                        name);
        (void) json_object_set_new(known, path, json_true());
}

void scan_deleting(const json_t *record, json_t *known)
{
        LayerNames names;
        json_t *disk;
        size_t i;

        layer_names(json_field_text(record, "backup_id"), &names);
        json_array_foreach (json_object_get(record, "disks"), i, disk) {
                know(known, disk, names.image);
                know(known, disk, names.manifest);
        }
}

/* Image and manifest are exchanged one after the other. */
static void scan_changing(int folder, const LayerNames *names, const json_t *disk,
                          const char *where, json_t *problems, json_t *known)
{
        struct stat st;

        know(known, disk, names->merge);
        know(known, disk, names->manifest_partial);
        if (fstatat(folder, names->image, &st, AT_SYMLINK_NOFOLLOW) < 0)
                scan_problem(problems, "%s: the image cannot be found: %m", where);
        if (fstatat(folder, names->manifest, &st, AT_SYMLINK_NOFOLLOW) < 0)
                scan_problem(problems, "%s: the manifest cannot be found: %m", where);
}

static void scan_disk(int vm, const char *backup_id, const json_t *disk, const json_t *deleting,
                      json_t *problems, json_t *known)
{
        const char *parent = json_field_text(disk, "parent_backup_id");
        _cleanup_close_ int folder = -1;
        char key[24], where[64];
        LayerNames names;

        layer_names(backup_id, &names);
        (void) snprintf(key, sizeof(key), "%" PRIu64, json_field_number(disk, "disk_key"));
        (void) snprintf(where, sizeof(where), "disk %s", key);
        know(known, disk, names.image);
        know(known, disk, names.manifest);

        folder = openat(vm, key, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (folder < 0) {
                scan_problem(problems, "%s: its folder cannot be opened: %m", where);
                return;
        }
        if (parent && json_object_get(deleting, parent)) {
                scan_changing(folder, &names, disk, where, problems, known);
                return;
        }
        scan_manifest(folder, names.manifest, disk, where, problems);
        scan_image(folder, names.image, disk, where, problems);
}

void scan_backup(int vm, const char *vm_name, const char *name, const json_t *record,
                 const json_t *deleting, json_t *problems, json_t *known)
{
        const char *backup_id = json_field_text(record, "backup_id");
        const json_t *disks = json_object_get(record, "disks");
        LayerNames names;

        layer_names(backup_id, &names);
        if (strcmp(names.manifest, name) != 0)
                scan_problem(problems, "the record is that of %s", backup_id);
        if (strcmp(json_field_text(record, "instance_uuid"), vm_name) != 0)
                scan_problem(problems, "the record is that of the VM %s",
                             json_field_text(record, "instance_uuid"));
        for (size_t i = 0; i < json_array_size(disks); i++)
                scan_disk(vm, backup_id, json_array_get(disks, i), deleting, problems, known);
}
