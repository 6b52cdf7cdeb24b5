/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of sources that read a snapshot's disk from vSphere (see source.h): over HTTPS from the datastore,
 * which needs nothing proprietary and takes flat files only, and through nbdkit's plugin for VDDK.
 */
#pragma once

#include "http-request.h"
#include "source.h"

#include <jansson.h>

typedef struct SourceVsphereSpec {
        const json_t *vcenter; /* the spec's; for the session */
        const json_t *vm; /* vddk: the spec's "vm"; else NULL */
        const json_t *vddk; /* vddk: the spec's "vddk", NULL: all as usual */
        const char *datastore_path; /* "[ds] folder/disk.vmdk" */
        const char *datacenter; /* https: its inventory path */
        uint64_t capacity_bytes;
        uint32_t disk_key;
        unsigned n_connections;
        bool asks_extents; /* the kind that knows some is asked for them */
        bool is_look; /* https: open() reads the descriptor alone, for a disk that is still in use */
        const HttpTimeouts *timeouts; /* NULL: as usual */
} SourceVsphereSpec;

/* What the spec holds is borrowed and outlives the source. -EINVAL with failure set. */
int source_https_new(const SourceVsphereSpec *spec, Source **ret_source, Failure *failure);
int source_vddk_new(const SourceVsphereSpec *spec, Source **ret_source, Failure *failure);
