/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which areas of a disk a copy must read: those that changed since a change id, or those that were ever
 * written. Doubt of any kind is an outcome with a reason, which means: read all of this disk.
 */
#pragma once

#include "vsphere/session.h"

#include <stdint.h>

enum {
        CHANGE_ID_MAX = 128, /* characters */
        AREAS_MAX = 4 * 1024 * 1024,
        AREAS_PAGES_MAX = 1024 * 1024,
        AREAS_GAP_MIN = 64 * 1024, /* bytes; between areas that are joined first */
        AREAS_REASON_SIZE = 320,
};

/* The outcome of the functions below that is no fault. */
#define AREAS_WHOLE_DISK 1

typedef struct VSphereArea {
        uint64_t offset, length;
} VSphereArea;

typedef struct VSphereAreas {
        VSphereArea *areas; /* in order, apart from each other, within the disk */
        size_t n_areas;
        uint64_t bytes;
        unsigned n_pages;
        char reason[AREAS_REASON_SIZE]; /* why the whole disk must be read; one clean line */
} VSphereAreas;

typedef struct VSphereAreasRequest {
        const VSphereRef *vm, *snapshot;
        uint32_t disk_key;
        uint64_t capacity;
        const char *change_id; /* of the last backup; "*": whatever was ever written */
        const char *change_id_now; /* of the disk in this snapshot; NULL: not compared */
} VSphereAreasRequest;

/* 0 with *ret, to be freed by areas_done(); AREAS_WHOLE_DISK with ret->reason; or a negative errno with error
 * set: the snapshot or the VM is gone, vCenter is. */
int vsphere_changed_areas(VSphere *v, const VSphereAreasRequest *request, VSphereAreas *ret,
                          VSphereError *error);
void areas_done(VSphereAreas *areas);

/* At most n_max of them (which is 1 or more): neighbours become one, with what lies between them, those that are close first. */
void areas_limit(VSphereAreas *areas, size_t n_max);

/* UUID "/" sequence, as VMware makes them; "*" is none. */
bool change_id_is_valid(const char *change_id);

/* Whether both count from the same beginning of tracking. */
bool change_id_is_comparable(const char *a, const char *b);

/* Of two that are: a was given out before b. */
bool change_id_is_before(const char *a, const char *b);

/* One page, for the walk and its tests. Its areas are taken as the answer comes; what they amount to is known in the end. */
typedef struct AreasPage {
        uint64_t asked, capacity; /* the offset that was asked for, of a disk of that size */
        VSphereAreas areas;
        uint64_t end; /* of the last of them */
        int r; /* what was wrong with them: AREAS_WHOLE_DISK or -ENOMEM */
} AreasPage;

/* What fills it; valid as long as it. */
XmlEach areas_page_each(AreasPage *page);
void areas_page_done(AreasPage *page);

/* The rest of the answer has come, too. 0 with the page added to areas, and the offset of the next; AREAS_WHOLE_DISK with
 * areas->reason; -ENOMEM. */
int areas_add_page(VSphereAreas *areas, AreasPage *page, const XmlNode *answer, uint64_t *ret_next);
