/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the records of a VM (see vm-records.h).
 */
#include "vm-records.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "manifest.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* "<backup id><suffix>". */
static bool name_is(const char *name, const char *suffix, char ret_id[static BACKUP_ID_SIZE])
{
        size_t n = strlen(name), n_suffix = strlen(suffix);

        if (n <= n_suffix || n - n_suffix >= BACKUP_ID_SIZE ||
            strcmp(name + n - n_suffix, suffix) != 0)
                return false;
        memcpy(ret_id, name, n - n_suffix);
        ret_id[n - n_suffix] = '\0';
        return backup_id_is_valid(ret_id);
}

static int add(VmRecords *records, json_t *to, const char *name, const char *backup_id,
               Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        json_t *record;
        size_t size;
        int r;

        r = small_file_read_at(records->backups, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0)
                return failure_errno(failure, r, "Cannot read the record %s in %s", name,
                                     records->repository->path);
        r = manifest_parse(MANIFEST_RECORD, text, size, &record, error);
        if (r < 0)
                return failure_set(
                                failure, BUS_ERROR_FAILED,
                                "%s/%s/" REPOSITORY_BACKUPS "/%s is damaged: %s; bring it back "
                                "from a copy of the repository, or nobody knows what it builds on",
                                records->repository->path, records->instance_uuid, name, error);
        if (strcmp(json_field_text(record, "backup_id"), backup_id) != 0 ||
            strcmp(json_field_text(record, "instance_uuid"), records->instance_uuid) != 0) {
                json_decref(record);
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "%s/%s/" REPOSITORY_BACKUPS
                                   "/%s is the record of another backup; move it away",
                                   records->repository->path, records->instance_uuid, name);
        }
        return json_object_set_new(to, backup_id, record) < 0
                               ? failure_errno(failure, -ENOMEM, "Cannot keep the record %s", name)
                               : 0;
}

static int list(const VmRecords *records, struct dirent ***ret_entries, Failure *failure)
{
        int n = scandirat(records->backups, ".", ret_entries, NULL, alphasort);

        return n < 0 ? failure_errno(failure, -errno, "Cannot list the backups of %s in %s",
                                     records->instance_uuid, records->repository->path)
                     : n;
}

int vm_records_read(VmRecords *records, Failure *failure)
{
        struct dirent **entries;
        int r = 0, n = list(records, &entries, failure);

        if (n < 0)
                return n;
        (void) json_object_clear(records->records);
        (void) json_object_clear(records->deleting);
        for (int i = 0; i < n; i++) {
                const char *name = entries[i]->d_name;
                char id[BACKUP_ID_SIZE];

                if (r >= 0 && name_is(name, ".json", id))
                        r = add(records, records->records, name, id, failure);
                else if (r >= 0 && name_is(name, REPOSITORY_DELETING_SUFFIX, id))
                        r = add(records, records->deleting, name, id, failure);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int vm_records_any_deleting(const VmRecords *records, Failure *failure)
{
        struct dirent **entries;
        int n = list(records, &entries, failure);
        char id[BACKUP_ID_SIZE];
        bool any = false;

        if (n < 0)
                return n;
        for (int i = 0; i < n; i++) {
                any = any || name_is(entries[i]->d_name, REPOSITORY_DELETING_SUFFIX, id);
                free(entries[i]);
        }
        free(entries);
        return any;
}

static int has(const VmRecords *records, const char *name, Failure *failure)
{
        if (faccessat(records->backups, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        return errno == ENOENT ? 0
                               : failure_errno(failure, -errno,
                                               "Cannot look for the record %s in %s", name,
                                               records->repository->path);
}

int vm_records_has(const VmRecords *records, const char *backup_id, Failure *failure)
{
        LayerNames names;

        layer_names(backup_id, &names);
        return has(records, names.manifest, failure);
}

int vm_records_has_deleting(const VmRecords *records, const char *backup_id, Failure *failure)
{
        LayerNames names;

        layer_names(backup_id, &names);
        return has(records, names.deleting, failure);
}

json_t *deleting_read(int backups)
{
        json_t *deleting = json_object(), *record;
        char id[BACKUP_ID_SIZE], error[JSON_FIELDS_ERROR_SIZE];
        struct dirent **entries;
        int n = deleting ? scandirat(backups, ".", &entries, NULL, alphasort) : -1;

        for (int i = 0; i < n; i++) {
                const char *name = entries[i]->d_name;
                _cleanup_free_ char *text = NULL;
                size_t size;

                if (name_is(name, REPOSITORY_DELETING_SUFFIX, id) &&
                    small_file_read_at(backups, name, MANIFEST_SIZE_MAX, &text, &size) >= 0 &&
                    manifest_parse(MANIFEST_RECORD, text, size, &record, error) >= 0)
                        (void) json_object_set_new(deleting, id, record);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return deleting;
}

/* Until the descriptor is closed. */
static int lock(const VmRecords *records, Failure *failure)
{
        if (flock(records->vm, LOCK_EX | LOCK_NB) == 0)
                return 0;
        /* NFS locks no folders; there the hub's order of jobs must do. */
        if (errno == EBADF || errno == ENOLCK || errno == EOPNOTSUPP)
                return 0;
        if (errno != EWOULDBLOCK)
                return failure_errno(failure, -errno, "Cannot lock %s in %s",
                                     records->instance_uuid, records->repository->path);
        return failure_set(failure, BUS_ERROR_VM_BUSY,
                           "another process changes the backups of %s in %s; try again when it has "
                           "ended",
                           records->instance_uuid, records->repository->path);
}

int vm_records_open(VmRecords *records, const Repository *repository, const char *instance_uuid,
                    Failure *failure)
{
        int r;

        *records = (VmRecords){ .repository = repository,
                                .instance_uuid = instance_uuid,
                                .vm = -1,
                                .backups = -1,
                                .records = json_object(),
                                .deleting = json_object() };
        if (!records->records || !records->deleting)
                r = failure_errno(failure, -ENOMEM, "Cannot read the records");
        else
                r = repository_open_folder(repository, repository->folder, instance_uuid,
                                           &records->vm, failure);
        if (r == 0)
                r = lock(records, failure);
        if (r == 0)
                r = repository_open_folder(repository, records->vm, REPOSITORY_BACKUPS,
                                           &records->backups, failure);
        if (r != 0)
                vm_records_done(records);
        return r;
}

void vm_records_done(VmRecords *records)
{
        cleanup_close_p(&records->vm);
        cleanup_close_p(&records->backups);
        records->vm = records->backups = -1;
        json_decref(TAKE(records->records));
        json_decref(TAKE(records->deleting));
}

json_t *record_disk(const json_t *record, uint32_t disk_key)
{
        json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(record, "disks"), i, disk)
                if (json_field_number(disk, "disk_key") == disk_key)
                        return disk;
        return NULL;
}

const char *record_parent(const json_t *record, uint32_t disk_key)
{
        return json_field_text(record_disk(record, disk_key), "parent_backup_id");
}

bool record_builds_on(const json_t *record, const char *backup_id)
{
        const char *parent;
        json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(record, "disks"), i, disk) {
                parent = json_field_text(disk, "parent_backup_id");
                if (parent && strcmp(parent, backup_id) == 0)
                        return true;
        }
        return false;
}

const char *vm_records_child(const VmRecords *records, const char *backup_id, uint32_t disk_key,
                             const char *after)
{
        const char *id, *parent;
        bool passed = !after;
        json_t *record;

        json_object_foreach (records->records, id, record) {
                parent = record_parent(record, disk_key);
                if (passed && parent && strcmp(parent, backup_id) == 0)
                        return id;
                passed = passed || strcmp(id, after) == 0;
        }
        return NULL;
}
