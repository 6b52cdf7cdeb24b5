/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The judgement of one backup (see scan-layer.h).
 */
#include "scan-layer.h"

#include "cleanup.h"
#include "failure.h"
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
        for (char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        *c = ' ';
        (void) json_array_append_new(problems, json_string(text));
}

/* What stands in both. */
static void compare_manifest(const LayerPlace *place, const json_t *disk, const json_t *manifest,
                             json_t *problems)
{
        static const char *const keys[] = { "backup_type",  "parent_backup_id", "capacity_bytes",
                                            "backing_uuid", "change_id",        "size_bytes" };

        if (strcmp(json_field_text(manifest, "backup_id"), place->backup_id) != 0 ||
            strcmp(json_field_text(manifest, "instance_uuid"), place->instance_uuid) != 0 ||
            json_field_number(manifest, "disk_key") != place->disk_key)
                scan_problem(problems, "%s: the manifest is that of another layer", place->where);
        for (size_t i = 0; disk && i < ELEMENTSOF(keys); i++) {
                const json_t *want = json_object_get(disk, keys[i]);
                const json_t *have = json_object_get(manifest, keys[i]);

                if (want != have && (!want || !have || !json_equal(want, have)))
                        scan_problem(problems, "%s: manifest and record differ in %s", place->where,
                                     keys[i]);
        }
}

static void note_away(LayerLook *look, int error)
{
        if (failure_is_away(error))
                look->away = error;
}

static json_t *look_at_manifest(const LayerPlace *place, const char *name, const json_t *disk,
                                json_t *problems, LayerLook *look)
{
        char error[JSON_FIELDS_ERROR_SIZE], hex[SHA256_HEX_SIZE];
        _cleanup_free_ char *text = NULL;
        json_t *manifest = NULL;
        size_t size;
        int r;

        r = small_file_read_at(place->folder, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0) {
                note_away(look, r);
                scan_problem(problems, "%s: the manifest cannot be read: %s", place->where,
                             strerror(-r));
                return NULL;
        }
        if (disk && (sha256_hex(text, size, hex) < 0 ||
                     strcmp(hex, json_field_text(disk, "manifest_sha256")) != 0))
                scan_problem(problems, "%s: the manifest is not the one that was committed",
                             place->where);
        if (manifest_parse(MANIFEST_DISK, text, size, &manifest, error) < 0) {
                scan_problem(problems, "%s: %s", place->where, error);
                return NULL;
        }
        compare_manifest(place, disk, manifest, problems);
        return manifest;
}

/* What qemu would follow or undo must not be in it. */
static bool header_is_plain(const LayerPlace *place, const Qcow2Header *header, json_t *problems)
{
        const char *what = header->features & QCOW2_FEATURE_CORRUPT         ? "marked as corrupt"
                           : header->features & QCOW2_FEATURE_DIRTY         ? "marked as dirty"
                           : header->features & QCOW2_FEATURE_EXTERNAL_DATA ? "one with a data file"
                           : header->encryption != 0                        ? "encrypted"
                           : header->n_snapshots != 0                       ? "one with snapshots"
                                                                            : NULL;

        if (what)
                scan_problem(problems, "%s: the image is %s", place->where, what);
        return !what;
}

static bool look_at_header(const LayerPlace *place, int fd, const json_t *truth, json_t *problems,
                           LayerLook *look)
{
        const char *parent = json_field_text(truth, "parent_backup_id");
        uint64_t capacity = json_field_number(truth, "capacity_bytes");
        char bytes[QCOW2_HEADER_BYTES], want[REPOSITORY_NAME_SIZE] = "";
        Qcow2Header header;
        ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

        if (n < 0 || qcow2_header_parse(bytes, (size_t) n, &header) < 0) {
                note_away(look, n < 0 ? -errno : 0);
                scan_problem(problems, "%s: the image is no QCOW2 or cannot be read", place->where);
                return false;
        }
        look->virtual_bytes = header.virtual_bytes;
        if (header.virtual_bytes != capacity)
                scan_problem(problems,
                             "%s: the image has %" PRIu64
                             " bytes for the guest, the record %" PRIu64,
                             place->where, header.virtual_bytes, capacity);
        if (parent)
                (void) snprintf(want, sizeof(want), "%s.qcow2", parent);
        if (strcmp(header.backing, want) != 0) {
                scan_problem(problems, "%s: the image builds on \"%s\" and should on \"%s\"",
                             place->where, header.backing, want);
                return false;
        }
        if (parent && strcmp(header.backing_format, "qcow2") != 0) {
                scan_problem(problems,
                             "%s: the image tells the format \"%s\" of the layer below, must be "
                             "\"qcow2\"",
                             place->where, header.backing_format);
                return false;
        }
        return header_is_plain(place, &header, problems);
}

static void look_at_image(const LayerPlace *place, const char *name, const json_t *truth,
                          json_t *problems, LayerLook *look)
{
        _cleanup_close_ int fd = openat(place->folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        uint64_t size = json_field_number(truth, "size_bytes");
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                note_away(look, -errno);
                scan_problem(problems, "%s: the image cannot be opened: %m", place->where);
                return;
        }
        if (!S_ISREG(st.st_mode)) {
                scan_problem(problems, "%s: the image is no plain file", place->where);
                return;
        }
        if ((uint64_t) st.st_size != size)
                scan_problem(problems, "%s: the image's file has %jd bytes, the record %" PRIu64,
                             place->where, (intmax_t) st.st_size, size);
        if ((st.st_mode & 0222) != 0)
                scan_problem(problems, "%s: the image can be written to, mode %04o", place->where,
                             st.st_mode & 07777);
        look->sound = look_at_header(place, fd, truth, problems, look);
}

void layer_look(const LayerPlace *place, const json_t *disk, json_t *problems, LayerLook *ret_look)
{
        LayerLook look = {};
        LayerNames names;

        layer_names(place->backup_id, &names);
        look.manifest = look_at_manifest(place, names.manifest, disk, problems, &look);
        if (disk || look.manifest)
                look_at_image(place, names.image, disk ?: look.manifest, problems, &look);
        *ret_look = look;
}

void layer_look_done(LayerLook *look)
{
        json_decref(look->manifest);
        *look = (LayerLook){};
}

static void scan_below(const LayerPlace *place, const json_t *disk, json_t *problems)
{
        const char *parent = json_field_text(disk, "parent_backup_id");
        LayerNames names;
        struct stat st;

        if (!parent)
                return;
        layer_names(parent, &names);
        if (fstatat(place->folder, names.image, &st, AT_SYMLINK_NOFOLLOW) < 0)
                scan_problem(problems, "%s: the layer below, %s, is missing: %m", place->where,
                             names.image);
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
static void scan_changing(const LayerPlace *place, const LayerNames *names, const json_t *disk,
                          json_t *problems, json_t *known)
{
        struct stat st;

        know(known, disk, names->merge);
        know(known, disk, names->manifest_partial);
        if (fstatat(place->folder, names->image, &st, AT_SYMLINK_NOFOLLOW) < 0)
                scan_problem(problems, "%s: the image cannot be found: %m", place->where);
        if (fstatat(place->folder, names->manifest, &st, AT_SYMLINK_NOFOLLOW) < 0)
                scan_problem(problems, "%s: the manifest cannot be found: %m", place->where);
}

void scan_record_disk(int vm, const json_t *record, const json_t *disk, const json_t *deleting,
                      json_t *problems, json_t *known)
{
        LayerPlace place = { .instance_uuid = json_field_text(record, "instance_uuid"),
                             .backup_id = json_field_text(record, "backup_id"),
                             .disk_key = (uint32_t) json_field_number(disk, "disk_key") };
        const char *parent = json_field_text(disk, "parent_backup_id");
        _cleanup_close_ int folder = -1;
        char key[24], where[64];
        LayerLook look;
        LayerNames names;

        layer_names(place.backup_id, &names);
        (void) snprintf(key, sizeof(key), "%" PRIu32, place.disk_key);
        (void) snprintf(where, sizeof(where), "disk %s", key);
        know(known, disk, names.image);
        know(known, disk, names.manifest);

        folder = openat(vm, key, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (folder < 0) {
                scan_problem(problems, "%s: its folder cannot be opened: %m", where);
                return;
        }
        place.folder = folder;
        place.where = where;
        if (parent && json_object_get(deleting, parent)) {
                scan_changing(&place, &names, disk, problems, known);
                return;
        }
        layer_look(&place, disk, problems, &look);
        scan_below(&place, disk, problems);
        layer_look_done(&look);
}

bool scan_record_place(const json_t *record, const char *where, const char *instance_uuid,
                       const char *name, json_t *problems)
{
        LayerNames names;
        bool right = true;

        layer_names(json_field_text(record, "backup_id"), &names);
        if (strcmp(names.manifest, name) != 0) {
                scan_problem(problems, "%sthe record is that of %s", where,
                             json_field_text(record, "backup_id"));
                right = false;
        }
        if (strcmp(json_field_text(record, "instance_uuid"), instance_uuid) != 0) {
                scan_problem(problems, "%sthe record is that of the VM %s", where,
                             json_field_text(record, "instance_uuid"));
                right = false;
        }
        return right;
}

void scan_backup(int vm, const char *vm_name, const char *name, const json_t *record,
                 const json_t *deleting, json_t *problems, json_t *known)
{
        const json_t *disks = json_object_get(record, "disks");

        (void) scan_record_place(record, "", vm_name, name, problems);
        for (size_t i = 0; i < json_array_size(disks); i++)
                scan_record_disk(vm, record, json_array_get(disks, i), deleting, problems, known);
}
