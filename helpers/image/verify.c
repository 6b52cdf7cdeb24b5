/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify: reads the disks of a backup back, layer by layer from the full one up, and compares everything that is known
 * of them: record, manifest, header, links, lengths, qemu-img check, and each block with its digest. Damage is a
 * result and no failure of its own. Writes nothing in the repository.
 */
#include "announce.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "spec.h"
#include "verbs.h"
#include "verify-chain.h"
#include "verify-layer.h"
#include "verify-result.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
        { .key = "disk_keys",
          .kind = JSON_FIELD_ARRAY,
          .optional = true,
          .min = 1,
          .max = MANIFEST_DISKS_MAX },
        { .key = "chain", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "rows",
          .kind = JSON_FIELD_ARRAY,
          .optional = true,
          .min = 0,
          .max = VERIFY_LAYERS_MAX },
        { .key = "job", .kind = JSON_FIELD_NUMBER, .optional = true, .min = 1, .max = INT64_MAX },
        { .key = "progress",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 2,
          .max = 100,
          .is_valid = spec_path_is_valid,
          .must = "an absolute path" },
};

typedef struct Verify {
        Repository repository;
        VerifyRecords records;
        const char *instance_uuid, *backup_id;
        bool chain; /* all layers, not only the backup's own */
        Announcer announcer;
        VerifyResult result;
} Verify;

/* One disk, as its layers are read. */
typedef struct DiskReading {
        Verify *verify;
        uint32_t disk_key;
        VerifyChain chain;
        DamagedRanges ranges;
        Announced announced;
        uint64_t bytes_done, bytes_total;
} DiskReading;

static void verify_done(Verify *verify)
{
        verify_result_done(&verify->result);
        announcer_done(&verify->announcer);
        verify_records_done(&verify->records);
        repository_done(&verify->repository);
}

static void disk_done(DiskReading *disk)
{
        damaged_ranges_done(&disk->ranges);
        verify_chain_done(&disk->chain);
}

static void tell(DiskReading *disk, bool is_final)
{
        uint64_t done = disk->bytes_done < disk->bytes_total ? disk->bytes_done : disk->bytes_total;
        char line[96];

        announce_disk(&disk->verify->announcer, &disk->announced, disk->disk_key,
                      is_final ? disk->bytes_total : done, disk->bytes_total, is_final);
        (void) snprintf(line, sizeof(line), "disk %" PRIu32 ": %" PRIu64 " of %" PRIu64 " MiB",
                        disk->disk_key, done >> 20, disk->bytes_total >> 20);
        announce_status(&disk->verify->announcer, line);
}

static void on_hashed(void *userdata, uint64_t n_bytes)
{
        DiskReading *disk = userdata;

        disk->bytes_done += n_bytes;
        tell(disk, false);
}

static int read_layer(DiskReading *disk, const char *path, VerifyLayer *layer,
                      VerifyLayerResult *ret_result, Failure *failure)
{
        const LayerReading reading = { .path = path,
                                       .folder = disk->chain.folder,
                                       .layer = layer,
                                       .ranges = &disk->ranges,
                                       .hashed = on_hashed,
                                       .userdata = disk };
        VerifyLayerResult result = { .layer = layer };
        int r = 0;

        if (layer->reachable)
                r = verify_layer_read(&reading, &result.bytes, &result.blocks_through, failure);
        *ret_result = result;
        return r;
}

/* How many of the layers are to be read, from the topmost down. One that cannot be opened for the sake of another is no reason
 * to blame it. */
static size_t count_layers(const DiskReading *disk)
{
        const VerifyLayer *top = disk->chain.layers;
        bool is_alone = !disk->verify->chain && (top->reachable || !top->look.sound);

        return is_alone ? 1 : disk->chain.n_layers;
}

/* The full one first, so that damage is known before what lies above it is read. */
static int read_n_layers(DiskReading *disk, const char *path, size_t n, VerifyLayerResult *results,
                         Failure *failure)
{
        int r = 0;

        for (size_t i = 0; i < n; i++)
                disk->bytes_total += verify_layer_bytes(disk->chain.layers + i);
        tell(disk, false);
        for (size_t i = n; i-- > 0 && r >= 0;)
                r = read_layer(disk, path, disk->chain.layers + i, results + i, failure);
        return r;
}

/* Forgets what reading the topmost layer has found. */
static void unread_top(DiskReading *disk, size_t n_problems)
{
        json_t *problems = disk->chain.layers[0].problems;

        while (json_array_size(problems) > n_problems)
                (void) json_array_remove(problems, json_array_size(problems) - 1);
        disk->ranges.n = 0;
}

/* A block is read through all layers, so one that differs may be the fault of any: then all are read, whatever was asked for. */
static int read_layers(DiskReading *disk, const char *path, Failure *failure)
{
        size_t n = count_layers(disk), n_all = disk->chain.n_layers;
        size_t n_problems = json_array_size(disk->chain.layers[0].problems);
        _cleanup_free_ VerifyLayerResult *results = calloc(n_all, sizeof(*results));
        int r;

        if (!results)
                return failure_errno(failure, -ENOMEM, "%s", path);
        r = read_n_layers(disk, path, n, results, failure);
        if (r >= 0 && n < n_all && disk->ranges.n > 0) {
                unread_top(disk, n_problems);
                n = n_all;
                r = read_n_layers(disk, path, n, results, failure);
        }
        if (r < 0)
                return r;
        r = verify_result_add(&disk->verify->result, disk->disk_key, results, n);
        return r < 0 ? failure_errno(failure, r, "Cannot keep the result of %s", path) : 0;
}

static int verify_disk(Verify *verify, uint32_t disk_key, Failure *failure)
{
        CLEANUP(disk_done)
        DiskReading disk = { .verify = verify, .disk_key = disk_key, .chain.folder = -1 };
        _cleanup_free_ char *path = NULL;
        int r;

        r = verify_chain_read(&disk.chain, &verify->records, verify->backup_id, disk_key, failure);
        if (r < 0)
                return r;
        if (asprintf(&path, "%s/%s/%" PRIu32, verify->repository.path, verify->instance_uuid,
                     disk_key) < 0) {
                path = NULL;
                return failure_errno(failure, -ENOMEM, "disk %" PRIu32, disk_key);
        }
        r = read_layers(&disk, path, failure);
        if (r >= 0)
                tell(&disk, true);
        return r;
}

static int verify_keys(Verify *verify, const json_t *keys, Failure *failure)
{
        for (size_t i = 0; i < json_array_size(keys); i++) {
                int r = verify_disk(verify, (uint32_t) json_integer_value(json_array_get(keys, i)),
                                    failure);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* All disks that the record names. */
static int verify_recorded(Verify *verify, Failure *failure)
{
        const char *why = NULL;
        const json_t *record = verify_records_get(&verify->records, verify->backup_id, &why);
        const json_t *disks = json_object_get(record, "disks");

        if (!record && verify->records.away < 0)
                return failure_errno(failure, verify->records.away, "Cannot read the record of %s",
                                     verify->backup_id);
        if (!record)
                return failure_set(failure, BUS_ERROR_BACKUP_DAMAGED,
                                   "%s: %s; name its disks to look at their layers",
                                   verify->backup_id, why);
        for (size_t i = 0; i < json_array_size(disks); i++) {
                int r = verify_disk(
                                verify,
                                (uint32_t) json_field_number(json_array_get(disks, i), "disk_key"),
                                failure);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int run(Verify *verify, const json_t *spec, json_t **ret_result, Failure *failure)
{
        const json_t *keys = json_object_get(spec, "disk_keys");
        int r;

        r = repository_open(&verify->repository, json_field_text(spec, "repository"),
                            json_field_text(spec, "repository_uuid"), REPOSITORY_LOOK, failure);
        if (r >= 0)
                r = verify_records_open(&verify->records, &verify->repository,
                                        verify->instance_uuid, failure);
        verify->records.rows = json_object_get(spec, "rows");
        if (r >= 0)
                r = keys ? verify_keys(verify, keys, failure) : verify_recorded(verify, failure);
        if (r < 0)
                return r;
        r = verify_result_make(&verify->result, ret_result);
        return r < 0 ? failure_errno(failure, r, "Cannot make the result") : 0;
}

int verb_verify(const json_t *spec, json_t **ret_result, Failure *failure)
{
        const json_t *chain = json_object_get(spec, "chain");
        CLEANUP(verify_done)
        Verify verify = { .repository.folder = -1,
                          .records = { .vm = -1, .backups = -1 },
                          .instance_uuid = json_field_text(spec, "instance_uuid"),
                          .backup_id = json_field_text(spec, "backup_id"),
                          .chain = !chain || json_is_true(chain),
                          .announcer.fd = -1 };
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = spec_check_keys(spec, failure);
        if (r >= 0)
                r = verify_result_init(&verify.result) < 0
                                    ? failure_errno(failure, -ENOMEM, "Cannot make the result")
                                    : 0;
        if (r < 0)
                return r;
        if (json_object_get(spec, "job"))
                announcer_init(&verify.announcer, json_field_text(spec, "progress"),
                               json_field_number(spec, "job"));
        return run(&verify, spec, ret_result, failure);
}
