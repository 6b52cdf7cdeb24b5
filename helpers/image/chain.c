/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following a chain down (see chain.h). qemu would read a layer that was cut off as zeroes and follow any link,
 * so length, link and manifest of each layer are compared before anything is read through them.
 */
#include "chain.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "manifest.h"
#include "qcow2-header.h"
#include "sha256.h"
#include "small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int damaged(Failure *failure, const Chain *chain, const char *name, const char *what)
{
        return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                           "%s: %s: %s; restore another backup, or bring the file back",
                           chain->path, name, what);
}

static int read_file(const Chain *chain, int folder, const char *name, ManifestKind kind,
                     const char *sha256, json_t **ret_object, Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE], hex[SHA256_HEX_SIZE];
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = small_file_read_at(folder, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r == -ENOENT && kind == MANIFEST_RECORD)
                return failure_set(failure, BUS_ERROR_NOT_FOUND,
                                   "%s has no commit record, so there is no such backup",
                                   chain->path);
        if (r == -ENOENT)
                return damaged(failure, chain, name, "the manifest is missing");
        if (r < 0)
                return failure_errno(failure, r, "%s: cannot read %s", chain->path, name);
        if (sha256 && (sha256_hex(text, size, hex) < 0 || strcmp(hex, sha256) != 0))
                return damaged(failure, chain, name,
                               "the manifest is not the one that was committed");
        r = manifest_parse(kind, text, size, ret_object, error);
        return r < 0 ? damaged(failure, chain, name, error) : 0;
}

static const json_t *find_disk(const json_t *record, uint32_t disk_key)
{
        const json_t *disks = json_object_get(record, "disks");

        for (size_t i = 0; i < json_array_size(disks); i++)
                if (json_field_number(json_array_get(disks, i), "disk_key") == disk_key)
                        return json_array_get(disks, i);
        return NULL;
}

/* The sum of the topmost manifest, which the record vouches for. */
static int read_record(Chain *chain, int vm, const char *backup_id, uint32_t disk_key,
                       char ret_sha256[static SHA256_HEX_SIZE], Failure *failure)
{
        _cleanup_close_ int backups = openat(vm, REPOSITORY_BACKUPS,
                                             O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        const json_t *disk;
        json_t *record;
        int r;

        if (backups < 0 && errno == ENOENT)
                return failure_set(failure, BUS_ERROR_NOT_FOUND, "%s: there is no such backup",
                                   chain->path);
        if (backups < 0)
                return failure_errno(failure, -errno, "%s: cannot open " REPOSITORY_BACKUPS,
                                     chain->path);
        r = read_file(chain, backups, chain->names.manifest, MANIFEST_RECORD, NULL, &record,
                      failure);
        if (r < 0)
                return r;
        disk = find_disk(record, disk_key);
        if (!disk)
                r = failure_set(failure, BUS_ERROR_NOT_FOUND, "%s has no disk %" PRIu32, backup_id,
                                disk_key);
        else
                (void) snprintf(ret_sha256, SHA256_HEX_SIZE, "%s",
                                json_field_text(disk, "manifest_sha256"));
        json_decref(record);
        return r;
}

static int check_image(const Chain *chain, const char *name, const json_t *manifest,
                       Failure *failure)
{
        _cleanup_close_ int fd = openat(chain->folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        const char *parent = json_field_text(manifest, "parent_backup_id");
        char bytes[QCOW2_HEADER_BYTES], want[REPOSITORY_NAME_SIZE] = "", what[160];
        Qcow2Header header;
        struct stat st;
        ssize_t n;

        if (fd < 0 && errno == ENOENT)
                return damaged(failure, chain, name, "the layer is missing");
        if (fd < 0 || fstat(fd, &st) < 0)
                return failure_errno(failure, -errno, "%s: cannot open %s", chain->path, name);
        if (!S_ISREG(st.st_mode) ||
            (uint64_t) st.st_size != json_field_number(manifest, "size_bytes")) {
                (void) snprintf(what, sizeof(what),
                                "it has %jd bytes and had %" PRIu64 " when it was sealed",
                                (intmax_t) st.st_size, json_field_number(manifest, "size_bytes"));
                return damaged(failure, chain, name, what);
        }
        n = pread(fd, bytes, sizeof(bytes), 0);
        if (n < 0 || qcow2_header_parse(bytes, (size_t) n, &header) < 0)
                return damaged(failure, chain, name, "it is no QCOW2 or cannot be read");
        if (parent)
                (void) snprintf(want, sizeof(want), "%s.qcow2", parent);
        if (strcmp(header.backing, want) != 0)
                return damaged(failure, chain, name, "it builds on another layer than it should");
        return header.virtual_bytes == json_field_number(manifest, "capacity_bytes")
                               ? 0
                               : damaged(failure, chain, name, "it has another size for the guest");
}

static int check_layer(const Chain *chain, const LayerNames *names, const char *instance_uuid,
                       const char *backup_id, uint32_t disk_key, const json_t *manifest,
                       Failure *failure)
{
        if (strcmp(json_field_text(manifest, "backup_id"), backup_id) != 0 ||
            strcmp(json_field_text(manifest, "instance_uuid"), instance_uuid) != 0 ||
            json_field_number(manifest, "disk_key") != disk_key)
                return damaged(failure, chain, names->manifest, "it is that of another layer");
        if (json_field_number(manifest, "capacity_bytes") > chain->capacity_bytes)
                return damaged(failure, chain, names->manifest,
                               "its disk is larger than that of a layer above it");
        return check_image(chain, names->image, manifest, failure);
}

static int add_layer(Chain *chain, const json_t *manifest, Failure *failure)
{
        ChainLayer *grown;

        if (chain->n_layers >= CHAIN_LAYERS_MAX)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s builds on more than %d layers", chain->path,
                                   CHAIN_LAYERS_MAX);
        grown = reallocarray(chain->layers, chain->n_layers + 1, sizeof(*chain->layers));
        if (!grown)
                return failure_errno(failure, -ENOMEM, "%s", chain->path);
        chain->layers = grown;
        grown += chain->n_layers++;
        *grown = (ChainLayer){
                .capacity_bytes = json_field_number(manifest, "capacity_bytes"),
                .digest = json_incref(json_object_get(manifest, "digest")),
        };
        (void) snprintf(grown->backup_id, sizeof(grown->backup_id), "%s",
                        json_field_text(manifest, "backup_id"));
        return 0;
}

/* From the topmost layer down; each names the next. */
static int read_layers(Chain *chain, const char *instance_uuid, const char *backup_id,
                       uint32_t disk_key, const char *sha256, Failure *failure)
{
        char id[BACKUP_ID_SIZE];
        const char *parent;
        LayerNames names;
        json_t *manifest;
        int r;

        (void) snprintf(id, sizeof(id), "%s", backup_id);
        for (bool more = true; more;) {
                layer_names(id, &names);
                r = read_file(chain, chain->folder, names.manifest, MANIFEST_DISK, sha256,
                              &manifest, failure);
                if (r < 0)
                        return r;
                sha256 = NULL;
                if (chain->n_layers == 0)
                        chain->capacity_bytes = json_field_number(manifest, "capacity_bytes");
                r = check_layer(chain, &names, instance_uuid, id, disk_key, manifest, failure);
                if (r >= 0)
                        r = add_layer(chain, manifest, failure);
                parent = json_field_text(manifest, "parent_backup_id");
                more = parent;
                if (parent)
                        (void) snprintf(id, sizeof(id), "%s", parent);
                json_decref(manifest);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_all(Chain *chain, const Repository *repository, const char *instance_uuid,
                    const char *backup_id, uint32_t disk_key, Failure *failure)
{
        char file[MANIFEST_FILE_SIZE], key[24], sha256[SHA256_HEX_SIZE];
        _cleanup_close_ int vm = -1;
        int r;

        manifest_file(instance_uuid, disk_key, backup_id, file);
        if (asprintf(&chain->path, "%s/%s", repository->path, file) < 0) {
                chain->path = NULL;
                return failure_errno(failure, -ENOMEM, "%s", repository->path);
        }
        r = repository_open_folder(repository, repository->folder, instance_uuid, &vm, failure);
        if (r > 0)
                return failure_set(failure, BUS_ERROR_NOT_FOUND, "%s: there is no such backup",
                                   chain->path);
        if (r < 0)
                return r;
        layer_names(backup_id, &chain->names);
        r = read_record(chain, vm, backup_id, disk_key, sha256, failure);
        if (r < 0)
                return r;
        (void) snprintf(key, sizeof(key), "%" PRIu32, disk_key);
        r = repository_open_folder(repository, vm, key, &chain->folder, failure);
        if (r > 0)
                return damaged(failure, chain, key, "the folder of the disk is missing");
        return r < 0 ? r : read_layers(chain, instance_uuid, backup_id, disk_key, sha256, failure);
}

int chain_open(Chain *chain, const Repository *repository, const char *instance_uuid,
               const char *backup_id, uint32_t disk_key, Failure *failure)
{
        int r;

        *chain = (Chain){ .folder = -1 };
        r = open_all(chain, repository, instance_uuid, backup_id, disk_key, failure);
        if (r < 0)
                chain_done(chain);
        return r;
}

void chain_done(Chain *chain)
{
        for (size_t i = 0; i < chain->n_layers; i++)
                json_decref(chain->layers[i].digest);
        free(chain->layers);
        free(chain->path);
        cleanup_close_p(&chain->folder);
        *chain = (Chain){ .folder = -1 };
}
