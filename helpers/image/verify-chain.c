/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following a chain down, whatever is wrong with it (see verify-chain.h). A link is the name of the file that
 * the record says; an image with another one is not given to qemu, which would follow it anywhere.
 */
#include "verify-chain.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "manifest.h"
#include "nvram.h"
#include "small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

int verify_records_open(VerifyRecords *records, const Repository *repository,
                        const char *instance_uuid, Failure *failure)
{
        int r;

        *records = (VerifyRecords){
                .instance_uuid = instance_uuid, .vm = -1, .backups = -1, .known = json_object()
        };
        if (!records->known)
                return failure_errno(failure, -ENOMEM, "%s", repository->path);
        r = repository_open_folder(repository, repository->folder, instance_uuid, &records->vm,
                                   failure);
        if (r == 0)
                r = repository_open_folder(repository, records->vm, REPOSITORY_BACKUPS,
                                           &records->backups, failure);
        return r < 0 ? r : 0;
}

void verify_records_done(VerifyRecords *records)
{
        json_decref(records->known);
        cleanup_close_p(&records->backups);
        cleanup_close_p(&records->vm);
        *records = (VerifyRecords){ .vm = -1, .backups = -1 };
}

/* The record, or a text that says why there is none; the caller's reference. */
static json_t *read_record(VerifyRecords *records, const char *backup_id)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        json_t *record, *problems;
        LayerNames names;
        size_t size;
        int r = -ENOENT;

        layer_names(backup_id, &names);
        if (records->backups >= 0)
                r = small_file_read_at(records->backups, names.manifest, MANIFEST_SIZE_MAX, &text,
                                       &size);
        if (r == -ENOENT && records->backups >= 0 &&
            faccessat(records->backups, names.deleting, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                (void) snprintf(records->deleting, sizeof(records->deleting), "%s", backup_id);
        if (r == -ENOENT)
                return json_string("there is no commit record, so there is no such backup");
        if (failure_is_away(r))
                records->away = r;
        if (r < 0)
                return json_sprintf("the record cannot be read: %s", strerror(-r));
        if (manifest_parse(MANIFEST_RECORD, text, size, &record, error) < 0)
                return json_string(error);
        problems = json_array();
        if (!scan_record_place(record, "", records->instance_uuid, names.manifest, problems)) {
                json_decref(record);
                record = json_incref(json_array_get(problems, 0));
        }
        json_decref(problems);
        return record;
}

const json_t *verify_records_get(VerifyRecords *records, const char *backup_id,
                                 const char **ret_why)
{
        const json_t *known = json_object_get(records->known, backup_id);

        if (!known) {
                (void) json_object_set_new(records->known, backup_id,
                                           read_record(records, backup_id));
                known = json_object_get(records->known, backup_id);
        }
        if (json_is_object(known))
                return known;
        *ret_why = json_string_value(known) ?: "the record cannot be kept in memory";
        return NULL;
}

static const json_t *find_disk(const json_t *record, uint32_t disk_key)
{
        const json_t *disks = json_object_get(record, "disks");

        for (size_t i = 0; i < json_array_size(disks); i++)
                if (json_field_number(json_array_get(disks, i), "disk_key") == disk_key)
                        return json_array_get(disks, i);
        return NULL;
}

static const VerifyLayer *find_layer(const VerifyChain *chain, const char *backup_id)
{
        for (size_t i = 0; i < chain->n_layers; i++)
                if (strcmp(chain->layers[i].backup_id, backup_id) == 0)
                        return chain->layers + i;
        return NULL;
}

static VerifyLayer *add_layer(VerifyChain *chain, const char *backup_id, uint32_t disk_key)
{
        VerifyLayer *grown, *layer;

        grown = reallocarray(chain->layers, chain->n_layers + 1, sizeof(*grown));
        if (!grown)
                return NULL;
        chain->layers = grown;
        layer = grown + chain->n_layers;
        *layer = (VerifyLayer){ .problems = json_array() };
        if (!layer->problems)
                return NULL;
        (void) snprintf(layer->backup_id, sizeof(layer->backup_id), "%s", backup_id);
        (void) snprintf(layer->where, sizeof(layer->where), "disk %" PRIu32 ", layer %s", disk_key,
                        backup_id);
        chain->n_layers++;
        return layer;
}

static const json_t *find_row(const json_t *rows, const char *backup_id, uint32_t disk_key)
{
        for (size_t i = 0; i < json_array_size(rows); i++) {
                const json_t *row = json_array_get(rows, i);
                const char *id = json_field_text(row, "backup_id");

                if (json_field_number(row, "disk_key") == disk_key && id &&
                    strcmp(id, backup_id) == 0)
                        return row;
        }
        return NULL;
}

/* A catalog that says otherwise leads the next backup astray: it starts from the row's change id, above the row's layer. */
static void compare_row(const VerifyRecords *records, const VerifyLayer *layer, uint32_t disk_key,
                        const json_t *disk)
{
        static const char *const keys[] = { "backup_type", "parent_backup_id", "capacity_bytes",
                                            "file",        "backing_uuid",     "change_id" };
        const json_t *row = find_row(records->rows, layer->backup_id, disk_key);

        for (size_t i = 0; row && i < ELEMENTSOF(keys); i++) {
                const json_t *want = json_object_get(disk, keys[i]);
                const json_t *have = json_object_get(row, keys[i]);

                if (want != have && (!want || !have || !json_equal(want, have)))
                        scan_problem(layer->problems, "%s: catalog and record differ in %s",
                                     layer->where, keys[i]);
        }
}

/* What a restore of the whole VM would put back. */
static void check_nvram(const json_t *record, const VerifyLayer *layer)
{
        const json_t *nvram = json_object_get(json_object_get(record, "hardware"), "nvram");
        _cleanup_free_ void *data = NULL;
        size_t size;

        if (nvram && nvram_unpack(nvram, &data, &size) == -EBADMSG)
                scan_problem(layer->problems,
                             "%s: the NVRAM in the record is not what its SHA-256 says",
                             layer->where);
}

/* Looks at one layer. *ret_parent is a copy of the id of the layer below, NULL: it is a full, or nothing is known. */
static void look_at(const VerifyChain *chain, VerifyRecords *records, uint32_t disk_key,
                    VerifyLayer *layer, char **ret_parent)
{
        const LayerPlace place = { .instance_uuid = records->instance_uuid,
                                   .backup_id = layer->backup_id,
                                   .disk_key = disk_key,
                                   .folder = chain->folder,
                                   .where = layer->where };
        const char *why = NULL, *parent;
        const json_t *record = verify_records_get(records, layer->backup_id, &why);
        const json_t *disk = find_disk(record, disk_key);

        *ret_parent = NULL;
        if (!record)
                scan_problem(layer->problems, "%s: %s", layer->where, why);
        else if (!disk)
                scan_problem(layer->problems, "%s: the record does not name this disk",
                             layer->where);
        else {
                compare_row(records, layer, disk_key, disk);
                check_nvram(record, layer);
        }
        if (chain->folder < 0) {
                scan_problem(layer->problems, "%s: the folder of the disk is not there",
                             layer->where);
                return;
        }
        layer_look(&place, disk, layer->problems, &layer->look);
        parent = json_field_text(disk ?: layer->look.manifest, "parent_backup_id");
        if (parent)
                *ret_parent = strdup(parent);
}

/* From the backup's own layer down; each names the next. */
static int read_layers(VerifyChain *chain, VerifyRecords *records, const char *backup_id,
                       uint32_t disk_key)
{
        _cleanup_free_ char *id = strdup(backup_id);

        while (id) {
                char *parent = NULL;
                VerifyLayer *layer = add_layer(chain, id, disk_key);

                if (!layer)
                        return -ENOMEM;
                look_at(chain, records, disk_key, layer, &parent);
                free(id);
                id = parent;
                if (id && (find_layer(chain, id) || chain->n_layers >= VERIFY_LAYERS_MAX)) {
                        scan_problem(layer->problems,
                                     "%s: it builds on %s, so the chain has no end", layer->where,
                                     id);
                        layer->look.sound = false;
                        break;
                }
        }
        return chain->n_layers > 0 ? 0 : -ENOMEM;
}

/* From below: what is above an unsound layer cannot be opened. */
static void find_reachable(VerifyChain *chain)
{
        bool reachable = true;

        for (size_t i = chain->n_layers; i-- > 0;) {
                reachable = reachable && chain->layers[i].look.sound;
                chain->layers[i].reachable = reachable;
        }
}

/* What could not be looked at says nothing about the backup. */
static int find_away(const VerifyChain *chain, const VerifyRecords *records)
{
        if (records->away < 0)
                return records->away;
        for (size_t i = 0; i < chain->n_layers; i++)
                if (chain->layers[i].look.away < 0)
                        return chain->layers[i].look.away;
        return 0;
}

int verify_chain_read(VerifyChain *chain, VerifyRecords *records, const char *backup_id,
                      uint32_t disk_key, Failure *failure)
{
        char key[24];
        int r;

        *chain = (VerifyChain){ .folder = -1 };
        (void) snprintf(key, sizeof(key), "%" PRIu32, disk_key);
        if (records->vm >= 0)
                chain->folder = openat(records->vm, key,
                                       O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        r = records->vm >= 0 && chain->folder < 0 && failure_is_away(-errno)
                            ? -errno
                            : read_layers(chain, records, backup_id, disk_key);
        if (r >= 0)
                r = find_away(chain, records);
        if (r < 0) {
                verify_chain_done(chain);
                return failure_errno(failure, r, "Cannot read the chain of disk %s", key);
        }
        if (*records->deleting) {
                verify_chain_done(chain);
                return failure_set(failure, BUS_ERROR_BUSY,
                                   "the deletion of %s has begun and not ended; delete it again, "
                                   "then verify",
                                   records->deleting);
        }
        find_reachable(chain);
        return 0;
}

void verify_chain_done(VerifyChain *chain)
{
        for (size_t i = 0; i < chain->n_layers; i++) {
                layer_look_done(&chain->layers[i].look);
                json_decref(chain->layers[i].problems);
        }
        free(chain->layers);
        cleanup_close_p(&chain->folder);
        *chain = (VerifyChain){ .folder = -1 };
}
