/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a deletion looks at before anything is changed (see delete.h).
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "delete.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "qcow2-header.h"
#include "scan-layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* The first thing that scan holds against a backup, or NULL; the caller frees it. */
static char *find_problem(const Deletion *deletion, const char *backup_id, const json_t *record)
{
        CLEANUP(json_decref_p) json_t *problems = json_array();
        CLEANUP(json_decref_p) json_t *known = json_object();
        const char *problem;
        LayerNames names;

        layer_names(backup_id, &names);
        scan_backup(deletion->vm.vm, deletion->instance_uuid, names.manifest, record,
                    deletion->vm.deleting, problems, known);
        problem = json_string_value(json_array_get(problems, 0));
        return problem ? strdup(problem) : NULL;
}

static bool layer_is_sound(const Deletion *deletion, const json_t *record, uint32_t disk_key)
{
        const json_t *disk = record_disk(record, disk_key);
        CLEANUP(json_decref_p) json_t *problems = json_array();
        CLEANUP(json_decref_p) json_t *known = json_object();

        if (!disk || !problems)
                return false;
        scan_record_disk(deletion->vm.vm, record, disk, deletion->vm.deleting, problems, known);
        return json_array_size(problems) == 0;
}

/* Down to its full layer; what is known of layers is kept, so that each is looked at once where the older ones come first. One
 * whose deletion has begun reads the same in both of its states, and is passed over. */
static bool disk_is_sound(const Deletion *deletion, json_t *known, const char *backup_id,
                          uint32_t disk_key)
{
        size_t n_left = json_object_size(deletion->vm.records) +
                        json_object_size(deletion->vm.deleting);
        char key[24];
        const char *id = backup_id;
        bool sound = true;

        (void) snprintf(key, sizeof(key), "%" PRIu32, disk_key);
        while (id && sound) {
                const json_t *record = json_object_get(deletion->vm.deleting, id);
                const json_t *verdict = json_object_get(json_object_get(known, id), key);

                if (verdict) {
                        sound = json_is_true(verdict);
                        break;
                }
                if (!record) {
                        record = json_object_get(deletion->vm.records, id);
                        sound = record && layer_is_sound(deletion, record, disk_key);
                }
                /* More than there are: they build on each other. */
                sound = sound && n_left-- > 0;
                id = record ? record_parent(record, disk_key) : NULL;
        }
        if (!json_object_get(known, backup_id))
                (void) json_object_set_new(known, backup_id, json_object());
        (void) json_object_set_new(json_object_get(known, backup_id), key, json_boolean(sound));
        return sound;
}

/* By what can be seen without reading it all, each layer that it is read through included. */
static bool backup_is_sound(const Deletion *deletion, json_t *known, const char *backup_id,
                            const json_t *record)
{
        const json_t *disk;
        bool sound = true;
        size_t i;

        json_array_foreach (json_object_get(record, "disks"), i, disk)
                sound = sound && disk_is_sound(deletion, known, backup_id,
                                               (uint32_t) json_field_number(disk, "disk_key"));
        return sound;
}

static int check_last(const Deletion *deletion, Failure *failure)
{
        CLEANUP(json_decref_p) json_t *known = json_object();
        const char *id;
        json_t *record;

        if (deletion->force)
                return 0;
        json_object_foreach (deletion->vm.records, id, record)
                if (strcmp(id, deletion->backup_id) != 0 &&
                    backup_is_sound(deletion, known, id, record))
                        return 0;
        return failure_set(failure, BUS_ERROR_LAST_BACKUP,
                           "%s %s; it is deleted only when that is asked for with force",
                           deletion->backup_id,
                           backup_is_sound(deletion, known, deletion->backup_id, deletion->record)
                                           ? "is the last sound backup of its VM"
                                           : "is not sound, but neither is any other backup of its "
                                             "VM");
}

static int check_layers(const Deletion *deletion, const char *backup_id, const json_t *record,
                        Failure *failure)
{
        _cleanup_free_ char *problem = find_problem(deletion, backup_id, record);

        if (!problem)
                return 0;
        return failure_set(
                        failure, BUS_ERROR_IMAGE_DAMAGED,
                        "%s: %s; layers are merged only when they are sound: delete the backups of "
                        "this chain from the newest one down",
                        backup_id, problem);
}

/* A layer without a record that builds on it: another job is at work, or left it. */
static int check_file(const Deletion *deletion, int folder, const char *name, const char *image,
                      Failure *failure)
{
        _cleanup_close_ int fd = openat(folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        const char *dot = strchr(name, '.');
        char bytes[QCOW2_HEADER_BYTES], id[BACKUP_ID_SIZE];
        Qcow2Header header;
        ssize_t n;

        if (fd < 0 || !dot || (size_t) (dot - name) >= sizeof(id))
                return 0;
        n = pread(fd, bytes, sizeof(bytes), 0);
        if (n < 0 || qcow2_header_parse(bytes, (size_t) n, &header) < 0 ||
            strcmp(header.backing, image) != 0)
                return 0;
        (void) snprintf(id, sizeof(id), "%.*s", (int) (dot - name), name);
        if (json_object_get(deletion->vm.records, id))
                return 0;
        return failure_set(
                        failure, BUS_ERROR_VM_BUSY,
                        "%s builds on it and belongs to no finished backup; when no job of the VM "
                        "is at work, sendensectl cleanup removes it",
                        name);
}

static int check_folder(const Deletion *deletion, const json_t *disk, Failure *failure)
{
        _cleanup_close_ int folder = -1, fd = -1;
        struct dirent **entries;
        LayerNames names;
        char key[24];
        int r, n;

        layer_names(deletion->backup_id, &names);
        (void) snprintf(key, sizeof(key), "%" PRIu64, json_field_number(disk, "disk_key"));
        r = repository_open_folder(&deletion->repository, deletion->vm.vm, key, &folder, failure);
        if (r != 0)
                return r < 0 ? r : 0;
        fd = openat(folder, names.image, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0)
                r = image_check_unlocked(fd, names.image, failure);
        n = r < 0 ? r : scandirat(folder, ".", &entries, NULL, alphasort);
        if (n < 0)
                return r < 0 ? r
                             : failure_errno(failure, -errno, "Cannot list the folder %s in %s",
                                             key, deletion->repository.path);
        for (int i = 0; i < n; i++) {
                if (r >= 0)
                        r = check_file(deletion, folder, entries[i]->d_name, names.image, failure);
                free(entries[i]);
        }
        free(entries);
        return r;
}

/* A copy takes what both layers have, where the file system shares nothing; a commit what the child has. */
static int act_count(Deletion *deletion, Merge *merge, Failure *failure)
{
        (void) failure;
        deletion->bytes_needed += merge->child_bytes + (merge->in_place ? 0 : merge->doomed_bytes);
        return 0;
}

static int check_space(Deletion *deletion, Failure *failure)
{
        int r;

        deletion->bytes_needed = 0;
        r = deletion_each_merge(deletion, act_count, failure);
        if (r < 0 || deletion->bytes_needed <= deletion->repository.free_bytes)
                return r;
        return failure_set(failure, BUS_ERROR_REPOSITORY_FULL,
                           "%s has %" PRIu64 " MiB free and to merge the layers of %s needs up to "
                           "%" PRIu64
                           " MiB; free space, or delete a newest backup, which needs none",
                           deletion->repository.path, deletion->repository.free_bytes >> 20,
                           deletion->backup_id, (deletion->bytes_needed + (1 << 20) - 1) >> 20);
}

int deletion_check(Deletion *deletion, Failure *failure)
{
        bool merges = false;
        const char *id;
        json_t *record, *disk;
        size_t i;
        int r;

        r = check_last(deletion, failure);
        json_array_foreach (json_object_get(deletion->record, "disks"), i, disk)
                if (r >= 0)
                        r = check_folder(deletion, disk, failure);
        json_object_foreach (deletion->vm.records, id, record)
                if (r >= 0 && record_builds_on(record, deletion->backup_id)) {
                        merges = true;
                        r = check_layers(deletion, id, record, failure);
                }
        if (r >= 0 && merges)
                r = check_layers(deletion, deletion->backup_id, deletion->record, failure);
        return r < 0 || !merges ? r : check_space(deletion, failure);
}
