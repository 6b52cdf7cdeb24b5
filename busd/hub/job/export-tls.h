/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a node is told of a job's exports: where they are, and the keys of those that are served by TLS ([Exports] TlsPsk=). Of exports
 * that images are written to, and of disks that are mounted for a restore; what counts is the key's file beside the unit, not the
 * setting, which may have changed since.
 */
#pragma once

#include "job/job.h"
#include "unit/unit-files.h"

/* The end of the name of an export that is served by TLS: the name stands in the database, and its key follows from it. */
#define EXPORT_TLS_SUFFIX "-tls"
bool export_tls_is_named(const char *export_name);

/* The file of its key; NULL when it has no TLS. */
const char *export_tls_path(const Job *job, const JobDisk *disk, UnitKind kind,
                            char ret_path[static UNIT_FILE_PATH_SIZE]);

/* "nbd://127.0.0.1:PORT/NAME", by TLS "nbds://NAME@127.0.0.1:PORT/NAME". NULL: no memory. */
json_t *export_tls_address(const Job *job, const JobDisk *disk, UnitKind kind);

/* Adds "nbd_keys" to the request that starts the node's part: {"2000": "…"}, when there are any. -EIO: a key cannot be read. */
int export_tls_add_keys(const Job *job, UnitKind kind, json_t *body);
