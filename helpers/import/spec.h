/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendense-import is told to do, as one JSON object. Strict: a key nobody knows, a wrong type, a
 * repeated disk or target is refused by name, because a copy onto the wrong target cannot be undone.
 * Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "failure.h"

enum {
        SPEC_DISKS_MAX = 256,
        SPEC_URI_MAX = 1024, /* bytes */
        SPEC_PATH_MAX = 107, /* bytes: what a unix socket's address holds */
        INVOCATION_ID_LENGTH = 32,
};

/* nbds://NAME@HOST:PORT/EXPORT?tls-psk-file=PATH */
#define SPEC_TLS_SCHEME "nbds://"

/* Strings are borrowed from the spec. */
typedef struct DiskSpec {
        uint32_t disk_key;
        const char *source; /* nbd:// or nbd+unix:// */
        const char *target; /* the same, or SPEC_TLS_SCHEME for TLS with a key from a file */
        uint64_t capacity_bytes;
        const char *invocation_id; /* what the target's server says of itself */
} DiskSpec;

typedef struct ImportSpec {
        json_t *json;
        uint64_t job;
        const char *progress; /* path of the datagram socket; NULL: tell nobody */
        bool compare; /* read back and compare after copying */
        DiskSpec *disks;
        size_t n_disks;
} ImportSpec;

/* -EINVAL with failure set, or -ENOMEM. */
int spec_parse(const char *text, size_t size, ImportSpec *ret_spec, Failure *failure);
void spec_done(ImportSpec *spec);
