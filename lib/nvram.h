/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The variables of a VM's EFI, a small binary file, as a member of the JSON that says what the VM was made of: {bytes, sha256, gzip},
 * the last in base64. So it goes wherever that goes, from vCenter into the record of a backup and back. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        NVRAM_SIZE_MAX = 4 * 1024 *
                         1024, /* VMware's have some 264 KiB, most of them one byte over and over */
        NVRAM_PACKED_MAX = 96 *
                           1024, /* characters: requests and results that carry it end at 256 KiB */
};

/* It begins as VMware's do. That of an encrypted VM lies at the datastore as ciphertext, which no other VM can read. */
bool nvram_is_plain(const void *data, size_t size);

/* -ENODATA: nothing in it; -EFBIG: beyond the limits; -ENOMEM. */
int nvram_pack(const void *data, size_t size, json_t **ret_object);

/* The caller's. -EBADMSG: not such an object, or not what its SHA-256 says; -ENOMEM. */
int nvram_unpack(const json_t *object, void **ret_data, size_t *ret_size);
