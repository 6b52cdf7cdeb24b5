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
#include "vm-records.h"

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

/* The record of a backup whose deletion has begun, or NULL. */
static const json_t *find_doomed(const Chain *chain, const char *backup_id)
{
        return backup_id ? json_object_get(chain->deleting, backup_id) : NULL;
}

/* What the record tells of the disk: the sum of the topmost manifest, which it vouches for, and what it builds on, or "". */
typedef struct Top {
        char sha256[SHA256_HEX_SIZE];
        char parent[BACKUP_ID_SIZE];
} Top;

static int read_record(Chain *chain, int vm, const char *backup_id, uint32_t disk_key, Top *ret_top,
                       Failure *failure)
{
        _cleanup_close_ int backups = openat(vm, REPOSITORY_BACKUPS,
                                             O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        const json_t *disk;
        json_t *record = NULL;
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
        chain->deleting = deleting_read(backups);
        disk = record_disk(record, disk_key);
        if (!chain->deleting)
                r = failure_errno(failure, -ENOMEM, "%s", chain->path);
        else if (!disk)
                r = failure_set(failure, BUS_ERROR_NOT_FOUND, "%s has no disk %" PRIu32, backup_id,
                                disk_key);
        else {
                (void) snprintf(ret_top->sha256, sizeof(ret_top->sha256), "%s",
                                json_field_text(disk, "manifest_sha256"));
                (void) snprintf(ret_top->parent, sizeof(ret_top->parent), "%s",
                                json_field_text(disk, "parent_backup_id") ?: "");
        }
        json_decref(record);
        return r;
}

/* The record is told last: while what it builds on is being deleted, the manifest may be the one that builds on the layer
 * below that. */
static int read_top(const Chain *chain, const Top *top, uint32_t disk_key, json_t **ret_manifest,
                    Failure *failure)
{
        const json_t *doomed = find_doomed(chain, top->parent);
        const char *name = chain->names.manifest, *below, *parent;
        json_t *manifest = NULL;
        int r;

        r = read_file(chain, chain->folder, name, MANIFEST_DISK, top->sha256, ret_manifest,
                      failure);
        if (r >= 0 || !doomed)
                return r;
        r = read_file(chain, chain->folder, name, MANIFEST_DISK, NULL, &manifest, failure);
        if (r < 0)
                return r;
        below = record_parent(doomed, disk_key) ?: "";
        parent = json_field_text(manifest, "parent_backup_id") ?: "";
        if (strcmp(parent, below) == 0) {
                *ret_manifest = manifest;
                return 0;
        }
        json_decref(manifest);
        return damaged(failure, chain, name, "the manifest is not the one that was committed");
}

static int check_size(const Chain *chain, const char *name, const struct stat *st,
                      const json_t *manifest, Failure *failure)
{
        uint64_t size = json_field_number(manifest, "size_bytes");
        char what[160];

        if ((uint64_t) st->st_size == size)
                return 0;
        (void) snprintf(what, sizeof(what),
                        "it has %jd bytes and had %" PRIu64 " when it was sealed",
                        (intmax_t) st->st_size, size);
        return damaged(failure, chain, name, what);
}

static void link_to(const char *parent, char ret_name[static REPOSITORY_NAME_SIZE])
{
        *ret_name = '\0';
        if (parent)
                (void) snprintf(ret_name, REPOSITORY_NAME_SIZE, "%s.qcow2", parent);
}

/* 1: it builds on what it will build on when the deletion of the layer below is at its end. */
static int check_link(const Chain *chain, const char *name, const Qcow2Header *header,
                      const json_t *manifest, Failure *failure)
{
        const char *parent = json_field_text(manifest, "parent_backup_id");
        const json_t *doomed = find_doomed(chain, parent);
        char want[REPOSITORY_NAME_SIZE];

        link_to(parent, want);
        if (strcmp(header->backing, want) == 0)
                return 0;
        if (doomed) {
                link_to(record_parent(doomed, (uint32_t) json_field_number(manifest, "disk_key")),
                        want);
                if (strcmp(header->backing, want) == 0)
                        return 1;
        }
        return damaged(failure, chain, name, "it builds on another layer than it should");
}

/* 1: the image reads past the layer below. */
static int check_image(const Chain *chain, const char *name, const json_t *manifest,
                       Failure *failure)
{
        _cleanup_close_ int fd = openat(chain->folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        /* A layer that is merged into grows, and is judged by what is read through it. */
        bool changes = find_doomed(chain, json_field_text(manifest, "backup_id"));
        bool may_change = find_doomed(chain, json_field_text(manifest, "parent_backup_id"));
        char bytes[QCOW2_HEADER_BYTES];
        Qcow2Header header;
        struct stat st;
        int r, passes;
        ssize_t n;

        if (fd < 0 && errno == ENOENT)
                return damaged(failure, chain, name, "the layer is missing");
        if (fd < 0 || fstat(fd, &st) < 0)
                return failure_errno(failure, -errno, "%s: cannot open %s", chain->path, name);
        if (!S_ISREG(st.st_mode))
                return damaged(failure, chain, name, "it is no plain file");
        r = changes || may_change ? 0 : check_size(chain, name, &st, manifest, failure);
        if (r < 0)
                return r;
        n = pread(fd, bytes, sizeof(bytes), 0);
        if (n < 0 || qcow2_header_parse(bytes, (size_t) n, &header) < 0)
                return damaged(failure, chain, name, "it is no QCOW2 or cannot be read");
        passes = check_link(chain, name, &header, manifest, failure);
        if (passes == 0 && may_change && !changes)
                r = check_size(chain, name, &st, manifest, failure);
        if (passes < 0 || r < 0)
                return passes < 0 ? passes : r;
        return header.virtual_bytes == json_field_number(manifest, "capacity_bytes")
                               ? passes
                               : damaged(failure, chain, name, "it has another size for the guest");
}

static int check_layer(const Chain *chain, const LayerNames *names, const char *instance_uuid,
                       const char *backup_id, uint32_t disk_key, const json_t *manifest,
                       bool *passed, Failure *failure)
{
        int r;

        if (strcmp(json_field_text(manifest, "backup_id"), backup_id) != 0 ||
            strcmp(json_field_text(manifest, "instance_uuid"), instance_uuid) != 0 ||
            json_field_number(manifest, "disk_key") != disk_key)
                return damaged(failure, chain, names->manifest, "it is that of another layer");
        if (json_field_number(manifest, "capacity_bytes") > chain->capacity_bytes)
                return damaged(failure, chain, names->manifest,
                               "its disk is larger than that of a layer above it");
        /* What the layer above does not build on any more may be gone, or have taken its name. */
        if (*passed) {
                *passed = false;
                return 0;
        }
        r = check_image(chain, names->image, manifest, failure);
        *passed = r > 0;
        return r < 0 ? r : 0;
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
                       uint32_t disk_key, const Top *top, Failure *failure)
{
        bool passed = false;
        char id[BACKUP_ID_SIZE];
        const char *parent;
        LayerNames names;
        int r;

        (void) snprintf(id, sizeof(id), "%s", backup_id);
        for (bool more = true; more;) {
                json_t *manifest = NULL;

                layer_names(id, &names);
                r = chain->n_layers == 0 ? read_top(chain, top, disk_key, &manifest, failure)
                                         : read_file(chain, chain->folder, names.manifest,
                                                     MANIFEST_DISK, NULL, &manifest, failure);
                if (r < 0)
                        return r;
                if (chain->n_layers == 0)
                        chain->capacity_bytes = json_field_number(manifest, "capacity_bytes");
                r = check_layer(chain, &names, instance_uuid, id, disk_key, manifest, &passed,
                                failure);
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
        char file[MANIFEST_FILE_SIZE], key[24];
        _cleanup_close_ int vm = -1;
        Top top;
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
        r = read_record(chain, vm, backup_id, disk_key, &top, failure);
        if (r < 0)
                return r;
        (void) snprintf(key, sizeof(key), "%" PRIu32, disk_key);
        r = repository_open_folder(repository, vm, key, &chain->folder, failure);
        if (r > 0)
                return damaged(failure, chain, key, "the folder of the disk is missing");
        return r < 0 ? r : read_layers(chain, instance_uuid, backup_id, disk_key, &top, failure);
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
        json_decref(chain->deleting);
        free(chain->layers);
        free(chain->path);
        cleanup_close_p(&chain->folder);
        *chain = (Chain){ .folder = -1 };
}
