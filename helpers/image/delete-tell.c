/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a deletion writes into the records of the backups above, and tells of them (see delete.h).
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "delete.h"
#include "fault-point.h"
#include "json-cleanup.h"
#include "manifest.h"
#include "seal.h"
#include "sha256.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* What the manifest of a merged layer says, and its digest. */
static int follow_manifest(const Deletion *deletion, const char *backup_id, json_t *disk,
                           Failure *failure)
{
        static const char *const keys[] = { "backup_type", "parent_backup_id", "size_bytes" };
        char key[24], error[JSON_FIELDS_ERROR_SIZE], hex[SHA256_HEX_SIZE];
        CLEANUP(json_decref_p) json_t *manifest = NULL;
        _cleanup_close_ int folder = -1;
        _cleanup_free_ char *text = NULL;
        LayerNames names;
        size_t size;
        int r;

        layer_names(backup_id, &names);
        (void) snprintf(key, sizeof(key), "%" PRIu64, json_field_number(disk, "disk_key"));
        r = repository_open_folder(&deletion->repository, deletion->vm.vm, key, &folder, failure);
        if (r < 0)
                return r;
        r = r > 0 ? -ENOENT
                  : small_file_read_at(folder, names.manifest, MANIFEST_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = manifest_parse(MANIFEST_DISK, text, size, &manifest, error);
        if (r >= 0)
                r = sha256_hex(text, size, hex);
        if (r >= 0)
                r = json_object_set_new(disk, "manifest_sha256", json_string(hex));
        for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++) {
                json_t *value = json_object_get(manifest, keys[i]);

                (void) json_object_del(disk, keys[i]);
                if (value)
                        r = json_object_set(disk, keys[i], value);
        }
        return r < 0 ? failure_errno(failure, r, "Cannot take over the manifest %s/%s in %s", key,
                                     names.manifest, deletion->repository.path)
                     : 0;
}

static int tell_record(Deletion *deletion, const char *backup_id, json_t *record, Failure *failure)
{
        const char *doomed = json_field_text(deletion->record, "backup_id");
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        bool full = true;
        LayerNames names;
        json_t *disk;
        size_t i;
        int r = 0;

        json_array_foreach (json_object_get(record, "disks"), i, disk) {
                const char *parent = json_field_text(disk, "parent_backup_id");

                if (r >= 0 && parent && strcmp(parent, doomed) == 0)
                        r = follow_manifest(deletion, backup_id, disk, failure);
                full = full && !json_object_get(disk, "parent_backup_id");
        }
        if (r < 0)
                return r;
        if (full && json_object_set_new(record, "backup_type", json_string("full")) < 0)
                return failure_errno(failure, -ENOMEM, "Cannot make the record of %s", backup_id);
        if (manifest_format(MANIFEST_RECORD, record, &text, error) < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "The record of %s: %s", backup_id,
                                   error);
        layer_names(backup_id, &names);
        fault_point("delete.record.before");
        r = seal_small_file(&deletion->repository, deletion->vm.backups, names.manifest, text,
                            failure);
        fault_point("delete.record.after");
        return r;
}

int deletion_tell_records(Deletion *deletion, Failure *failure)
{
        const char *id, *doomed = json_field_text(deletion->record, "backup_id");
        json_t *record;
        int r;

        json_object_foreach (deletion->vm.records, id, record) {
                if (!record_builds_on(record, doomed))
                        continue;
                r = tell_record(deletion, id, record, failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool same(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether a disk of a backup builds on what is deleted, or on what that built on. */
static bool disk_is_above(const Deletion *deletion, const json_t *disk)
{
        const json_t *doomed = record_disk(deletion->record,
                                           (uint32_t) json_field_number(disk, "disk_key"));
        const char *parent = json_field_text(disk, "parent_backup_id");

        return doomed && (same(parent, json_field_text(doomed, "parent_backup_id")) ||
                          same(parent, json_field_text(deletion->record, "backup_id")));
}

static bool name_is_layer(const char *name)
{
        const char *suffix = strrchr(name, '.');

        return suffix && strcmp(suffix, ".qcow2") == 0;
}

/* A file that has gone meanwhile takes up nothing. */
static int add_folder(int vm, const char *key, uint64_t *bytes)
{
        _cleanup_close_ int folder =
                        openat(vm, key, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct dirent **entries;
        struct stat st;
        int n = folder < 0 ? -1 : scandirat(folder, ".", &entries, NULL, alphasort);

        if (n < 0)
                return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
        for (int i = 0; i < n; i++) {
                if (name_is_layer(entries[i]->d_name) &&
                    fstatat(folder, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        *bytes += (uint64_t) st.st_blocks * 512;
                free(entries[i]);
        }
        free(entries);
        return 0;
}

int deletion_bytes(const Deletion *deletion, uint64_t *ret_bytes, Failure *failure)
{
        struct dirent **entries;
        uint64_t bytes = 0;
        int r = 0, n = scandirat(deletion->vm.vm, ".", &entries, NULL, alphasort);

        if (n < 0)
                return failure_errno(failure, -errno, "Cannot list the folders of a VM in %s",
                                     deletion->repository.path);
        for (int i = 0; i < n; i++) {
                const char *name = entries[i]->d_name;

                if (r >= 0 && strspn(name, "0123456789") == strlen(name))
                        r = add_folder(deletion->vm.vm, name, &bytes);
                free(entries[i]);
        }
        free(entries);
        if (r < 0)
                return failure_errno(failure, r, "Cannot count the layers of a VM in %s",
                                     deletion->repository.path);
        *ret_bytes = bytes;
        return 0;
}

/* 0: that cannot be seen. */
static int64_t stored_bytes(const Deletion *deletion, const char *backup_id, const json_t *disk)
{
        char path[REPOSITORY_NAME_SIZE + 24];
        LayerNames names;
        struct stat st;

        layer_names(backup_id, &names);
        (void) snprintf(path, sizeof(path), "%" PRIu64 "/%s", json_field_number(disk, "disk_key"),
                        names.image);
        return fstatat(deletion->vm.vm, path, &st, AT_SYMLINK_NOFOLLOW) == 0
                               ? layer_stored_bytes(&st)
                               : 0;
}

static json_t *child_disks(const Deletion *deletion, const char *backup_id, const json_t *record)
{
        json_t *disks = json_array(), *disk, *told;
        size_t i;

        json_array_foreach (json_object_get(record, "disks"), i, disk) {
                if (!disk_is_above(deletion, disk))
                        continue;
                told = json_pack("{s:O, s:O, s:O, s:I, s:O}", "disk_key",
                                 json_object_get(disk, "disk_key"), "backup_type",
                                 json_object_get(disk, "backup_type"), "size_bytes",
                                 json_object_get(disk, "size_bytes"), "stored_bytes",
                                 stored_bytes(deletion, backup_id, disk), "manifest_sha256",
                                 json_object_get(disk, "manifest_sha256"));
                if (json_object_get(disk, "parent_backup_id"))
                        (void) json_object_set(told, "parent_backup_id",
                                               json_object_get(disk, "parent_backup_id"));
                (void) json_array_append_new(disks, told);
        }
        return disks;
}

json_t *deletion_children(const Deletion *deletion)
{
        json_t *children = json_array(), *record;
        const char *id;

        json_object_foreach (deletion->vm.records, id, record) {
                json_t *disks = child_disks(deletion, id, record);

                if (json_array_size(disks) > 0)
                        (void) json_array_append_new(
                                        children,
                                        json_pack("{s:s, s:O, s:O}", "backup_id", id, "backup_type",
                                                  json_object_get(record, "backup_type"), "disks",
                                                  disks));
                json_decref(disks);
        }
        return children;
}
