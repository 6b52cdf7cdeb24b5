/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit: all disks of a backup are checked; their manifests are written, their files sealed, and last of
 * all the VM commit record, with which the backup exists. Everything that can be refused is refused before
 * the first step. Repeatable after a kill at any point; a record that is there is the answer.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "layers.h"
#include "manifest.h"
#include "result-file.h"
#include "seal.h"
#include "sha256.h"
#include "small-file.h"
#include "spec.h"
#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", false),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
        { .key = "record", .kind = JSON_FIELD_OBJECT },
        { .key = "disks", .kind = JSON_FIELD_ARRAY, .min = 1, .max = MANIFEST_DISKS_MAX },
};

static const JsonField disk_fields[] = {
        { .key = "disk_key", .kind = JSON_FIELD_NUMBER, .min = 1, .max = DISK_KEY_MAX },
        SPEC_PATH("finish_result"),
        { .key = "manifest", .kind = JSON_FIELD_OBJECT },
};

typedef struct Commit {
        Repository repository;
        const char *instance_uuid, *backup_id;
        LayerNames names;
        int vm, backups;
        json_t *record;
        char *record_text;
        Layer layers[MANIFEST_DISKS_MAX];
        size_t n_layers;
} Commit;

static void commit_done(Commit *commit)
{
        for (size_t i = 0; i < commit->n_layers; i++)
                free(commit->layers[i].manifest);
        free(commit->record_text);
        json_decref(commit->record);
        cleanup_close_p(&commit->vm);
        cleanup_close_p(&commit->backups);
        repository_done(&commit->repository);
}

static int refuse(Failure *failure, const char *what)
{
        return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT, "the spec: %s", what);
}

/* What finish said of a disk, or NULL with *ret_text: what an earlier commit has written of it already, since
 * results do not outlive a reboot and manifests do. */
static int read_finish(const Commit *commit, const json_t *disk, json_t **ret_finish,
                       char **ret_text, Failure *failure)
{
        const char *path = json_field_text(disk, "finish_result");
        _cleanup_close_ int folder = -1;
        const char *result;
        json_t *finish;
        char key[24];
        size_t size;
        int r;

        r = result_file_read(path, &finish);
        if (r == -ENOENT) {
                (void) snprintf(key, sizeof(key), "%" PRIu64, json_field_number(disk, "disk_key"));
                r = repository_open_folder(&commit->repository, commit->vm, key, &folder, failure);
                if (r == 0 && small_file_read_at(folder, commit->names.manifest, MANIFEST_SIZE_MAX,
                                                 ret_text, &size) == 0)
                        return 0;
                r = -ENOENT;
        }
        if (r < 0)
                return failure_errno(failure, r, "Cannot read the result of finish, %s", path);
        result = json_field_text(finish, "result");
        if (!result || strcmp(result, "ok") != 0) {
                json_decref(finish);
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "%s is no result of a finish that went well", path);
        }
        *ret_finish = finish;
        return 0;
}

/* The text of a disk's manifest, checked. */
static int make_manifest(const Commit *commit, const json_t *disk, char **ret_text,
                         Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        json_t *finish = NULL, *manifest;
        int r;

        r = read_finish(commit, disk, &finish, ret_text, failure);
        if (r < 0 || !finish)
                return r;
        manifest = json_copy(json_object_get(disk, "manifest"));
        if (!manifest ||
            json_object_set(manifest, "size_bytes", json_object_get(finish, "size_bytes")) < 0 ||
            json_object_set(manifest, "digest", json_object_get(finish, "digest")) < 0)
                r = failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                "%s has no size or no digest; is it a result of finish?",
                                json_field_text(disk, "finish_result"));
        else if (manifest_format(MANIFEST_DISK, manifest, ret_text, error) < 0)
                r = refuse(failure, error);
        json_decref(manifest);
        json_decref(finish);
        return r;
}

/* What stands in the record must stand in the manifest of the disk too. */
static int compare(const json_t *spec, const json_t *record_disk, const json_t *manifest,
                   Failure *failure)
{
        static const char *const of_disk[] = { "disk_key",       "backup_type",  "parent_backup_id",
                                               "capacity_bytes", "backing_uuid", "change_id" };
        static const char *const of_backup[] = { "backup_id", "instance_uuid" };
        char text[96];

        for (size_t i = 0; i < ELEMENTSOF(of_disk) + ELEMENTSOF(of_backup); i++) {
                bool disk = i < ELEMENTSOF(of_disk);
                const char *key = disk ? of_disk[i] : of_backup[i - ELEMENTSOF(of_disk)];
                const json_t *want = json_object_get(disk ? record_disk : spec, key);
                const json_t *have = json_object_get(manifest, key);

                if (!want && !have)
                        continue;
                if (want && have && json_equal(want, have))
                        continue;
                (void) snprintf(text, sizeof(text), "record and manifest differ in %s", key);
                return refuse(failure, text);
        }
        return 0;
}

static json_t *find_disk(const json_t *list, uint64_t disk_key)
{
        for (size_t i = 0; i < json_array_size(list); i++)
                if (json_field_number(json_array_get(list, i), "disk_key") == disk_key)
                        return json_array_get(list, i);
        return NULL;
}

/* Fills one disk of the record and its layer. */
static int add_layer(Commit *commit, const json_t *spec, const json_t *disk, Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE], hex[SHA256_HEX_SIZE], file[MANIFEST_FILE_SIZE];
        Layer *layer = commit->layers + commit->n_layers;
        json_t *record_disk, *manifest;
        int r;

        if (json_fields_check(disk, disk_fields, ELEMENTSOF(disk_fields), "a disk", error) < 0)
                return refuse(failure, error);
        record_disk = find_disk(json_object_get(commit->record, "disks"),
                                json_field_number(disk, "disk_key"));
        if (!record_disk || json_object_get(record_disk, "file"))
                return refuse(failure, "the disks are not those of the record");
        r = make_manifest(commit, disk, &layer->manifest, failure);
        if (r < 0)
                return r;
        commit->n_layers++;
        if (manifest_parse(MANIFEST_DISK, layer->manifest, strlen(layer->manifest), &manifest,
                           error) < 0)
                return refuse(failure, error);
        layer->disk_key = (uint32_t) json_field_number(disk, "disk_key");
        layer->size_bytes = json_field_number(manifest, "size_bytes");
        r = compare(spec, record_disk, manifest, failure);
        json_decref(manifest);
        if (r < 0)
                return r;

        manifest_file(commit->instance_uuid, layer->disk_key, commit->backup_id, file);
        r = sha256_hex(layer->manifest, strlen(layer->manifest), hex);
        if (r < 0 || json_object_set_new(record_disk, "file", json_string(file)) < 0 ||
            json_object_set_new(record_disk, "manifest_sha256", json_string(hex)) < 0 ||
            json_object_set_new(record_disk, "size_bytes",
                                json_integer((json_int_t) layer->size_bytes)) < 0)
                return failure_errno(failure, r < 0 ? r : -ENOMEM, "Cannot make the record");
        return 0;
}

/* Everything that is written later, as text, from the spec and the results. */
static int make_texts(Commit *commit, const json_t *spec, Failure *failure)
{
        const json_t *disks = json_object_get(spec, "disks");
        char error[JSON_FIELDS_ERROR_SIZE];
        struct timespec now;
        int r;

        commit->record = json_deep_copy(json_object_get(spec, "record"));
        if (!commit->record || clock_gettime(CLOCK_REALTIME, &now) < 0)
                return failure_errno(failure, -ENOMEM, "Cannot make the record");
        if (!json_object_get(commit->record, "committed_usec"))
                (void) json_object_set_new(commit->record, "committed_usec",
                                           json_integer((json_int_t) now.tv_sec * 1000000 +
                                                        now.tv_nsec / 1000));
        if (json_array_size(json_object_get(commit->record, "disks")) != json_array_size(disks))
                return refuse(failure, "the disks are not those of the record");
        for (size_t i = 0; i < json_array_size(disks); i++) {
                r = add_layer(commit, spec, json_array_get(disks, i), failure);
                if (r < 0)
                        return r;
        }
        if (manifest_format(MANIFEST_RECORD, commit->record, &commit->record_text, error) < 0)
                return refuse(failure, error);
        if (strcmp(json_field_text(commit->record, "backup_id"), commit->backup_id) != 0 ||
            strcmp(json_field_text(commit->record, "instance_uuid"), commit->instance_uuid) != 0)
                return refuse(failure, "the record is that of another backup");
        return 0;
}

/* The record of an earlier run. 1: there is none. */
static int read_record(Commit *commit, Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        json_t *record;
        size_t size;
        int r;

        r = small_file_read_at(commit->backups, commit->names.manifest, MANIFEST_SIZE_MAX,
                               &commit->record_text, &size);
        if (r == -ENOENT)
                return 1;
        if (r < 0)
                return failure_errno(failure, r, "Cannot read the record %s in %s",
                                     commit->names.manifest, commit->repository.path);
        r = manifest_parse(MANIFEST_RECORD, commit->record_text, size, &record, error);
        if (r < 0)
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "%s/%s/" REPOSITORY_BACKUPS "/%s is damaged: %s; bring it back "
                                   "from a copy of the repository",
                                   commit->repository.path, commit->instance_uuid,
                                   commit->names.manifest, error);
        json_decref(record);
        return 0;
}

static int open_folders(Commit *commit, Failure *failure)
{
        int r;

        r = repository_open_folder(&commit->repository, commit->repository.folder,
                                   commit->instance_uuid, &commit->vm, failure);
        if (r == 0)
                r = repository_open_folder(&commit->repository, commit->vm, REPOSITORY_BACKUPS,
                                           &commit->backups, failure);
        if (r > 0)
                r = failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                "%s/%s or a folder in it is not there; start the backup again",
                                commit->repository.path, commit->instance_uuid);
        return r;
}

static int run(Commit *commit, const json_t *spec, Failure *failure)
{
        int r;

        r = open_folders(commit, failure);
        if (r >= 0)
                r = read_record(commit, failure);
        if (r > 0) {
                r = make_texts(commit, spec, failure);
                for (size_t i = 0; i < commit->n_layers && r >= 0; i++)
                        r = seal_layer(&commit->repository, commit->vm, &commit->names,
                                       commit->layers + i, failure);
        }
        /* Also one that is there: the run that wrote it may have been killed before it was durable. */
        return r < 0 ? r
                     : seal_small_file(&commit->repository, commit->backups, commit->names.manifest,
                                       commit->record_text, failure);
}

int verb_commit(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(commit_done) Commit commit = { .repository.folder = -1, .vm = -1, .backups = -1 };
        char hex[SHA256_HEX_SIZE];
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r < 0)
                return r;
        commit.instance_uuid = json_field_text(spec, "instance_uuid");
        commit.backup_id = json_field_text(spec, "backup_id");
        layer_names(commit.backup_id, &commit.names);
        r = repository_open(&commit.repository, json_field_text(spec, "repository"),
                            json_field_text(spec, "repository_uuid"), REPOSITORY_WRITE, failure);
        if (r >= 0)
                r = run(&commit, spec, failure);
        if (r < 0)
                return r;
        r = sha256_hex(commit.record_text, strlen(commit.record_text), hex);
        if (r < 0)
                return failure_errno(failure, r, "Cannot make the digest of the record");
        *ret_result = json_pack("{s:s}", "record_sha256", hex);
        return 0;
}
