/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be held against a backup by looking at its files alone: its record, the manifests and the first
 * bytes of the images compared with each other. Used by scan and verify; writes nothing.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One layer, and where it should be. */
typedef struct LayerPlace {
        const char *instance_uuid, *backup_id;
        uint32_t disk_key;
        int folder; /* of the disk */
        const char *where; /* begins each problem: "disk 2000" */
} LayerPlace;

typedef struct LayerLook {
        json_t *manifest; /* NULL: it cannot be read */
        uint64_t virtual_bytes; /* of the image; 0: unknown */
        int away; /* negative errno: it could not be looked at, the repository is not there; else 0 */
        bool sound; /* a plain QCOW2 that builds on what its record says, so that it may be given to qemu */
} LayerLook;

/* Appends a line to the list. Out of memory is not told apart: the line is missing then. */
void scan_problem(json_t *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Compares one layer with its disk in the record; NULL: there is none, and the manifest stands for it. Whether the
 * layer below is there is not looked at. */
void layer_look(const LayerPlace *place, const json_t *disk, json_t *problems, LayerLook *ret_look);
void layer_look_done(LayerLook *look);

/* Whether the record is that of the VM and of the file that it was found in; if not, a problem that begins with
 * where says so. */
bool scan_record_place(const json_t *record, const char *where, const char *instance_uuid,
                       const char *name, json_t *problems);

/* One disk of a record, as scan_backup() looks at each. */
void scan_record_disk(int vm, const json_t *record, const json_t *disk, const json_t *deleting,
                      json_t *problems, json_t *known);

/* vm is the folder that the record was found below, name that of its file. Files that belong to the backup
 * become members of known, by their path below vm. deleting has the ids of backups whose deletion has begun: a disk that
 * builds on one is between two states, both of which read the same, and is not judged. */
void scan_backup(int vm, const char *vm_name, const char *name, const json_t *record,
                 const json_t *deleting, json_t *problems, json_t *known);

/* Files of a backup whose deletion has begun, as far as they are there. */
void scan_deleting(const json_t *record, json_t *known);
