/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three kinds of JSON file that make a repository self-describing (docs/REPOSITORY.md): its marker,
 * the manifest of one disk's layer, and the VM commit record. Strictly read, and written as one text for
 * one content, so that a SHA-256 of the file means something. Pure; whoever has them does the file work.
 */
#pragma once

#include "json-fields.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_MARKER_NAME  "sendense-repository.json"
#define MANIFEST_CAPACITY_MAX (UINT64_C(1) << 50) /* of a disk; VMware's end at 62 TiB */

enum {
        MANIFEST_FORMAT = 1,
        MANIFEST_SIZE_MAX = 1024 * 1024, /* of a file */
        MANIFEST_DISKS_MAX = 256, /* of a VM; VMware's end at 4 controllers of 64 */
        MANIFEST_BLOCKS_MAX = 2048, /* digests of a layer */
        MANIFEST_LEAF_BYTES = 1024 * 1024, /* of a tree of digests */
        MANIFEST_BLOCK_BYTES_MIN = 4 * 1024 * 1024,
        MANIFEST_PIECES_MAX = 2 * 1024 * 1024, /* told of the pieces of a disk: more than 100,000 */
        MANIFEST_FILE_SIZE = 192, /* a layer's path in the repository, with its NUL */
};

typedef enum ManifestKind {
        MANIFEST_MARKER,
        MANIFEST_DISK,
        MANIFEST_RECORD,
} ManifestKind;

/* Reads one of the files. -EBADMSG: it is none, -EPROTONOSUPPORT: a newer version wrote it, -EFBIG,
 * -ELOOP: beyond a limit; each with one line in ret_error. *ret_object is the caller's reference. */
int manifest_parse(ManifestKind kind, const char *text, size_t size, json_t **ret_object,
                   char ret_error[static JSON_FIELDS_ERROR_SIZE]);

/* The same check for an object in memory. */
int manifest_check(ManifestKind kind, const json_t *object,
                   char ret_error[static JSON_FIELDS_ERROR_SIZE]);

/* The text of a file, which is checked first: errors as above, or -ENOMEM. The caller frees it. */
int manifest_format(ManifestKind kind, const json_t *object, char **ret_text,
                    char ret_error[static JSON_FIELDS_ERROR_SIZE]);

/* The object {"algorithm", "leaf_bytes", "block_bytes", "blocks"} of a disk of that capacity. */
int manifest_check_digest(const json_t *digest, uint64_t capacity_bytes,
                          char ret_error[static JSON_FIELDS_ERROR_SIZE]);

/* The same of what a copier has sent: with "parts", perhaps. */
int manifest_check_sent(const json_t *digest, uint64_t capacity_bytes,
                        char ret_error[static JSON_FIELDS_ERROR_SIZE]);

/* How large a block is that has a digest of its own: the smallest power of two of at least
 * MANIFEST_BLOCK_BYTES_MIN that makes at most MANIFEST_BLOCKS_MAX blocks. */
uint64_t manifest_block_bytes(uint64_t capacity_bytes);

/* "<instance uuid>/<disk key>/<backup id>.qcow2", below the repository's folder. */
void manifest_file(const char *instance_uuid, uint32_t disk_key, const char *backup_id,
                   char ret_file[static MANIFEST_FILE_SIZE]);

/* 36 characters, lower case, as the database wants them too. */
bool manifest_uuid_is_valid(const char *text);

/* 64 lower-case hex digits. */
bool manifest_sha256_is_valid(const char *text);
