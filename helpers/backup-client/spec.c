/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of the spec (see spec.h).
 */
#include "spec.h"

#include "names.h"
#include "result-file.h"
#include "spec-reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[SOURCE_KIND_MAX] = {
        [SOURCE_FILE] = "file",
        [SOURCE_NBD] = "nbd",
        [SOURCE_HTTPS] = "https",
        [SOURCE_VDDK] = "vddk",
};

static const char *const modes[READ_MODE_MAX] = {
        [READ_ALL] = "all",
        [READ_ALLOCATED] = "allocated",
        [READ_CHANGED] = "changed",
};

const char *source_kind_to_string(SourceKind kind)
{
        return kind >= 0 && kind < SOURCE_KIND_MAX ? kinds[kind] : "unknown";
}

static int find_word(const char *const words[], int n, const char *word)
{
        for (int i = 0; i < n; i++)
                if (strcmp(words[i], word) == 0)
                        return i;
        return -EINVAL;
}

/* Each kind has its own keys, and no others. */
static int read_source_of(const Place *place, SourceSpec *source)
{
        static const char *const file_keys[] = { "kind", "path" };
        static const char *const nbd_keys[] = { "kind", "uri" };
        static const char *const vmware_keys[] = { "kind", "datastore_path", "datacenter" };
        NbdUri uri;
        int r;

        switch (source->kind) {
        case SOURCE_FILE:
                r = place_check_keys(place, file_keys, ELEMENTSOF(file_keys));
                if (r >= 0)
                        r = place_text(place, "path", false, SPEC_PATH_MAX, &source->path);
                return r >= 0 && *source->path != '/'
                                       ? place_complain(place, "path", "an absolute path")
                                       : r;
        case SOURCE_NBD:
                r = place_check_keys(place, nbd_keys, ELEMENTSOF(nbd_keys));
                if (r >= 0)
                        r = place_text(place, "uri", false, NBD_URI_SIZE - 1, &source->uri);
                return r >= 0 && nbd_uri_parse(source->uri, &uri) < 0
                                       ? place_complain(place, "uri", "an NBD URI")
                                       : r;
        case SOURCE_HTTPS:
        case SOURCE_VDDK:
                r = place_check_keys(place, vmware_keys, ELEMENTSOF(vmware_keys));
                if (r >= 0)
                        r = place_text(place, "datastore_path", false, SPEC_PATH_MAX,
                                       &source->datastore_path);
                return r >= 0 ? place_text(place, "datacenter", source->kind == SOURCE_VDDK,
                                           SPEC_PATH_MAX, &source->datacenter)
                              : r;
        case SOURCE_KIND_MAX:
        case SOURCE_KIND_INVALID:
        default:
                return place_complain(place, "kind", "file, nbd, https or vddk");
        }
}

static int read_source(const Place *disk, SourceSpec *ret_source)
{
        Place place = { .object = json_object_get(disk->object, "source"),
                        .failure = disk->failure };
        const char *kind;
        int r;

        (void) snprintf(place.text, sizeof(place.text), "%.20s.source", disk->text);
        if (!json_is_object(place.object))
                return place_complain(disk, "source", "an object");
        r = place_text(&place, "kind", false, 16, &kind);
        if (r < 0)
                return r;
        *ret_source = (SourceSpec){ .kind = (SourceKind) find_word(kinds, SOURCE_KIND_MAX, kind) };
        return read_source_of(&place, ret_source);
}

static int read_area(const Place *place, const json_t *pair, DiskSpec *disk, size_t n_max)
{
        const json_t *offset = json_array_get(pair, 0), *length = json_array_get(pair, 1);
        Area area;
        int r;

        if (json_array_size(pair) != 2 || !json_is_integer(offset) || !json_is_integer(length) ||
            json_integer_value(offset) < 0 || json_integer_value(length) < 1)
                return place_complain(place, "areas", "a list of pairs [offset, length]");
        area = (Area){ (uint64_t) json_integer_value(offset),
                       (uint64_t) json_integer_value(length) };
        r = area_list_add(&disk->areas, area, disk->capacity_bytes, n_max);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return failure_set(place->failure, -EINVAL, FAILURE_INVALID, disk->disk_key,
                                   "%s: the area of %" PRIu64 " bytes at offset %" PRIu64 " %s",
                                   place->text, area.length, area.offset,
                                   r == -ERANGE  ? "reaches beyond the end of the disk"
                                   : r == -E2BIG ? "is one too many"
                                                 : "must be of whole sectors, and behind the one "
                                                   "before it");
        return 0;
}

static int read_areas(const Place *place, DiskSpec *disk, size_t n_max)
{
        json_t *list = json_object_get(place->object, "areas");
        json_t *pair;
        size_t i;
        int r = 0;

        if (!list)
                return 0;
        if (!json_is_array(list))
                return place_complain(place, "areas", "a list of pairs [offset, length]");
        if (disk->read != READ_CHANGED)
                return place_complain(place, "areas", "left out, unless \"read\" is \"changed\"");
        disk->has_areas = true;
        json_array_foreach (list, i, pair) {
                r = read_area(place, pair, disk, n_max);
                if (r < 0)
                        return r;
        }
        /* There may be very many of them, and they are kept elsewhere now. */
        (void) json_array_clear(list);
        return r;
}

static int read_mode(const Place *place, DiskSpec *disk)
{
        const char *mode = NULL;
        int r;

        r = place_text(place, "read", false, 16, &mode);
        if (r < 0)
                return r;
        r = find_word(modes, READ_MODE_MAX, mode);
        if (r < 0)
                return place_complain(place, "read", "all, allocated or changed");
        disk->read = (ReadMode) r;
        return 0;
}

static int read_target(const Place *place, DiskSpec *disk)
{
        int r;

        r = place_text(place, "target", false, NBD_URI_SIZE - 1, &disk->target);
        if (r >= 0 && nbd_uri_parse_tls(disk->target, &disk->target_uri) < 0)
                r = place_complain(place, "target",
                                   "nbd://HOST:PORT/EXPORT, nbds://KEY@HOST:PORT/EXPORT or "
                                   "nbd+unix:///EXPORT?socket=PATH");
        return r;
}

static int read_disk(const Place *place, DiskSpec *disk, size_t n_areas_max)
{
        static const char *const keys[] = { "disk_key", "capacity_bytes", "backing_uuid",
                                            "target",   "parent",         "source",
                                            "read",     "change_id",      "change_id_now",
                                            "areas" };
        uint64_t disk_key = 0;
        int r;

        r = place_check_keys(place, keys, ELEMENTSOF(keys));
        if (r >= 0)
                r = place_number(place, "disk_key", false, 1, DISK_KEY_MAX, &disk_key);
        disk->disk_key = (uint32_t) disk_key;
        if (r >= 0)
                r = place_number(place, "capacity_bytes", false, AREA_GRAIN, SPEC_CAPACITY_MAX,
                                 &disk->capacity_bytes);
        if (r >= 0 && disk->capacity_bytes % AREA_GRAIN != 0)
                r = place_complain(place, "capacity_bytes", "a multiple of 512");
        if (r >= 0)
                r = place_bool(place, "parent", &disk->parent);
        if (r >= 0)
                r = place_text(place, "backing_uuid", true, 256, &disk->backing_uuid);
        if (r >= 0)
                r = place_text(place, "change_id", true, 256, &disk->change_id);
        if (r >= 0)
                r = place_text(place, "change_id_now", true, 256, &disk->change_id_now);
        if (r >= 0)
                r = read_target(place, disk);
        if (r >= 0)
                r = read_source(place, &disk->source);
        if (r >= 0)
                r = read_mode(place, disk);
        return r >= 0 ? read_areas(place, disk, n_areas_max) : r;
}

/* A disk's data goes to its own target: none may stand for two. */
static int check_apart(const CopySpec *spec, Failure *failure)
{
        const DiskSpec *last = &spec->disks[spec->n_disks - 1];

        for (size_t i = 0; i + 1 < spec->n_disks; i++) {
                const DiskSpec *disk = &spec->disks[i];

                if (disk->disk_key == last->disk_key)
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, last->disk_key,
                                           "disk_key %" PRIu32 " stands twice in the spec",
                                           last->disk_key);
                if (nbd_uri_is_same(&disk->target_uri, &last->target_uri))
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, last->disk_key,
                                           "disks %" PRIu32 " and %" PRIu32 " have the same target",
                                           disk->disk_key, last->disk_key);
        }
        return 0;
}

static int read_disks(CopySpec *spec, Failure *failure)
{
        const json_t *list = json_object_get(spec->json, "disks");
        size_t n_areas = 0;
        int r = 0;

        if (!json_is_array(list) || json_array_size(list) < 1 ||
            json_array_size(list) > SPEC_DISKS_MAX)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec: \"disks\" must be a list of 1 to %i objects",
                                   SPEC_DISKS_MAX);
        spec->disks = calloc(json_array_size(list), sizeof(*spec->disks));
        if (!spec->disks)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(list) && r >= 0; i++) {
                Place place = { .object = json_array_get(list, i), .failure = failure };

                (void) snprintf(place.text, sizeof(place.text), "disks[%zu]", i);
                spec->n_disks = i + 1;
                r = read_disk(&place, &spec->disks[i], SPEC_AREAS_MAX - n_areas);
                n_areas += spec->disks[i].areas.n;
                if (r >= 0)
                        r = check_apart(spec, failure);
        }
        return r;
}

static int read_top(CopySpec *spec, Failure *failure)
{
        static const char *const keys[] = { "job",
                                            "attempt",
                                            "progress",
                                            "digests",
                                            "connections",
                                            "memory_bytes",
                                            "target_away_sec",
                                            "source_away_sec",
                                            "vcenter",
                                            "vm",
                                            "vddk",
                                            "disks" };
        const Place place = { .object = spec->json, .text = "the spec", .failure = failure };
        uint64_t connections = SPEC_CONNECTIONS;
        int r;

        r = place_check_keys(&place, keys, ELEMENTSOF(keys));
        if (r >= 0)
                r = place_number(&place, "job", false, 1, JOB_NUMBER_MAX, &spec->job);
        if (r >= 0)
                r = place_number(&place, "attempt", true, 1, UINT32_MAX, &spec->attempt);
        if (r >= 0)
                r = place_text(&place, "progress", true, SPEC_SOCKET_MAX, &spec->progress);
        if (r >= 0 && spec->progress && *spec->progress != '/')
                r = place_complain(&place, "progress", "an absolute path");
        if (r >= 0)
                r = place_bool(&place, "digests", &spec->digests);
        if (r >= 0)
                r = place_number(&place, "connections", true, 1, SPEC_CONNECTIONS_MAX,
                                 &connections);
        spec->connections = (unsigned) connections;
        if (r >= 0)
                r = place_number(&place, "memory_bytes", true, SPEC_MEMORY_MIN, SPEC_MEMORY_MAX,
                                 &spec->memory_bytes);
        if (r >= 0)
                r = place_number(&place, "target_away_sec", true, 0, SPEC_AWAY_SEC_MAX,
                                 &spec->target_away_sec);
        if (r >= 0)
                r = place_number(&place, "source_away_sec", true, 0, SPEC_AWAY_SEC_MAX,
                                 &spec->source_away_sec);
        if (r >= 0)
                r = place_object(&place, "vcenter", &spec->vcenter);
        if (r >= 0)
                r = place_object(&place, "vm", &spec->vm);
        return r >= 0 ? place_object(&place, "vddk", &spec->vddk) : r;
}

int spec_parse(const char *text, size_t size, CopySpec *ret_spec, Failure *failure)
{
        CLEANUP(spec_done)
        CopySpec spec = {
                .attempt = 1,
                .digests = true,
                .target_away_sec = SPEC_TARGET_AWAY_SEC,
                .source_away_sec = SPEC_SOURCE_AWAY_SEC,
        };
        int r;

        r = result_parse_within(text, size, SPEC_SIZE_MAX, &spec.json);
        if (r < 0)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec is not one JSON object of at most %i bytes",
                                   SPEC_SIZE_MAX);
        r = read_top(&spec, failure);
        if (r >= 0)
                r = read_disks(&spec, failure);
        if (r < 0)
                return r;
        *ret_spec = spec;
        spec = (CopySpec){};
        return 0;
}

void spec_done(CopySpec *spec)
{
        for (size_t i = 0; i < spec->n_disks; i++)
                area_list_done(&spec->disks[i].areas);
        free(spec->disks);
        json_decref(spec->json);
        *spec = (CopySpec){};
}
