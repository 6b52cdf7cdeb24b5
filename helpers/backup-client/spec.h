/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verb copy is told to do, as one JSON object. Strict: a key nobody knows, a wrong type, a
 * repeated disk or target is refused by name, because a copy onto the wrong target cannot be undone.
 * What is below "vcenter", "vm" and "vddk" is read by the rooms that speak to it. Pure.
 */
#pragma once

#include "area.h"
#include "cleanup.h"
#include "failure.h"
#include "nbd-uri.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        SPEC_SIZE_MAX = 16 * 1024 * 1024, /* bytes */
        SPEC_DISKS_MAX = 256,
        SPEC_AREAS_MAX = 512 * 1024, /* of all disks together */
        SPEC_DISK_AREAS_MIN =
                        1024, /* of them are left to each disk, however many the others have */
        SPEC_PATH_MAX = 1024, /* bytes */
        SPEC_SOCKET_MAX = 107, /* bytes: what a unix socket's address holds */
        SPEC_CONNECTIONS = 8, /* unless the spec says otherwise */
        SPEC_CONNECTIONS_MAX = 64,
        SPEC_TARGET_AWAY_SEC = 600, /* the same */
        SPEC_SOURCE_AWAY_SEC = 600,
        SPEC_AWAY_SEC_MAX = 24 * 3600,
};

#define SPEC_CAPACITY_MAX (UINT64_C(1) << 50)
#define SPEC_MEMORY_MIN   (UINT64_C(4) << 20)
#define SPEC_MEMORY_MAX   (UINT64_C(16) << 30)

typedef enum ReadMode {
        READ_ALL, /* every byte */
        READ_ALLOCATED, /* what the source does not know to be zeroes */
        READ_CHANGED, /* areas, given or asked for */
        READ_MODE_MAX,
        READ_MODE_INVALID = -22,
} ReadMode;

typedef enum SourceKind {
        SOURCE_FILE,
        SOURCE_NBD,
        SOURCE_HTTPS,
        SOURCE_VDDK,
        SOURCE_KIND_MAX,
        SOURCE_KIND_INVALID = -22,
} SourceKind;

/* Strings are borrowed from the spec's JSON. */
typedef struct SourceSpec {
        SourceKind kind;
        const char *path; /* file */
        const char *uri; /* nbd */
        const char *datastore_path; /* https, vddk: "[ds] folder/disk.vmdk" */
        const char *datacenter; /* https: its inventory path; may be NULL for vddk */
} SourceSpec;

typedef struct DiskSpec {
        uint32_t disk_key;
        uint64_t capacity_bytes; /* a multiple of 512 */
        const char *backing_uuid; /* may be NULL */
        const char *target;
        NbdUri target_uri; /* the same, taken apart */
        bool parent; /* an image below the target may hold old data: zeroes are written too */
        SourceSpec source;
        ReadMode read;
        const char *change_id; /* what the areas are asked since; may be NULL */
        const char *change_id_now; /* what the next backup starts from; may be NULL */
        AreaList areas; /* has_areas: in order, apart from each other, within the capacity */
        bool has_areas;
        bool rest_is_zero; /* what lies between them was never written */
        char reason[320]; /* why all of it is read, though an increment was asked for; "" */
} DiskSpec;

typedef struct CopySpec {
        json_t *json;
        uint64_t job, attempt;
        const char *progress; /* path of the datagram socket; NULL: tell nobody */
        bool digests;
        unsigned connections; /* to targets, of all disks together */
        uint64_t memory_bytes; /* of all buffers together; 0: as many as are of use */
        uint64_t target_away_sec, source_away_sec; /* how long one may be gone */
        const json_t *vcenter, *vm, *vddk; /* objects, or NULL */
        DiskSpec *disks;
        size_t n_disks;
} CopySpec;

/* -EINVAL with failure set, or -ENOMEM. The text may be freed afterwards. */
int spec_parse(const char *text, size_t size, CopySpec *ret_spec, Failure *failure);
void spec_done(CopySpec *spec);

const char *source_kind_to_string(SourceKind kind);
